"""What the simulator's books say of a round: how full the slots were, how much of the rate was used."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One accepted task. All times are epoch seconds on the simulator's clock."""

    task_id: str
    request_id: str
    #: What its picture is named by.
    sub_task_id: str
    #: Its POST was here.
    arrived: float
    #: Its work began, with the reply to the POST.
    began: float
    ended: float | None
    polls: int
    #: A poll or a callback said that it has ended, or its picture was fetched: the earliest.
    seen: float | None
    downloaded: float | None


def task_of(line: dict[str, Any], submit_delay_s: float) -> Task:
    """A line of the simulator's ledger."""
    noticed = [line[name] for name in ("seen", "called_back", "downloaded") if line[name] is not None]
    return Task(
        task_id=line["task_id"],
        request_id=line["request_id"],
        sub_task_id=line["sub_task_ids"][0],
        arrived=line["created"],
        began=line["created"] + submit_delay_s,
        ended=line["ended"],
        polls=line["polls"],
        seen=min(noticed, default=None),
        downloaded=line["downloaded"],
    )


def utilisation(tasks: Sequence[Task], slots: int) -> float | None:
    """Busy slot-time between the first and the last submit over all slot-time there; None for fewer than two tasks."""
    if len(tasks) < 2:
        return None
    first, last = min(task.arrived for task in tasks), max(task.arrived for task in tasks)
    if last <= first:
        return None
    busy = sum(
        max(0.0, min(last, task.ended if task.ended is not None else last) - max(first, task.began))
        for task in tasks
    )
    return busy / (slots * (last - first))


def most_at_once(tasks: Sequence[Task]) -> int:
    """Tasks between their POST's arrival and their end, at the fullest moment."""
    changes = [(task.arrived, 1) for task in tasks]
    changes += [(task.ended, -1) for task in tasks if task.ended is not None]
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def rate_used(arrived: Sequence[float], limit: int) -> float | None:
    """Accepted submits a second over the permitted ones, from the first to the last; None for fewer than two."""
    if len(arrived) < 2:
        return None
    span = max(arrived) - min(arrived)
    return (len(arrived) - 1) / span / limit if span > 0 else None


def windows_over(arrivals: Sequence[float], limit: int, window_s: float = 1.0) -> tuple[int, int]:
    """Sliding windows with more than `limit` arrivals, one window beginning at each arrival, and the fullest one."""
    times = sorted(arrivals)
    counts = [bisect_left(times, start + window_s) - index for index, start in enumerate(times)]
    return sum(count > limit for count in counts), max(counts, default=0)
