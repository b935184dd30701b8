#!/usr/bin/env bash
# One would expect: a picture of labels, one byte a pixel, has the same bytes after it was saved as PNG, which is lossless.
# What happens: Pillow takes the bits of a pixel from the length of the palette, not from the pixels. With a palette of 16 colours or
#   fewer the upper bits are cut off: label 255 ("ignore") becomes 15, with 4 colours 3, with 2 colours 1. No error, no warning.
#   With 17 colours, or in mode L, all is kept.
# Why it matters here: parsing maps of people and garments are such pictures, with one colour a class and 255 for the edges: an edge is
#   saved as one of the classes. Pad the palette to 256 colours; `bits=8` changes nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pillow==13.0.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import io

import PIL
from PIL import Image


def saved(colours, **options):
    labels = Image.frombytes("P", (4, 1), bytes((0, 1, 255, 255)))
    labels.putpalette([value for colour in range(colours) for value in (colour, 0, 200)])
    file = io.BytesIO()
    labels.save(file, "PNG", **options)
    return list(Image.open(io.BytesIO(file.getvalue())).tobytes())


print("Pillow", PIL.__version__)
seen = {colours: saved(colours) for colours in (2, 4, 13, 16, 17, 256)}
for colours, labels in seen.items():
    print(f"labels 0, 1, 255, 255 with a palette of {colours:3} colours are read again as {labels}")
print(f"with 13 colours and bits=8: {saved(13, bits=8)}")
assert {colours: labels[3] for colours, labels in seen.items()} == {2: 1, 4: 3, 13: 15, 16: 15, 17: 255, 256: 255}, seen
assert all(labels[:2] == [0, 1] for labels in seen.values()) and saved(13, bits=8) == [0, 1, 15, 15]
EOF
