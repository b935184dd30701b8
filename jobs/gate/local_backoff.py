"""The rest of a process that cannot send: its trouble may be its own, and others could use the permits it would take."""

import time
from collections.abc import Callable

#: The first rest and the longest, s; each is twice the one before.
SHORTEST_S, LONGEST_S = 1.0, 30.0


class LocalBackoff:
    """One process's; its threads share it. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lasts_s = 0.0
        self._until = float("-inf")

    def begin(self) -> None:
        """Something could not be sent. What other threads meet in the same moment is no news."""
        now = self._clock()
        if now >= self._until:
            self._lasts_s = min(LONGEST_S, max(SHORTEST_S, 2 * self._lasts_s))
            self._until = now + self._lasts_s

    def end(self) -> None:
        """An answer came, whatever it said."""
        self._lasts_s = 0.0
        self._until = float("-inf")

    def left_s(self) -> float:
        """Seconds until it is over, 0 when it is."""
        return max(0.0, self._until - self._clock())
