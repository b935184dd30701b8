"""The value of a cell as the text that a person sees."""

import datetime as dt
from decimal import Decimal

Value = str | float | bool | dt.datetime | dt.date | dt.time | dt.timedelta

#: Digits of a number that a spreadsheet keeps.
_DIGITS = 15


def text_of(value: Value) -> str:
    """The text of a value; dates as ISO writes them, since how a person sees them depends on the country."""
    if value.__class__ is float:  # nearly every value that is no text
        return _digits(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float | int):
        return _digits(value)
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ", timespec="auto")
    return str(value) if isinstance(value, dt.timedelta) else value.isoformat()


def _digits(number: float) -> str:
    """The number's digits: no `.0`, no exponent, no more of them than were typed."""
    text = repr(number)
    if text[-2:] == ".0" and len(text) <= _DIGITS:
        return text[:-2]
    text = f"{number:.{_DIGITS}g}"
    return f"{Decimal(text):f}" if "e" in text else text
