"""Looks for any number of viewers: one a period however many there are, and none while there is nobody."""

import asyncio
from collections.abc import Callable
from typing import Final

from worker.dashboard.look import Look

#: Between two looks, s; or so many times as long as one takes: who watches must not slow down what is watched.
PERIOD_S: Final = 2.0
_TIMES: Final = 20
_LONGEST_S: Final = 10.0


class Feed:
    """For one event loop."""

    def __init__(self, look: Callable[[], Look], *, period_s: float = PERIOD_S) -> None:
        """`look`: takes a look, in a thread; never raises what Redis does."""
        self._take = look
        #: Streams that are open.
        self.viewers = 0
        self._period_s = period_s
        self._lock = asyncio.Lock()
        self._last: Look | None = None
        self._due_s = 0.0

    async def look(self) -> Look:
        """The last look, or a new one when that is due. All who wait meanwhile get the same."""
        async with self._lock:
            clock = asyncio.get_running_loop().time
            begun_s = clock()
            if self._last is None or begun_s >= self._due_s:
                self._last = await asyncio.to_thread(self._take)
                took_s = clock() - begun_s
                self._due_s = begun_s + max(self._period_s, min(_TIMES * took_s, _LONGEST_S))
            return self._last

    def forget(self) -> None:
        """Something was changed: the next look is due now."""
        self._due_s = 0.0

    @property
    def due_in_s(self) -> float:
        """Until the next look is due, s; never 0, so that nobody spins."""
        return max(0.05, self._due_s - asyncio.get_running_loop().time())
