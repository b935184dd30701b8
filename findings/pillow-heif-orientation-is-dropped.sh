#!/usr/bin/env bash
# One would expect: a photograph with Orientation 6 in its EXIF, saved as HEIC with that EXIF, stands upright after
#   `exif_transpose`, as it does when saved as JPEG, PNG, WEBP or AVIF.
# What happens: pillow-heif writes the pixels as they lie and no rotation of HEIC's own; when the file is opened it says
#   Orientation 1 (the 6 is in `info["original_orientation"]`), so `exif_transpose` does nothing: the person lies on the side.
# Why it matters here: telephones write most portraits with Orientation 6. Turn the pixels (`exif_transpose`) before the
#   format is changed, never after.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pillow==13.0.0 pillow-heif==1.8.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import io

import pillow_heif
import PIL
from PIL import Image, ImageOps

pillow_heif.register_heif_opener()
photograph = Image.new("RGB", (64, 32), "white")
seen = {}
for kind in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF"):
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    photograph.save(file, kind, exif=exif)
    opened = Image.open(file)
    seen[kind] = ImageOps.exif_transpose(opened).size
    print(f"{kind}: opened {opened.size}, Orientation {opened.getexif().get(0x0112)}, upright {seen[kind]}")
print("Pillow", PIL.__version__, "pillow-heif", pillow_heif.__version__)
assert seen.pop("HEIF") == (64, 32) and set(seen.values()) == {(32, 64)}, seen
EOF
