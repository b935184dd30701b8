"""Addresses of cells, e.g. C12, and back."""

import re
from functools import lru_cache

_ADDRESS = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})")
#: A row that no program has: addresses beyond it are somebody's mistake.
MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384


def place_of(address: str) -> tuple[int, int] | None:
    """Row and column, both from 0, of a cell's address; None for what is none."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return None
    row, column = int(match[2]) - 1, _column(match[1].upper())
    return (row, column) if 0 <= row < MAX_ROWS and column < MAX_COLUMNS else None


def area_of(reference: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """First and last cell of a reference like A2:C4 or A2."""
    begin, _, end = reference.partition(":")
    first, last = place_of(begin), place_of(end or begin)
    return (first, last) if first and last else None


def letters(column: int) -> str:
    """A column's letters: 0 is A, 27 is AB."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


def sheet_reference(sheet: str, address: str) -> str:
    """A cell as the spreadsheet program writes it: Sheet1!C12, 'My sheet'!C12."""
    if re.fullmatch(r"[^\W\d]\w*", sheet):
        return f"{sheet}!{address}"
    quoted = sheet.replace("'", "''")
    return f"'{quoted}'!{address}"


@lru_cache(maxsize=1024)
def _column(text: str) -> int:
    column = 0
    for letter in text:
        column = column * 26 + ord(letter) - 64
    return column - 1
