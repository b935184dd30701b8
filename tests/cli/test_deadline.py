"""A deadline is a time on this machine's wall clock, also on the days that change it."""

import time
from datetime import UTC, datetime

import pytest

from jobs.cli.deadline import read_deadline
from jobs.errors import UsageError


@pytest.fixture(autouse=True)
def _berlin(monkeypatch):
    """Clocks go forward on 29 March 2026, 2:00 to 3:00, and back on 25 October 2026, 3:00 to 2:00."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "said", "then"),
    [
        ("2026-11-27 20:30", "06:30", "2026-11-28 05:30"),
        ("2026-11-27 04:30", "06:30", "2026-11-27 05:30"),
        ("2026-11-27 05:30", "06:30", "2026-11-28 05:30"),
        # The evening before the clocks change.
        ("2026-03-28 20:30", "06:30", "2026-03-29 04:30"),
        ("2026-10-24 19:30", "06:30", "2026-10-25 05:30"),
        # 2:30 is left out: half an hour after what would have been 2:00.
        ("2026-03-28 20:30", "02:30", "2026-03-29 01:30"),
        # 2:30 comes twice; in between the second one is the next.
        ("2026-10-24 19:30", "02:30", "2026-10-25 00:30"),
        ("2026-10-25 00:45", "02:30", "2026-10-25 01:30"),
        ("2026-10-25 01:45", "02:30", "2026-10-26 01:30"),
        # A duration is one, whatever the clocks do.
        ("2026-03-28 20:30", "8h", "2026-03-29 04:30"),
        ("2026-10-24 19:30", "1h30m", "2026-10-24 21:00"),
    ],
)
def test_a_clock_time_is_the_next_such_moment(now, said, then):
    assert read_deadline(said, moment(now).astimezone()) == moment(then)


@pytest.mark.parametrize("said", ["soon", "24:00", "6.30", "8", "-1h", "06:30:00"])
def test_anything_else_is_refused(said):
    with pytest.raises(UsageError, match="neither a time"):
        read_deadline(said)
