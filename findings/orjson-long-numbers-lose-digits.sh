#!/usr/bin/env bash
# One would expect: a faster JSON library reads a whole number as `json` does, or refuses one that it has no room for.
# What happens: from 2**64 on orjson gives a float, without an error: 18446744073709551616 is 1.8446744073709552e+19. `json` and
#   msgspec keep every digit. Writing is strict the other way: such a number cannot be dumped.
# Why it matters here: ids and shipping codes of 20 digits written as numbers become equal to their neighbours, and an `int`
#   field is suddenly a float; a swap of libraries for speed does it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check orjson==3.13.0 msgspec==0.22.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import json
from importlib.metadata import version

import msgspec
import orjson

first, second = "18446744073709551616", "18446744073709551617"
seen = {}
for name, loads in {"json": json.loads, "msgspec": msgspec.json.decode, "orjson": orjson.loads}.items():
    one, other = loads(first), loads(second)
    seen[name] = type(one).__name__, one == other
    print(f"{name}: {first} -> {one!r}, equal to {second}: {one == other}")
print("orjson below 2**64:", orjson.loads("18446744073709551615"))
try:
    orjson.dumps(2**64)
except TypeError as error:
    print("orjson.dumps(2**64):", error)
else:
    raise AssertionError("it was dumped")
print("orjson", version("orjson"), "msgspec", version("msgspec"))
assert seen == {"json": ("int", False), "msgspec": ("int", False), "orjson": ("float", True)}, seen
EOF
