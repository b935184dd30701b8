#!/usr/bin/env bash
# One would expect: convert("RGB") or convert("L") of a 16-bit grey picture keeps its look, as Pillow does with 16-bit RGB, where
#   65535 becomes 255.
# What happens: grey values are cut off at 255 instead of divided: all but the darkest 1/256 becomes pure white, without a
#   warning. Saving as WebP does it unasked. Only JPEG refuses. Grey with alpha, though, is divided.
# Why it matters here: masks and studio scans come as 16-bit grey PNG; a thumbnail or a re-saved garment is a white sheet, and
#   still a valid picture that is bought.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pillow==13.0.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import io
import struct
import zlib

import PIL
from PIL import Image


def png16(colour_type, *samples):
    """A PNG of one pixel with 16 bits a sample."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 16, colour_type, 0, 0, 0)
    row = b"\0" + struct.pack(f">{len(samples)}H", *samples)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")


MIDDLE = 0x2020  # an eighth of full white, dark grey
print("Pillow", PIL.__version__)
seen = {}
for name, data in {
    "grey": png16(0, MIDDLE),
    "grey with alpha": png16(4, MIDDLE, 0xFFFF),
    "RGB": png16(2, MIDDLE, MIDDLE, MIDDLE),
}.items():
    picture = Image.open(io.BytesIO(data))
    webp = io.BytesIO()
    picture.convert(picture.mode).save(webp, "WEBP", lossless=True)
    seen[name] = (
        picture.convert("L").getpixel((0, 0)),
        picture.convert("RGB").getpixel((0, 0))[0],
        Image.open(webp).convert("RGB").getpixel((0, 0))[0],
    )
    print(f"16-bit {name:16} sample {MIDDLE} of 65535: as L {seen[name][0]}, as RGB {seen[name][1]}, saved as WebP {seen[name][2]} of 255")
assert seen == {"grey": (255, 255, 255), "grey with alpha": (32, 32, 32), "RGB": (32, 32, 32)}, seen
EOF
