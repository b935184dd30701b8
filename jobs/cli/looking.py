"""How far a command is with the local pictures of a manifest, and how long the rest takes; said once it takes a while."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import structlog

from jobs.errors import ManifestError
from jobs.manifest.addresses import is_address
from jobs.pictures.check import LocalPictures
from jobs.records import BadRow, Row
from jobs.units import duration

log = structlog.get_logger()

#: Seconds between two words.
_EVERY_S = 5.0


class Looking:
    """Passes rows on as `LocalPictures.ahead` does, and says how far it is."""

    def __init__(
        self,
        read: Callable[[], Iterable[Row | BadRow]],
        pictures: LocalPictures,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`read`: the manifest's rows from the beginning; `clock`: seconds."""
        self._read = read
        self._pictures = pictures
        self._clock = clock

    def ahead(self, rows: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
        """The rows in their order; those that were read from the manifest are counted before."""
        total = self._total()
        if not total:
            yield from self._pictures.ahead(rows)
            return
        begun = said = self._clock()
        for done, row in enumerate(self._pictures.ahead(rows), 1):
            yield row
            now = self._clock()
            if now - said >= _EVERY_S:
                said = now
                left = duration((now - begun) / done * max(0, total - done))
                log.info("pictures.checking", rows=done, of=total, read=self._pictures.looked_at, left=left)

    def _total(self) -> int:
        """The manifest's rows, if the first good one names a local picture; else 0: they are not worth a second reading."""
        # What is wrong with the manifest is said by whoever reads it for good.
        with suppress(ManifestError):
            first = next((row for row in self._read() if isinstance(row, Row)), None)
            if first is not None and not all(map(is_address, first.inputs.values())):
                return sum(1 for _ in self._read())
        return 0
