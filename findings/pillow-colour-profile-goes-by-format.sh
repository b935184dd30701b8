#!/usr/bin/env bash
# One would expect: opening a picture and saving it keeps its colour profile in every format that can hold one, or in none;
#   and a profile for CMYK does not stay with pixels that were converted to RGB.
# What happens: PNG, AVIF and TIFF keep it unasked, JPEG and WebP drop it unasked. So a wide-gamut photograph changes its
#   colours on the way through JPEG, and CMYK converted to RGB and saved as PNG carries the CMYK profile along.
# Why it matters here: a garment's colour is what the shop sells. Say icc_profile=... at every save, and convert first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pillow==13.0.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import io

import PIL
from PIL import Image, ImageCms

profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# Only its colour space is read here: bytes 16 to 20 of a profile's head.
for_cmyk = profile[:16] + b"CMYK" + profile[20:]


def source(mode, icc):
    file = io.BytesIO()
    Image.new(mode, (64, 64), "red").save(file, "JPEG", icc_profile=icc)
    return Image.open(io.BytesIO(file.getvalue()))


def kept(picture, form):
    file = io.BytesIO()
    picture.save(file, form)
    found = Image.open(io.BytesIO(file.getvalue())).info.get("icc_profile")
    return found and found[16:20].decode().strip()


print("Pillow", PIL.__version__)
forms = ("JPEG", "WEBP", "PNG", "AVIF", "TIFF")
rgb = {form: kept(source("RGB", profile), form) for form in forms}
cmyk = {form: kept(source("CMYK", for_cmyk).convert("RGB"), form) for form in forms}
for form in forms:
    print(f"saved as {form:5} RGB photograph with a profile: {rgb[form] or 'lost':6} CMYK one converted to RGB: {cmyk[form] or 'lost'}")
assert rgb == {"JPEG": None, "WEBP": None, "PNG": "RGB", "AVIF": "RGB", "TIFF": "RGB"}, rgb
assert cmyk == {"JPEG": None, "WEBP": None, "PNG": "CMYK", "AVIF": "CMYK", "TIFF": "CMYK"}, cmyk
EOF
