"""Cells of tables that people open in a spreadsheet, and the way back."""

import re

#: A spreadsheet runs a cell whose first character is one of these, in any of the widths that people type; blanks and marks
#: without a width before it do not count.
_FORMULA = re.compile(
    r"[\t\r]|[\s\0\ufeff\u00ad\u200b-\u200f\u2060]*[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212]"
)


def safe_cell(text: str) -> str:
    """A cell as it is, or with a quote before what a spreadsheet would run; plain numbers stay numbers."""
    return f"'{text}" if runs(text) else text


def runs(text: str) -> bool:
    """Whether a spreadsheet would run a cell."""
    return _FORMULA.match(text) is not None and not _is_number(text)


def plain_cell(text: str) -> str:
    """The inverse of safe_cell."""
    return text[1:] if text[:1] == "'" and runs(text[1:]) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
