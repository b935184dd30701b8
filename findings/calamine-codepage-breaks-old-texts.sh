#!/usr/bin/env bash
# One would expect: the texts of an .xls of Excel 97 and later, which are Unicode by the format, whatever codepage the file names beside them.
# What happens: python-calamine decodes them by that codepage. A workbook that names 1252, as Perl's Spreadsheet::WriteExcel and other
#   libraries write it, comes back as `s\0k\0u\0`, a Chinese letter as two others; xlrd reads the same file as it was meant.
# Why it matters here: no column's name is known any more, or a SKU has NULs between its letters.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check python-calamine==0.9.1 xlrd==2.0.1 xlwt==1.3.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from importlib.metadata import version
from pathlib import Path

import python_calamine
import xlrd
import xlwt

book = xlwt.Workbook()
sheet = book.add_sheet("Looks")
for column, text in enumerate(["sku", "grün", "红"]):
    sheet.write(0, column, text)
book.save("unicode.xls")
# The record CODEPAGE: number 0x42, two bytes, 1200 for Unicode.
unicode = Path("unicode.xls").read_bytes()
mark = bytes.fromhex("4200 0200 b004")
assert unicode.count(mark) == 1
Path("western.xls").write_bytes(unicode.replace(mark, bytes.fromhex("4200 0200 e404")))


def calamine(name):
    return python_calamine.load_workbook(name).get_sheet_by_index(0).to_python()[0]


print("python-calamine", version("python-calamine"))
print("names 1200:", calamine("unicode.xls"))
print("names 1252:", calamine("western.xls"))
print("xlrd", version("xlrd"), xlrd.open_workbook("western.xls").sheet_by_index(0).row_values(0))
assert calamine("unicode.xls") == ["sku", "grün", "红"]
assert calamine("western.xls") == ["s\0k\0u\0", "g\0r\0ü\0n\0", "¢~"]
assert xlrd.open_workbook("western.xls").sheet_by_index(0).row_values(0) == ["sku", "grün", "红"]
EOF
