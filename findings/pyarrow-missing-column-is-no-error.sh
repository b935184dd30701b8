#!/usr/bin/env bash
# One would expect: asking a Parquet file for a column that it does not have is an error, as it is for `read_table`.
# What happens: `ParquetFile.read(columns=…)` and `iter_batches(columns=…)` leave the name out and say nothing; capitals count, and
#   if no name is there, every row is `{}`. Of two columns with one name, which CSV and Parquet both allow, `to_pylist()`
#   gives the last one only.
# Why it matters here: a renamed or misspelt garment column is not missed, the rows are bought without it; and of two
#   `image` columns the first one's pictures are gone. Compare names with the schema before reading.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pyarrow==26.0.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import io

import pyarrow
from pyarrow import csv, parquet

parquet.write_table(pyarrow.table({"sku": ["A1"], "person": ["p.jpg"], "dress": ["d.jpg"]}), "catalog.parquet")
wanted = ["sku", "Person", "dres"]
with parquet.ParquetFile("catalog.parquet") as file:
    whole = file.read(columns=wanted).to_pylist()
    batches = [row for batch in file.iter_batches(columns=wanted) for row in batch.to_pylist()]
    nothing = file.read(columns=["SKU"]).to_pylist()
print(f"columns={wanted}: read {whole}, iter_batches {batches}; columns=['SKU']: {nothing}")
try:
    parquet.read_table("catalog.parquet", columns=wanted)
except pyarrow.ArrowInvalid as error:
    refused = str(error).splitlines()[0]
    print("read_table:", refused)
assert whole == batches == [{"sku": "A1"}] and nothing == [{}] and refused

table = csv.read_csv(io.BytesIO(b"sku,image,image\nA1,front.jpg,back.jpg\n"))
print("two columns of one name:", table.column_names, table.to_pylist())
assert table.column_names == ["sku", "image", "image"]
assert table.to_pylist() == [{"sku": "A1", "image": "back.jpg"}]
print("pyarrow", pyarrow.__version__)
EOF
