"""The tables of docs/ that are made from the code. `make docs` writes them; without it the tests compare.

The last cell of a row is the code's own sentence; what stands behind its `<br>` is written by hand, and stays.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_BY_HAND = "<br>"


def hold(page: str, heading: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """The table of a section, known by the names of its columns, has these rows."""
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    begin = re.search(rf"^## {re.escape(heading)}$", text, re.MULTILINE)
    assert begin, f"{page}: ## {heading}"
    end = re.compile(r"^## ", re.MULTILINE).search(text, begin.end())
    old = re.compile(rf"^{re.escape(_line(head))}\n(?:\|.*\n)*", re.MULTILINE).search(
        text, begin.end(), end.start() if end else len(text)
    )
    assert old, f"{page}: ## {heading} has no table {_line(head)}"
    lines = old[0].splitlines()
    by_hand = {_first(line): line.removesuffix(" |").partition(_BY_HAND)[2] for line in lines}
    made = [_line(head), "|" + "---|" * len(head)]
    for row in rows:
        more = by_hand.get(_first(_line(row)), "")
        made.append(_line([*row[:-1], row[-1] + (more and _BY_HAND + more)]))
    if os.environ.get("WRITE_DOCS"):
        path.write_text(text[: old.start()] + "\n".join(made) + "\n" + text[old.end() :], encoding="utf-8")
    else:
        assert lines == made, "`make docs` writes it anew"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _first(line: str) -> str:
    """What a row is about: the first name of its first cell."""
    return re.split(r"[ `,]+", line.removeprefix("| ").lstrip("`"))[0]


def options(command: Any) -> list[tuple[str, str]]:
    """An option and what it means, as `--help` says it."""
    found = []
    for param in command.params:
        if param.param_type_name != "option" or param.name == "help":
            continue
        first, *others = sorted(param.opts, key=len, reverse=True)
        names = [
            f"`{first} {param.metavar}`" if param.metavar else f"`{first}`",
            *(f"`{one}`" for one in others),
        ]
        default = f" Default: {param.default}." if param.default and not callable(param.default) else ""
        found.append((", ".join(names), (param.help or "") + default))
    return found


def settings(text: str) -> dict[str, list[tuple[str, str, str]]]:
    """Section of config.yaml → key, default and comment of each setting; those without a section are Folders."""
    found: dict[str, list[tuple[str, str, str]]] = {"Folders": []}
    section = "Folders"
    for line in text.splitlines():
        match = re.match(r"( *)(\w+):(?: +(\S.*))?$", line)
        if not match:
            continue
        _, name, rest = match.groups()
        if rest is None:
            section = name
            found[section] = []
            continue
        value, _, comment = rest.partition("  #") if "  #" in rest else rest.partition(" #")
        value = value.strip()
        found[section].append((f"`{name}`", "empty" if value == '""' else f"`{value}`", comment.strip()))
    return found
