"""The flags of a batch's rows, for whoever writes its files: measures from the data folder, beside those of the batch."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Final

import structlog
from msgspec.structs import replace

from jobs.config.settings import FlagSettings
from jobs.flags.duplicates import Place, Places
from jobs.flags.measures import Measured, Measures, key_of
from jobs.flags.rules import RULES, raised
from jobs.pictures.store import place
from jobs.records import FlagValues, Job, JobState, Pair, Picture, ResultLine

log = structlog.get_logger()

#: How long a worker's writing of a batch's files may take for pictures that were not measured before, and as long for
#: comparing rows, s: a run waits for it. Whoever asks for the files later has more patience.
PATIENCE_S: Final = 2.0
#: Pictures of a batch from which its middle sharpness tells something.
_ENOUGH: Final = 8
#: Flags that say already why a picture is like another row's.
_EXPLAIN: Final = frozenset({"unchanged", "is_garment", "blank", "dark"})
#: Measures that are kept at hand, about 6 KB each.
_AT_HAND: Final = 1_000


class BatchFlags:
    """Flags of one batch, for one writing of its files. Whatever fails here costs a row its flags, and nothing else."""

    def __init__(
        self,
        measures: Measures,
        store: Path,
        limits: FlagSettings,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`store`: the picture store; `patience_s`: of each thread for missing measures, and as much for comparing rows."""
        self._measures = measures
        self._store = store
        self._limits = limits
        self._patience_s = patience_s
        self._clock = clock
        self._left_s = self._comparing_s = 0.0
        self._sharpness: float | None = None
        self._surveyed = False
        self._places = Places(self._known)
        self._at_hand: OrderedDict[str, Measured] = OrderedDict()

    def survey(self, jobs: Iterable[tuple[int, Job]]) -> None:
        """Looks at the whole batch before all of its rows are reported: blurred and equal are pictures beside others.

        `jobs`: those with a picture, each with the first of its rows.
        """
        self._left_s = self._comparing_s = self._patience_s
        sharpness: list[float] = []
        for row, job in jobs:
            for picture in job.pictures:
                try:
                    sharpness += self._seen(row, picture, job.pair)
                except Exception as error:  # noqa: BLE001 see the class
                    log.warning("flags.failed", what=type(error).__name__, row=row)
        self._sharpness = median(sharpness) if len(sharpness) >= _ENOUGH else None
        self._surveyed = True

    def measure(self, job: Job) -> None:
        """Measures the pictures of a job if nobody has, and the time is not over; any number of threads may ask."""
        for picture in job.pictures:
            # `survey` meets it again, and tells of it.
            with suppress(Exception):
                self._found(key_of(picture.sha256, job.pair), picture, job.pair)

    def _seen(self, row: int, picture: Picture, pair: Pair) -> list[float]:
        """Notes where a picture lies among the others; its sharpness, if it has any."""
        key = key_of(picture.sha256, pair)
        found = self._found(key, picture, pair)
        if found is None or not found.small:
            return []
        if not _EXPLAIN & {flag.id for flag in raised(found.values, self._limits)}:
            along, inputs = found.place, str(pair.slots())
            self._places.add(key, Place(row=row, pair=inputs, along=along, misfit=found.misfit))
        return [] if found.sharpness is None else [found.sharpness]

    def flagged(self, line: ResultLine, job: Job | None) -> ResultLine:
        """The line with the flags of its first picture."""
        if job is None or line.status != JobState.SUCCEEDED or not job.pictures:
            return line
        try:
            values, more = self._values(job.pictures[0], job.pair)
        except Exception as error:  # noqa: BLE001 see the class
            log.warning("flags.failed", what=type(error).__name__, row=line.row)
            return line
        return replace(line, measures=FlagValues(**values), flags=tuple(raised(values, self._limits, more)))

    def _values(self, picture: Picture, pair: Pair) -> tuple[dict[str, float | None], dict[str, str]]:
        key = key_of(picture.sha256, pair)
        found = self._found(key, picture, pair) or Measured()
        values: dict[str, float | None] = dict.fromkeys(RULES)
        values |= found.values
        more: dict[str, str] = {}
        if self._sharpness and found.sharpness is not None:
            values["blurred"] = round(found.sharpness / self._sharpness, 4)
        if self._surveyed and found.small and self._comparing_s > 0:
            began = self._clock()
            nearest = self._places.nearest(key)
            self._comparing_s -= self._clock() - began
            # Nothing near, or the other one is the one to look at: as different as can be.
            values["same_as_row"] = (
                1.0 if nearest is None or nearest.other_is_worse else round(nearest.share, 4)
            )
            more["same_as_row"] = f", {nearest.row}" if nearest else ""
        return values, more

    def _found(self, key: str, picture: Picture, pair: Pair) -> Measured | None:
        known = self._known(key)
        if known is not None or self._left_s <= 0:
            return known
        began = self._clock()
        try:
            self._at_hand[key] = self._measures.take(key, place(self._store, picture.name), pair)
        except OSError:
            return None
        finally:
            self._left_s -= self._clock() - began
        return self._at_hand[key]

    def _known(self, key: str) -> Measured | None:
        found = self._at_hand.pop(key, None) or self._measures.known(key)
        if found is not None:
            self._at_hand[key] = found
            if len(self._at_hand) > _AT_HAND:
                self._at_hand.popitem(last=False)
        return found
