#!/usr/bin/env bash
# One would expect: the cells of a sheet at the places they have in the workbook, or the same ones from both ways of reading it.
# What happens: `iter_rows()` keeps empty rows above the table and drops empty columns beside it; `to_python()` drops both. Of a
#   table that begins in B3 the first cell is at row 3, column 1 by the one and at row 1, column 1 by the other; only `start` tells.
# Why it matters here: "night.xlsx:C12" in a message names the wrong cell, and a picture that lies over C12 goes to another row.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check python-calamine==0.9.1 xlsxwriter==3.3.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from importlib.metadata import version

import python_calamine
import xlsxwriter

with xlsxwriter.Workbook("night.xlsx") as book:
    sheet = book.add_worksheet()
    sheet.write_row("B3", ["sku", "person"])
    sheet.write_row("B4", ["S1", "anna"])
sheet = python_calamine.load_workbook("night.xlsx").get_sheet_by_index(0)
streamed, whole = list(sheet.iter_rows()), sheet.to_python()
print("python-calamine", version("python-calamine"))
print("iter_rows:", streamed)
print("to_python:", whole)
print("start:", sheet.start)
assert streamed == [["", ""], ["", ""], ["sku", "person"], ["S1", "anna"]]
assert whole == [["sku", "person"], ["S1", "anna"]]
assert sheet.start == (2, 1)
EOF
