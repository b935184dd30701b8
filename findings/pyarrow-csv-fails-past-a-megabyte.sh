#!/usr/bin/env bash
# One would expect: a CSV reader reads a quoted cell with a line break, or refuses it; what works in a test with ten rows works
#   with a hundred thousand.
# What happens: pyarrow reads such cells as long as the file fits one block (1 MB), also where a break happens not to stand at
#   a block's end, and else fails with "out of sync" or "Expected 2 columns, got 1". `newlines_in_values=True` reads all.
# Why it matters here: descriptions with line breaks are ordinary in shop exports. Every test passes, and the first full catalog
#   is refused, as one broken row would be.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pyarrow==26.0.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import io

import pyarrow
from pyarrow import csv


def read(text, **options):
    try:
        table = csv.read_csv(io.BytesIO(text.encode()), parse_options=csv.ParseOptions(**options))
    except pyarrow.ArrowInvalid as error:
        return str(error).split(".")[0]
    return table.num_rows


seen = {}
for rows in (10, 30_000, 60_000):
    text = "sku,note\n" + "".join(f'S{number},"{"a" * (number % 17)}\n{"b" * (number % 13)}"\n' for number in range(rows))
    seen[rows] = read(text), read(text, newlines_in_values=True)
    print(f"{rows} rows, {len(text):,} bytes: {seen[rows][0]}; newlines_in_values: {seen[rows][1]}")
print("pyarrow", pyarrow.__version__)
assert [first == rows for rows, (first, _) in seen.items()] == [True, True, False], seen
assert all(second == rows for rows, (_, second) in seen.items()), seen
EOF
