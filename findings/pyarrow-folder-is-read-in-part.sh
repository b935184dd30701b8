#!/usr/bin/env bash
# One would expect: `read_table(folder)` reads all Parquet files of a folder and all of their columns, or refuses what does not fit.
# What happens: the columns are those of the file whose name sorts first; a column that only later files have is dropped without
#   a word. Files whose names begin with `_` or `.` are not read. A folder called `sku=007` adds the column sku with the number 7.
# Why it matters here: the second export of a day brings `lower_clothes` for the first time, and every row of it is bought without.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pyarrow==26.0.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import pathlib

import pyarrow
from pyarrow import dataset, parquet

folder = pathlib.Path("exports")
folder.mkdir()
files = {
    "1.parquet": {"sku": ["A1"], "dress": ["a.jpg"]},
    "2.parquet": {"sku": ["A2"], "dress": [""], "lower_clothes": ["b.jpg"]},
    "_new.parquet": {"sku": ["A3"], "dress": ["c.jpg"]},
}
for name, columns in files.items():
    parquet.write_table(pyarrow.table(columns), folder / name)
rows = parquet.read_table(folder).to_pylist()
print(f"{len(files)} files: {rows}")
assert rows == [{"sku": "A1", "dress": "a.jpg"}, {"sku": "A2", "dress": ""}]
assert dataset.dataset(folder).schema.names == ["sku", "dress"]

by_sku = pathlib.Path("by_sku/sku=007")
by_sku.mkdir(parents=True)
parquet.write_table(pyarrow.table({"dress": ["a.jpg"]}), by_sku / "1.parquet")
rows = parquet.read_table("by_sku").to_pylist()
print(f"the folder sku=007: {rows}")
assert rows == [{"dress": "a.jpg", "sku": 7}]
print("pyarrow", pyarrow.__version__)
EOF
