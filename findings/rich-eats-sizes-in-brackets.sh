#!/usr/bin/env bash
# One would expect: text given to print(), a table's cell or a progress bar's column is shown as it is; markup is what is written
#   as a style, like [bold].
# What happens: anything in brackets that begins with a small letter is taken for a style, and unknown ones vanish: "Tee [m]" is
#   shown as "Tee ", "Tee [M]" and "Tee [2 pcs]" whole. A closing tag like [/code] raises MarkupError out of print(), and out
#   of a running progress bar.
# Why it matters here: sizes and colours stand in brackets in product names, codes in the vendor's messages; one such message
#   in a progress bar ends the command that shows it. Use rich.markup.escape, Text or markup=False.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check rich==15.0.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import io
from importlib.metadata import version

from rich.console import Console
from rich.errors import MarkupError
from rich.markup import escape
from rich.progress import Progress, TextColumn
from rich.table import Table


def printed(text):
    console = Console(file=io.StringIO(), width=60)
    console.print(text)
    return console.file.getvalue().rstrip("\n")


def cell(text):
    table = Table(show_header=False, box=None, padding=0)
    table.add_row(text)
    return printed(table)


def column(text):
    console = Console(file=io.StringIO(), width=60, force_terminal=True)
    try:
        with Progress(TextColumn("{task.fields[said]}"), console=console) as progress:
            progress.add_task("", said=text)
            progress.refresh()
    except MarkupError:
        return "MarkupError"
    return "shown" if text in console.file.getvalue() else "not shown"


print("rich", version("rich"))
seen = {}
for text in ("Tee [m]", "Tee [navy]", "Tee [M]", "Tee [2 pcs]", "no credits [/code]"):
    seen[text] = column(text), *(("MarkupError",) * 2 if "[/" in text else (printed(text), cell(text).rstrip(" ")))
    print(f"{text!r:20} print: {seen[text][1]!r:16} cell: {seen[text][2]!r:16} progress bar: {seen[text][0]}")
assert seen["Tee [m]"][:2] == seen["Tee [navy]"][:2] == ("not shown", "Tee "), seen
assert seen["Tee [M]"] == ("shown", "Tee [M]", "Tee [M]") and seen["Tee [2 pcs]"][1] == "Tee [2 pcs]"
assert seen["no credits [/code]"][0] == "MarkupError"
print(f"escaped, {escape('Tee [m]')!r}: print: {printed(escape('Tee [m]'))!r}")
assert printed(escape("Tee [m]")) == cell(escape("Tee [m]")) == "Tee [m]"
for way in (printed, cell):
    try:
        way("no credits [/code]")
    except MarkupError:
        continue
    raise AssertionError(way)
EOF
