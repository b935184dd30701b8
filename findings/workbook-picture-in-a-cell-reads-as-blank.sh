#!/usr/bin/env bash
# One would expect: a cell that holds a picture ("Place in Cell") is told apart from an empty one by a reader, and a program that
#   loads and saves the workbook keeps it or warns.
# What happens: calamine gives '' as for a blank cell (and for every error cell), openpyxl '#VALUE!' and no image in its list.
#   A load and save by openpyxl leaves the error in the cell and drops the picture without a warning.
# Why it matters here: merchandisers paste garments into cells. Rows look incomplete to us, and a tool that only adds a status
#   column destroys their pictures. The way to them leads through the cell's vm attribute and the parts it points to.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check xlsxwriter==3.3.1 python-calamine==0.9.1 openpyxl==3.1.5 pillow==13.0.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import re
import warnings
import zipfile
from importlib.metadata import version

import openpyxl
import python_calamine
import xlsxwriter
from PIL import Image

Image.new("RGB", (40, 60), "navy").save("shirt.png")
with xlsxwriter.Workbook("catalog.xlsx") as workbook:
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, ["sku", "upper_clothes", "note"])
    sheet.write(1, 0, "S1")
    sheet.embed_image(1, 1, "shirt.png")
    sheet.write(2, 0, "S2")
    sheet.write_formula(3, 1, "=NA()", None, "#N/A")


def media(path):
    with zipfile.ZipFile(path) as parts:
        cell = re.search(r'<c r="B2"[^>]*>', parts.read("xl/worksheets/sheet1.xml").decode())[0]
        return [part for part in parts.namelist() if "media/" in part], cell


rows = python_calamine.CalamineWorkbook.from_path("catalog.xlsx").get_sheet_by_index(0).to_python()
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    book = openpyxl.load_workbook("catalog.xlsx")
    seen = [book.active.cell(row, 2).value for row in (2, 3)], len(book.active._images)
    book.active["C2"] = "done"
    book.save("saved.xlsx")
before, after = media("catalog.xlsx"), media("saved.xlsx")
print("python-calamine", version("python-calamine"), "openpyxl", openpyxl.__version__)
print(f"calamine, with the picture, blank, #N/A:  {[row[1] for row in rows[1:]]}")
print(f"openpyxl, with the picture, blank:        {seen[0]}, images: {seen[1]}")
print(f"before: {before}")
print(f"after a load and save: {after}, warnings: {len(told)}")
assert [row[1] for row in rows[1:]] == ["", "", ""], rows
assert seen == (["#VALUE!", None], 0), seen
assert before[0] == ["xl/media/image1.png"] and 'vm="1"' in before[1]
assert after[0] == [] and "vm=" not in after[1] and not told
EOF
