"""Progress of a run: a bar on a terminal, a line every few seconds elsewhere. To stderr: stdout is for data."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from jobs.cli.under_way import UnderWay
from jobs.health.account import shut_words
from jobs.ledger.records import GateState
from jobs.records import BatchId, BatchStatus
from jobs.units import duration

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

#: Seconds between two lines, and of the window the rate is taken from.
LINE_S = 5.0
WINDOW_S = 60.0
#: Without any end for so long beyond what was expected, what is waited for is said.
LATE_S = 10.0


class OnTerminal:
    """A context manager with a bar on standard error where that is a terminal, and no bar elsewhere."""

    def __init__(self, name: str, total: int | None) -> None:
        """`total`: None: not known yet."""
        self._name = name
        self._total = total
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = make_bar()
            self._bar.add_task(self._name, total=self._total, text="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


class Progress(OnTerminal):
    """Shows a batch's numbers."""

    def __init__(
        self, batch_id: BatchId, *, simulated: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`simulated`: advice is for a simulated shop; `clock`: seconds, for the rate and the times between lines."""
        super().__init__(batch_id, None)
        self._simulated = simulated
        self._clock = clock
        self._last_line = -LINE_S
        #: When, and how many rows had ended by work of this batch.
        self._seen: deque[tuple[float, int]] = deque()
        #: When the last of them had, and since when something has been under way.
        self._moved_s = self._busy_s = clock()
        self._fed = False

    def show(self, status: BatchStatus, gate: GateState, under_way: UnderWay, *, fed: bool) -> None:
        """Takes the newest numbers; `fed`: the manifest has been read to its end."""
        now = self._clock()
        ended = status.rows - status.open
        if fed and not self._fed:
            # Rows that came in ended, by earlier batches, are nothing that this one has done in the time.
            self._fed = True
            self._seen.clear()
        by_work = ended - status.reused - status.counts.get("invalid", 0)
        if not self._seen or by_work != self._seen[-1][1]:
            self._moved_s = now
        if not under_way.tasks + under_way.downloads:
            self._busy_s = now
        self._seen.append((now, by_work))
        while self._seen[0][0] < now - WINDOW_S:
            self._seen.popleft()
        text = " · ".join(self._told(status, gate, under_way, fed=fed))
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=ended, total=status.rows, text=text)
        elif now - self._last_line >= LINE_S or (fed and status.complete):
            self._last_line = now
            clock = time.strftime("%H:%M:%S")
            what = "rows and second takes" if status.retakes else "rows"
            sys.stderr.write(f"{clock} {self._name}: {ended}/{status.rows} {what} · {text}\n")
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
            parts.append(f"{(last - first) / span * 60:.0f}/min")
        if fed and status.open:
            parts += self._ahead(status.open, under_way)
        if not fed:
            parts.append("reading the manifest")
        if shut := shut_words(gate, simulated=self._simulated):
            parts.append(shut)
        return parts

    def _ahead(self, still_open: int, under_way: UnderWay) -> Iterator[str]:
        """The time left as the ends of rows let it expect, which never grows; once it is over, what is waited for."""
        (begun, first), (now, last) = self._seen[0], self._seen[-1]
        still_s = now - self._moved_s
        if last > first and self._moved_s - begun > 1:
            left_s = still_open * (self._moved_s - begun) / (last - first) - still_s
            if left_s > 0 or still_s < LATE_S:
                yield f"{duration(max(1, left_s))} left"
                return
        waited_s = now - max(self._moved_s, self._busy_s)
        if waited_s >= LATE_S and under_way.oldest:
            yield f"nothing ended for {duration(waited_s)}, {under_way.oldest}"


def make_bar() -> "Bar":
    """A bar on standard error: what, how far, how long, and `text`."""
    # Loaded for a terminal only: it takes longer than most commands take to run.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.table import Column  # noqa: PLC0415

    return Progress(
        # No markup: the vendor's own words may have brackets in them.
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(bar_width=12),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        # On a narrow terminal this goes on in the next line; the counts stay.
        TextColumn("{task.fields[text]}", markup=False, table_column=Column()),
        console=Console(stderr=True),
        transient=True,
    )
