"""The account's limits as arithmetic: pictures a minute, windows over it, and how long a task takes."""

import math
import random
from collections import deque
from collections.abc import Sequence

#: Seconds of the vendor's minute.
WINDOW_S = 60.0


class SlidingWindow:
    """At most `limit` pictures in every window of 60 s; a limit of 0 admits all."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._admitted: deque[float] = deque()

    def admit(self, now_s: float, pictures: int = 1) -> float:
        """Counts the pictures if they fit.

        Returns:
            0 when they were admitted, else the seconds until they would fit.
        """
        if not self._limit:
            return 0.0
        while self._admitted and self._admitted[0] <= now_s - WINDOW_S:
            self._admitted.popleft()
        excess = len(self._admitted) + pictures - self._limit
        if excess > 0:
            # More than a minute's worth never fits; it waits a whole window to be refused again.
            last = min(excess, len(self._admitted)) - 1
            return self._admitted[last] + WINDOW_S - now_s if last >= 0 else WINDOW_S
        self._admitted.extend([now_s] * pictures)
        return 0.0

    def replay(self, admitted_s: Sequence[float]) -> None:
        """Takes what was admitted before a restart, oldest first."""
        self._admitted.extend(admitted_s)


def windows_over(arrivals_s: Sequence[float], limit: int) -> int:
    """How many 60 s windows that begin at an arrival hold more than `limit` of them; limit 0: none."""
    if not limit:
        return 0
    ordered = sorted(arrivals_s)
    over = end = 0
    for start, arrival in enumerate(ordered):
        while end < len(ordered) and ordered[end] < arrival + WINDOW_S:
            end += 1
        over += end - start > limit
    return over


def draw_latency(median_s: float, sigma: float, *, seed: int, ordinal: int) -> float:
    """Seconds from submit to end of the `ordinal`-th task, log-normal, the same for the same seed."""
    if median_s <= 0 or not sigma:
        return max(0.0, median_s)
    dice = random.Random(f"{seed}:latency:{ordinal}")  # noqa: S311 dice, no secret
    return dice.lognormvariate(math.log(median_s), sigma)
