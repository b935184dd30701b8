"""Progress of asking for addresses, with the time that is left: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from collections.abc import Callable

from jobs.cli.progress import LINE_S, OnTerminal
from jobs.units import duration


class AddressProgress(OnTerminal):
    """Shows how many of the addresses are asked. To standard error."""

    def __init__(self, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("addresses", total)
        self._wanted = total
        self._clock = clock
        self._done = 0
        self._begun = self._last_line = clock()

    def tell(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        now = self._clock()
        left = f"{duration((now - self._begun) / self._done * (self._wanted - self._done))} left"
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done, text=left)
        elif now - self._last_line >= LINE_S:
            self._last_line = now
            sys.stderr.write(f"addresses: {self._done:,}/{self._wanted:,} asked · {left}\n")
            sys.stderr.flush()
