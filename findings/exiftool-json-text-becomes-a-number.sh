#!/usr/bin/env bash
# One would expect: what was written into a picture as text (XMP, IPTC) comes back from `exiftool -json` as a JSON string.
# What happens: any text that looks like a number is written without quotes: the SKU 12E3 is read as 12000.0, 1.10 as 1.1, the
#   title 2024 as an integer, while 00123 and 2024_11 stay text. The picture itself has the right text. The type that a tag has in
#   its standard does not matter; PyExifTool's get_tags() reads the same output.
# Why it matters here: SKUs, article numbers and captions travel inside pictures from one shop's system to the next: some rows of
#   a table find their picture, and those with an E among digits never do. `exiftool -s3` gives the text.
# Needs exiftool on the PATH (Debian: libimage-exiftool-perl).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pyexiftool==0.5.6 pillow==13.0.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import exiftool
from PIL import Image

skus = ("00123", "12E3", "1.10", "2024", "2024_11", "-7")
for sku in skus:
    Image.new("RGB", (8, 8)).save(f"{sku}.jpg")
with exiftool.ExifToolHelper() as tool:
    print("exiftool", tool.version)
    found, text = {}, {}
    for sku in skus:
        tool.set_tags(f"./{sku}.jpg", {"XMP-dc:Title": sku}, params=["-overwrite_original"])
        found[sku] = tool.get_tags(f"./{sku}.jpg", "XMP-dc:Title")[0]["XMP:Title"]
        text[sku] = tool.execute("-s3", "-XMP-dc:Title", f"./{sku}.jpg").split(maxsplit=1)[1].strip()  # behind its group
        print(f"title {sku!r:10} get_tags: {found[sku]!r:10} in the picture: {text[sku]!r}")
assert text == dict(zip(skus, skus, strict=True)), text
assert found == {"00123": "00123", "12E3": 12000.0, "1.10": 1.1, "2024": 2024, "2024_11": "2024_11", "-7": -7}, found
EOF
