#!/usr/bin/env bash
# One would expect: openpyxl's read-only mode gives the same rows as its normal mode, in less memory.
# What happens: it gives no more than the sheet's `dimension` says, which is optional and a mere hint, and which programs that write
#   row by row leave at A1: of a thousand rows one cell is read, without a warning. Normal mode and python-calamine give all.
#   `sheet.reset_dimensions()` before reading gives the rows.
# Why it matters here: read-only is the mode for large catalogs, and an export by a shop's own program is "read": one cell, no rows.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check openpyxl==3.1.5 python-calamine==0.9.1 xlsxwriter==3.3.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import warnings
import zipfile
from importlib.metadata import version

import openpyxl
import python_calamine
import xlsxwriter

with xlsxwriter.Workbook("usual.xlsx") as workbook:
    sheet = workbook.add_worksheet("Catalog")
    for row in range(1000):
        sheet.write_row(row, 0, [f"S{row}", "p.jpg", "d.jpg"])
with zipfile.ZipFile("usual.xlsx") as usual, zipfile.ZipFile("streamed.xlsx", "w") as streamed:
    for part in usual.namelist():
        streamed.writestr(part, usual.read(part).replace(b'<dimension ref="A1:C1000"/>', b'<dimension ref="A1"/>'))

with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always", UserWarning)
    lazy = openpyxl.load_workbook("streamed.xlsx", read_only=True)
    cells = list(lazy["Catalog"].iter_rows(values_only=True))
    lazy["Catalog"].reset_dimensions()
    reset = list(lazy["Catalog"].iter_rows(values_only=True))
    lazy.close()
whole = list(openpyxl.load_workbook("streamed.xlsx")["Catalog"].iter_rows(values_only=True))
other = python_calamine.CalamineWorkbook.from_path("streamed.xlsx").get_sheet_by_name("Catalog").to_python()
print("openpyxl", openpyxl.__version__, "python-calamine", version("python-calamine"))
print(f"read-only: {cells}, warnings: {len(warned)}; after reset_dimensions() {len(reset)} rows")
print(f"normal mode: {len(whole)} rows; calamine: {len(other)} rows")
assert cells == [("S0",)] and not warned and len(reset) == len(whole) == len(other) == 1000
EOF
