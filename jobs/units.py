"""Counts, durations and times as every command and file says them."""

from datetime import UTC, datetime


def counted(count: int, noun: str, plural: str = "") -> str:
    """`1 row`, `2 rows`; `plural` where an s does not make it."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """`45 s`, `8 min 10 s`, `1 h 5 min`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minute} min"
    return f"{minutes} min {second} s" if minutes else f"{second} s"


def iso(ms: int | None) -> str | None:
    """Milliseconds since the epoch as ISO 8601 in UTC."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
