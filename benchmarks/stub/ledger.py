"""The stub's own ledger: what arrived, what was made, when it ended, who fetched it; and the measures over it."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class Task:
    """One accepted task. All times are seconds since the epoch on the stub's clock."""

    #: Ordinal of creation; decides the latency.
    number: int
    task_id: str
    request_id: str
    #: Drawn latency in seconds.
    latency_s: float
    #: The POST's first byte was here.
    arrived: float
    #: The task began to occupy a slot.
    created: float
    notify_url: str = ""
    ended: float | None = None
    polls: int = 0
    #: A results reply said "done" for the first time.
    told: float | None = None
    #: A callback was answered with 200.
    called_back: float | None = None
    #: The picture left for the first time.
    downloaded: float | None = None
    downloads: int = 0


@dataclass(slots=True)
class Ledger:
    """Everything since the last reset."""

    tasks: list[Task] = field(default_factory=list)
    #: Every POST to the submit address, refused ones among them.
    arrivals: list[float] = field(default_factory=list)
    refused_rate: int = 0
    refused_parallel: int = 0
    max_parallel: int = 0
    unknown_polls: int = 0
    bad_requests: int = 0

    def report(self, *, slots: int, limit: int, window_s: float) -> dict[str, Any]:
        """The ledger as JSON-ready values; `slots` or `limit` 0 means that there is none."""
        return {
            "summary": self.summary(slots, limit, window_s),
            "tasks": [asdict(task) for task in self.tasks],
        }

    def summary(self, slots: int, limit: int, window_s: float) -> dict[str, Any]:
        """The measures that need no task list."""
        ended = [task for task in self.tasks if task.ended is not None]
        fetched = [task.downloaded for task in self.tasks if task.downloaded is not None]
        arrived = [task.arrived for task in self.tasks]
        over, most = windows_over(self.arrivals, limit, window_s)
        total_latency = sum(task.latency_s for task in self.tasks)
        span = (max(fetched) - min(arrived)) if fetched and arrived else None
        return {
            "arrivals": len(self.arrivals),
            "created": len(self.tasks),
            "request_ids": len({task.request_id for task in self.tasks}),
            "ended": len(ended),
            "downloaded": len(fetched),
            "polls": sum(task.polls for task in self.tasks) + self.unknown_polls,
            "refused_rate": self.refused_rate,
            "refused_parallel": self.refused_parallel,
            "bad_requests": self.bad_requests,
            "max_parallel": self.max_parallel,
            "first_submit": min(arrived, default=None),
            "last_submit": max(arrived, default=None),
            "last_download": max(fetched, default=None),
            #: First submit to last picture.
            "span_s": span,
            "ideal_s": total_latency / slots if slots else None,
            "makespan_ratio": span / (total_latency / slots) if slots and span and total_latency else None,
            "utilisation": utilisation(self.tasks, slots) if slots else None,
            "rate_used": rate_used(arrived, limit, window_s) if limit else None,
            "windows_over": over if limit else None,
            "max_in_window": most if limit else None,
        }


def utilisation(tasks: Sequence[Task], slots: int) -> float | None:
    """Busy slot-time between the first and the last submit over all slot-time there; None for fewer than two tasks."""
    if len(tasks) < 2:
        return None
    first, last = min(task.arrived for task in tasks), max(task.arrived for task in tasks)
    if last <= first:
        return None
    busy = sum(
        max(0.0, min(last, task.ended if task.ended is not None else last) - max(first, task.created))
        for task in tasks
    )
    return busy / (slots * (last - first))


def rate_used(accepted: Sequence[float], limit: int, window_s: float) -> float | None:
    """Accepted submits a second over the permitted ones, from the first to the last; None for fewer than two."""
    if len(accepted) < 2:
        return None
    span = max(accepted) - min(accepted)
    return (len(accepted) - 1) / span / (limit / window_s) if span > 0 else None


def windows_over(arrivals: Sequence[float], limit: int, window_s: float) -> tuple[int, int]:
    """Sliding windows with more than `limit` arrivals, one window beginning at each arrival, and the fullest one."""
    times = sorted(arrivals)
    counts = [bisect_left(times, start + window_s) - index for index, start in enumerate(times)]
    return sum(count > limit for count in counts), max(counts, default=0)
