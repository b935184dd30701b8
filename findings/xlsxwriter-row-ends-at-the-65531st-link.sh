#!/usr/bin/env bash
# One would expect: beyond Excel's limit of 65,530 links a sheet, addresses are written as plain text; or at worst that one
#   cell is left out.
# What happens: write_row() stops at that cell. The address and every column behind it are missing in all further rows; the
#   only signs are a warning and a return value of -4. With {"strings_to_urls": False} everything is written.
# Why it matters here: a report with one picture address a row loses status, reason and owner of every row from 65,531 on.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check xlsxwriter==3.3.1 python-calamine==0.9.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import warnings

import python_calamine
import xlsxwriter

LIMIT = 65_530
print("xlsxwriter", xlsxwriter.__version__)
seen = {}
for name, options in (("by default", {}), ("strings_to_urls False", {"strings_to_urls": False})):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with xlsxwriter.Workbook("report.xlsx", options) as workbook:
            sheet = workbook.add_worksheet()
            replies = [sheet.write_row(n, 0, [f"S{n}", f"https://cdn.test/{n}.jpg", "failed", "ops"]) for n in range(LIMIT + 2)]
    rows = python_calamine.CalamineWorkbook.from_path("report.xlsx").get_sheet_by_index(0).to_python()
    seen[name] = rows[LIMIT - 1], rows[LIMIT], set(replies)
    print(f"{name}: row {LIMIT}: {rows[LIMIT - 1]}")
    print(f"  row {LIMIT + 1}: {rows[LIMIT]}, write_row answers {sorted(set(replies))}, warnings: {len(told)}")
whole = [[f"S{n}", f"https://cdn.test/{n}.jpg", "failed", "ops"] for n in (LIMIT - 1, LIMIT)]
assert seen["by default"] == (whole[0], [f"S{LIMIT}", "", "", ""], {0, -4}), seen
assert seen["strings_to_urls False"] == (whole[0], whole[1], {0}), seen
EOF
