#!/usr/bin/env bash
# One would expect: a workbook saved as "Strict Open XML Spreadsheet" (the standard's own form, offered by Excel beside .xlsx and
#   with the same extension) is read as any other, or refused with an error.
# What happens: openpyxl opens it and tells of no sheet at all: sheetnames is [], active is None, no exception, read-only or
#   not. python-calamine reads it.
# Why it matters here: a loop over the sheets finds no row, and tonight's catalog is "done" with nothing bought.
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
    sheet.write_row(0, 0, ["sku", "person"])
    sheet.write_row(1, 0, ["S1", "a.jpg"])
OPEN, STRICT = "http://schemas.openxmlformats.org", "http://purl.oclc.org/ooxml"
NAMESPACES = {
    f"{OPEN}/spreadsheetml/2006/main": f"{STRICT}/spreadsheetml/main",
    f"{OPEN}/drawingml/2006/main": f"{STRICT}/drawingml/main",
    f"{OPEN}/officeDocument/2006/relationships": f"{STRICT}/officeDocument/relationships",
    f"{OPEN}/officeDocument/2006/extended-properties": f"{STRICT}/officeDocument/extendedProperties",
    "<workbook ": '<workbook conformance="strict" ',
}
with zipfile.ZipFile("usual.xlsx") as usual, zipfile.ZipFile("strict.xlsx", "w") as strict:
    for part in usual.namelist():
        text = usual.read(part).decode()
        for old, new in NAMESPACES.items():
            text = text.replace(old, new)
        strict.writestr(part, text)

print("openpyxl", openpyxl.__version__, "python-calamine", version("python-calamine"))
warnings.simplefilter("ignore")
seen = {}
for path in ("usual.xlsx", "strict.xlsx"):
    whole, lazy = openpyxl.load_workbook(path), openpyxl.load_workbook(path, read_only=True)
    other = python_calamine.CalamineWorkbook.from_path(path)
    rows = [other.get_sheet_by_name(name).to_python() for name in other.sheet_names]
    seen[path] = whole.sheetnames, lazy.sheetnames, other.sheet_names
    print(f"{path}: openpyxl {whole.sheetnames}, active {whole.active}; read-only {lazy.sheetnames}; calamine {other.sheet_names} {rows}")
assert seen == {"usual.xlsx": (["Catalog"],) * 3, "strict.xlsx": ([], [], ["Catalog"])}, seen
EOF
