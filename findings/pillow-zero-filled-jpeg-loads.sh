#!/usr/bin/env bash
# One would expect: Image.load() raises OSError for a JPEG whose second half is missing, and verify() is the cheaper check.
# What happens: load() raises only if the file ends there. If the missing half is filled with zero bytes, as a download into a
#   file of its final size or a crash before fsync leaves it, load() decodes it without a word, the lower part noise. verify()
#   accepts any JPEG cut anywhere. For PNG it is the other way round: load() accepts a file without its end, verify() not.
# Why it matters here: half a person would be sent and paid for. A JPEG needs load() and a look for the end mark behind
#   the coded data, a PNG verify().
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pillow==13.0.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import io

import PIL
from PIL import Image, ImageChops

picture = Image.frombytes("RGB", (600, 800), bytes(x * 7 % 256 ^ x // 1800 % 256 for x in range(600 * 800 * 3)))


def written(form):
    file = io.BytesIO()
    picture.save(file, form)
    return file.getvalue()


def accepted(data, check):
    try:
        getattr(Image.open(io.BytesIO(data)), check)()
    except (OSError, SyntaxError):
        return False
    return True


jpeg, png = written("JPEG"), written("PNG")
half = len(jpeg) // 2
files = {
    "JPEG, whole": jpeg,
    "JPEG, first half": jpeg[:half],
    "JPEG, second half zeros": jpeg[:half] + bytes(len(jpeg) - half),
    "PNG, without its end": png[:-12],
}
print("Pillow", PIL.__version__)
seen = {}
for name, data in files.items():
    seen[name] = accepted(data, "verify"), accepted(data, "load")
    print(f"{name:24} verify: {'accepted' if seen[name][0] else 'refused':9} load: {'accepted' if seen[name][1] else 'refused'}")
whole, broken = (Image.open(io.BytesIO(files[f"JPEG, {name}"])).convert("L") for name in ("whole", "second half zeros"))
lost = ImageChops.difference(whole, broken).crop((0, 440, 600, 800)).point(lambda grey: 255 * (grey > 24)).histogram()[255]
print(f"pixels of its lower part that are not the picture's: {lost * 100 // (600 * 360)} %")
assert list(seen.values()) == [(True, True), (True, False), (True, True), (False, True)], seen
assert lost > 0.5 * 600 * 360, lost
EOF
