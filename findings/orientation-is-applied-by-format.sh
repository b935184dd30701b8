#!/usr/bin/env bash
# One would expect: a library turns a photograph by its EXIF orientation, or leaves that to the caller; whatever the format.
# What happens: Pillow leaves JPEG, PNG, WebP and AVIF as they lie and turns TIFF by itself; OpenCV turns JPEG, PNG and WebP and leaves
#   AVIF as it lies. The five files hold the same picture with the same Orientation 6.
# Why it matters here: two libraries that look at one person's photograph see it at right angles to each other, in some formats only.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pillow==13.0.0 opencv-python-headless==5.0.0.93
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import cv2
import PIL
from PIL import Image

picture = Image.new("RGB", (40, 60), "white")
print("Pillow", PIL.__version__, "OpenCV", cv2.__version__)
for format, pillow_turns, opencv_turns in (
    ("jpeg", False, True),
    ("png", False, True),
    ("webp", False, True),
    ("avif", False, False),
    ("tiff", True, None),
):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(f"photo.{format}", exif=exif)
    by_pillow = Image.open(f"photo.{format}")
    by_pillow.load()
    line = f"{format}: Pillow {by_pillow.size}"
    assert by_pillow.size == ((60, 40) if pillow_turns else (40, 60))
    if opencv_turns is not None:
        height, width, _ = cv2.imread(f"photo.{format}").shape
        line += f", OpenCV {(width, height)}"
        assert (width, height) == ((60, 40) if opencv_turns else (40, 60))
    print(line)
EOF
