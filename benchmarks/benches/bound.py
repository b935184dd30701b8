"""What polling can reach at best: the fewest polls for a share of the slots, computed, not measured."""

import math
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.benches.options import Options
from benchmarks.frame.stats import table

#: The load of `slots`: median and sigma of the log-normal task time, the submit, in seconds.
MEDIAN_S, SIGMA, SUBMIT_S = 2.0, 0.35, 0.05
#: Moments between which a poll may be chosen, and how far apart two polls may be, seconds.
STEP_S, HORIZON_S, FARTHEST_S = 0.02, 9.0, 3.0
#: What a poll may cost, in seconds of an idle slot: each gives one point of the trade.
COSTS = (0.02, 0.015, 0.0099, 0.008, 0.006, 0.004, 0.003, 0.002)

COLUMNS = [
    ("polls", "polls a task", ".1f"),
    ("late_ms", "end → seen, mean ms", ".0f"),
    ("utilisation", "slots used at best", ".3f"),
    ("with_overhead", "with 8 ms a job for everything else", ".3f"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The best schedule for one cost of a poll."""

    polls: float
    #: From a task's end to the poll that sees it, on average.
    late_s: float

    def utilisation(self, overhead_s: float = 0.0) -> float:
        """Share of a slot's time with a task in it."""
        mean = MEDIAN_S * math.exp(SIGMA**2 / 2)
        return mean / (mean + SUBMIT_S + self.late_s + overhead_s)


def best(cost_s: float) -> Point:
    """The schedule that costs least, from the last moment back to the first (dynamic programming).

    A poll at `t` that finds the task under way chooses the next moment `s`: it pays one poll, and the wait from the end
    to `s` if the end comes before it; else it is in the same place at `s`.
    """
    count = round(HORIZON_S / STEP_S)
    over = [_over(index * STEP_S) for index in range(count)]
    area = [0.0]
    for before, after in pairwise(over):
        area.append(area[-1] + (before + after) / 2 * STEP_S)
    total, polls, late = [0.0] * count, [0.0] * count, [0.0] * count
    farthest = round(FARTHEST_S / STEP_S)
    for now in range(count - 2, -1, -1):
        alive = max(1 - over[now], 1e-12)
        least = math.inf
        for then in range(now + 1, min(count, now + farthest)):
            waits = (area[then] - area[now] - over[now] * (then - now) * STEP_S) / alive
            goes_on = (1 - over[then]) / alive
            if (cost := cost_s + waits + goes_on * total[then]) < least:
                least = cost
                total[now] = cost
                polls[now] = 1 + goes_on * polls[then]
                late[now] = waits + goes_on * late[then]
    return Point(polls=polls[0], late_s=late[0])


def _over(at_s: float) -> float:
    """How likely the task has ended by then."""
    return 0.5 * math.erfc(-math.log(at_s / MEDIAN_S) / SIGMA / math.sqrt(2)) if at_s > 0 else 0.0


def run(options: Options) -> None:
    """The frontier for the load of `slots`, where a poll says only whether the task is over."""
    rows: dict[str, dict[str, float]] = {}
    for cost_s in COSTS[:1] if options.quick else COSTS:
        point = best(cost_s)
        rows[f"a poll worth {cost_s * 1000:g} ms"] = {
            "polls": point.polls,
            "late_ms": point.late_s * 1000,
            "utilisation": point.utilisation(),
            "with_overhead": point.utilisation(0.008),
        }
    note = "Computed: the task's time is log-normal and known, a poll takes no time and says only whether it is over."
    print(f"\n### What polling can reach at best\n\n{note}\n\n{table(COLUMNS, rows)}\n", flush=True)
