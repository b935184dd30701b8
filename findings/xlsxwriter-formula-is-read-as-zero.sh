#!/usr/bin/env bash
# One would expect: a formula that was never computed is read as an empty cell, or as an error.
# What happens: xlsxwriter stores 0 as the value of each formula, and whoever reads values without computing gets that number:
#   the link to a picture, the joined SKU and Excel's own IMAGE() all read 0.0 in calamine and 0 in openpyxl. Excel computes
#   at opening and shows the right thing, so nobody notices; saved there once, the file reads well.
# Why it matters here: catalogs are often exported by scripts. A row without a picture is refused by name; one whose picture
#   is called "0.0" is looked for as a file. Treat 0 in a picture's column of a workbook as not computed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check xlsxwriter==3.3.1 python-calamine==0.9.1 openpyxl==3.1.5
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from importlib.metadata import version

import openpyxl
import python_calamine
import xlsxwriter

formulas = (
    '=HYPERLINK("https://cdn.test/a.jpg","photo")',
    '="SKU-"&"17"',
    '=_xlfn.IMAGE("https://cdn.test/a.jpg")',
)
with xlsxwriter.Workbook("catalog.xlsx") as workbook:
    sheet = workbook.add_worksheet()
    for column, formula in enumerate(formulas):
        sheet.write_formula(0, column, formula)
    sheet.write_formula(0, len(formulas), formulas[0], None, "photo")
rows = python_calamine.CalamineWorkbook.from_path("catalog.xlsx").get_sheet_by_index(0).to_python()
cells = [cell.value for cell in openpyxl.load_workbook("catalog.xlsx", data_only=True).active[1]]
print("xlsxwriter", xlsxwriter.__version__, "python-calamine", version("python-calamine"), "openpyxl", openpyxl.__version__)
for formula, one, other in zip((*formulas, f"{formulas[0]} with value='photo'"), rows[0], cells, strict=True):
    print(f"{formula:66} calamine {one!r:8} openpyxl data_only {other!r}")
assert rows == [[0.0, 0.0, 0.0, "photo"]] and cells == [0, 0, 0, "photo"], (rows, cells)
EOF
