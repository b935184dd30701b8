"""Deadlines as people say them: a clock time or a duration."""

import re
from datetime import datetime, timedelta

from jobs.errors import UsageError

_UNITS = {"h": "hours", "m": "minutes", "s": "seconds"}


def read_deadline(text: str, now: datetime | None = None) -> datetime:
    """`06:30` is the next such moment on this machine's clock; `8h`, `90m`, `1h30m` count from now.

    Raises:
        UsageError: neither of them.
    """
    now = now or datetime.now().astimezone()
    clock = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text)
    if clock:
        then = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return then if then > now else then + timedelta(days=1)
    if re.fullmatch(r"(\d+[hms])+", text):
        parts = {_UNITS[unit]: int(count) for count, unit in re.findall(r"(\d+)([hms])", text)}
        return now + timedelta(**parts)
    raise UsageError(f"--deadline: {text!r} is neither a time like 06:30 nor a duration like 8h or 90m")
