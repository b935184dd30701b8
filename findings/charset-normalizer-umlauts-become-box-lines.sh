#!/usr/bin/env bash
# One would expect: a library that finds encodings reads a German or French table of a few rows as what Excel writes, cp1252.
# What happens: charset-normalizer takes the best of many code pages by how messy each reading is; with a few letters beyond ASCII
#   it answers cp775 or cp1250, and of a Chinese table of one row cp949 or big5. No error, and `best()` says nothing of doubt.
# Why it matters here: SKUs and file names change letters silently; a person must name the encoding, or the candidates must be
#   few and weighed by what their languages write.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check charset-normalizer==3.5.3
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from importlib.metadata import version

from charset_normalizer import from_bytes

HEAD = "sku,person,dress,note\n"
TABLES = [
    ("cp1252", [f"A{n},people/p{n}.jpg,https://x.example/{n}.jpg,{word}" for n, word in enumerate(words.split())])
    for words in ("grün", "Größe", "weiß crème été", "Mädchen Röcke Übergröße", "señora niño piñata")
] + [("gb18030", [f"A0,people/p0.jpg,https://x.example/0.jpg,{word}"]) for word in ("连衣裙", "红色", "碎花")]
wrong = 0
for encoding, rows in TABLES:
    text = HEAD + "\n".join(rows) + "\n"
    best = from_bytes(text.encode(encoding)).best()
    read = str(best) if best else ""
    wrong += read != text
    print(f"{encoding}: {rows[0].split(',')[-1]} -> {best.encoding if best else None}: {read.splitlines()[1].split(',')[-1] if read else ''}")
print("wrong:", wrong, "of", len(TABLES), "- charset-normalizer", version("charset-normalizer"))
assert wrong >= 3, wrong
EOF
