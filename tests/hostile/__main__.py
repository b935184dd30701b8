"""`python -m tests.hostile`: lets the product have every file and writes the table of docs/hostile-inputs.md."""

import json
import os
import platform
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE, run

from tests.hostile.case import CASES, MB_ALLOWED, SECONDS_ALLOWED
from tests.hostile.runner import LOADED

PAGE = Path(__file__).parents[2] / "docs" / "hostile-inputs.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main() -> int:
    """1 when any file was not handled as its case says."""
    assert LOADED
    ended = run(
        [sys.executable, "-m", "tests.hostile.runner"],
        input="\n".join(CASES),
        stdout=PIPE,
        text=True,
        check=True,
    )
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    bad = 0
    lines = ["| file | through | what became of it | more memory, MB | seconds |", "|---|---|---|---:|---:|"]
    for one in found:
        case = CASES[one["key"]]
        within = one["megabytes"] <= MB_ALLOWED and one["seconds"] <= SECONDS_ALLOWED
        held = within and re.search(case.expected, one["said"], re.DOTALL)
        bad += not held
        said = re.sub(r"x{20,}", "xxx…", one["said"]).replace("|", "\\|").replace("\n", " ")[:160]
        row = f"| {case.name} | {case.door} | {said} | {one['megabytes']:.0f} | {one['seconds']:.2f} |"
        lines.append(row if held else row.replace("| ", "| **not as expected:** ", 1))
    most = max(one["megabytes"] for one in found), max(one["seconds"] for one in found)
    when = f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    head = (
        f"Measured {when}, {os.cpu_count()} cores: **{len(found)} files, {len(found) - bad} as expected**;"
        f" the most that any took was {most[0]:.0f} MB and {most[1]:.1f} s."
    )
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text("\n".join([before + BEGIN, head, "", *lines, END]) + after, encoding="utf-8")
    sys.stdout.write(f"{len(found)} files, {bad} not as expected; written: {PAGE}\n")
    return min(1, bad)


if __name__ == "__main__":
    sys.exit(main())
