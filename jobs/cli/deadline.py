"""Deadlines as people say them: a clock time or a duration."""

import re
from datetime import datetime, time, timedelta

from jobs.errors import UsageError

_UNITS = {"h": "hours", "m": "minutes", "s": "seconds"}


def read_deadline(text: str, now: datetime | None = None) -> datetime:
    """`06:30` is the next such moment on this machine's clock; `8h`, `90m`, `1h30m` count from now.

    On a day that changes the clocks too: a time that comes twice is its first coming that is not over, one that is left out
    is as long after midnight as it says.

    Raises:
        UsageError: neither of them.
    """
    now = now or datetime.now().astimezone()
    clock = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text)
    if clock:
        today, said = now.astimezone().date(), time(int(clock[1]), int(clock[2]))
        # By the clock, not by an offset: that of now may be another one. (`astimezone` of a left-out time is an hour early.)
        seconds = (
            datetime.combine(today + timedelta(days=days), said.replace(fold=fold)).timestamp()
            for days in (0, 1)
            for fold in (0, 1)
        )
        moments = (datetime.fromtimestamp(each).astimezone() for each in seconds)
        return next(moment for moment in moments if moment > now)
    if re.fullmatch(r"(\d+[hms])+", text):
        parts = {_UNITS[unit]: int(count) for count, unit in re.findall(r"(\d+)([hms])", text)}
        return now + timedelta(**parts)
    raise UsageError(f"--deadline: {text!r} is neither a time like 06:30 nor a duration like 8h or 90m")
