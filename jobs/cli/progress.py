"""Progress of a run: a bar on a terminal, a line every few seconds elsewhere. To stderr: stdout is for data."""

import sys
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from jobs.cli.account import shut_words
from jobs.cli.under_way import UnderWay
from jobs.cli.units import duration
from jobs.ledger.records import GateState
from jobs.records import BatchId, BatchStatus

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

#: Seconds between two lines, and of the window the rate is taken from.
LINE_S = 5.0
WINDOW_S = 60.0


class Progress:
    """Shows a batch's numbers; a context manager."""

    def __init__(
        self, batch_id: BatchId, *, simulated: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`simulated`: advice is for a simulated shop; `clock`: seconds, for the rate and the times between lines."""
        self._batch_id = batch_id
        self._simulated = simulated
        self._clock = clock
        self._bar: Bar | None = None
        self._last_line = -LINE_S
        #: When, and how many rows had ended by work of this batch.
        self._seen: deque[tuple[float, int]] = deque()
        self._fed = False

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _make_bar()
            self._bar.add_task(self._batch_id, total=None, text="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, status: BatchStatus, gate: GateState, under_way: UnderWay, *, fed: bool) -> None:
        """Takes the newest numbers; `fed`: the manifest has been read to its end."""
        now = self._clock()
        ended = status.rows - status.open
        if fed and not self._fed:
            # Rows that came in ended, by earlier batches, are nothing that this one has done in the time.
            self._fed = True
            self._seen.clear()
        self._seen.append((now, ended - status.reused - status.counts.get("invalid", 0)))
        while self._seen[0][0] < now - WINDOW_S:
            self._seen.popleft()
        text = " · ".join(self._told(status, gate, under_way, fed=fed))
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=ended, total=status.rows, text=text)
        elif now - self._last_line >= LINE_S or (fed and status.complete):
            self._last_line = now
            clock = time.strftime("%H:%M:%S")
            sys.stderr.write(f"{clock} {self._batch_id}: {ended}/{status.rows} rows · {text}\n")
            sys.stderr.flush()

    def _told(self, status: BatchStatus, gate: GateState, under_way: UnderWay, *, fed: bool) -> list[str]:
        counts = status.counts
        reused = f" ({status.reused} reused)" if status.reused else ""
        parts = [f"{counts.get('succeeded', 0)} done{reused}"]
        parts += [
            f"{counts[name]} {name}"
            for name in ("failed", "rejected", "unknown", "invalid", "cancelled")
            if counts.get(name)
        ]
        parts.append(f"{under_way.tasks} under way")
        if under_way.downloads:
            parts.append(f"{under_way.downloads} downloading")
        (begun, first), (now, last) = self._seen[0], self._seen[-1]
        span = now - begun
        if last > first and span > 1:
            rate = (last - first) / span
            parts.append(f"{rate * 60:.0f}/min")
            if fed and status.open:
                parts.append(f"{duration(status.open / rate)} left")
        if not fed:
            parts.append("reading the manifest")
        if shut := shut_words(gate, simulated=self._simulated):
            parts.append(shut)
        return parts


def _make_bar() -> "Bar":
    # Loaded for a terminal only: it takes longer than most commands take to run.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    return Progress(
        # No markup: the vendor's own words may have brackets in them.
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )
