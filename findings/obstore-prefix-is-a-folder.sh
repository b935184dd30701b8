#!/usr/bin/env bash
# One would expect: list(prefix="images/S1") finds every key that begins so, as the stores' own APIs and command lines do.
# What happens: the prefix counts by whole path segments: it finds images/S1/a.jpg and neither images/S1.jpg, the key of that
#   very name, nor images/S1_0001.jpg. An incomplete segment finds nothing, and that is no error. For s3fs or boto3 the
#   same text means the other thing.
# Why it matters here: "is there already a picture of this SKU?" answers no, and it is bought again.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check obstore==0.12.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import obstore
from obstore.store import LocalStore, MemoryStore

KEYS = ("images/S1.jpg", "images/S1_0001.jpg", "images/S1/a.jpg", "images/S2.jpg")
print("obstore", obstore.__version__)
for store in (MemoryStore(), LocalStore("store", mkdir=True)):
    for key in KEYS:
        obstore.put(store, key, b"picture")
    found = {
        prefix: sorted(meta["path"] for meta in store.list(prefix).collect())
        for prefix in ("images", "images/S1", "images/S1.jpg", "images/S", "ima")
    }
    for prefix, paths in found.items():
        print(f"{type(store).__name__:12} list({prefix!r}): {paths}")
    assert found == {
        "images": sorted(KEYS),
        "images/S1": ["images/S1/a.jpg"],
        "images/S1.jpg": [],
        "images/S": [],
        "ima": [],
    }, found
EOF
