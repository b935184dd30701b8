#!/usr/bin/env bash
# One would expect: a CSV in which one row has a comma too many is read without that row, or is an error that names its line.
# What happens: DuckDB reads the whole file as one column, named after the header line ("sku,person,garment"), every row one text,
#   without an error; the same for a row that is too short. When the odd row is the last one, it becomes the header, and the table
#   is empty. Only behind the first 20,480 rows, which it looks at to find the separator, is the row an error.
# Why it matters here: one address with a comma in its path, and the columns of the list, or all its rows, are gone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check duckdb==2.0.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import duckdb

rows = [f"S{number},anna.jpg,https://img.example.com/{number}.jpg" for number in range(200)]
odd = "S200,anna.jpg,https://img.example.com/w_800,h_800/200.jpg"
short = "S200,anna.jpg"
joined, as_written = ["sku,person,garment"], ["sku", "person", "garment"]
print("duckdb", duckdb.__version__)
for what, lines, columns, length in (
    ("as it should be", rows, as_written, 200),
    ("a comma too many in the middle", [*rows[:100], odd, *rows[100:]], joined, 201),
    ("a cell too few in the middle", [*rows[:100], short, *rows[100:]], joined, 201),
    ("a comma too many in the last row", [*rows, odd], odd.split(","), 0),
):
    with open("list.csv", "w") as file:
        file.write("\n".join(["sku,person,garment", *lines]) + "\n")
    found = duckdb.sql("SELECT * FROM read_csv('list.csv')")
    read = found.fetchall()
    print(what, "->", len(read), "rows of", found.columns)
    assert (found.columns, len(read)) == (columns, length)
EOF
