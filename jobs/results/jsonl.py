"""results.jsonl: one JSON object a row and nothing else. It grows as rows end, and is made anew when the batch has ended.

One writer (the exporter's lease). Lines are appended and synced, then the checkpoint beside them is replaced. A writer that
finds another checkpoint than it began from has been overtaken and writes nothing. Hence no row is lost, and what a
crash leaves half written is cut off by the next export.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.failpoints import reach
from jobs.pictures.stored import rights_in
from jobs.results.checkpoint import (
    NOTHING,
    RESULTS,
    Checkpoint,
    read_checkpoint,
    tail_crc,
    write_checkpoint,
)
from jobs.results.files import Renew, replacing
from jobs.results.lease import LeaseLostError


class ResultsFile:
    """The file of one batch folder; `ledger`, `prefix`, `orders`: of the ledger it is made from, see Checkpoint."""

    def __init__(self, folder: Path, ledger: str, prefix: str = "", orders: int = 0) -> None:
        self._folder = folder
        self._path = folder / RESULTS
        self._ledger = ledger
        self._prefix = prefix
        self._orders = orders

    def checkpoint(self) -> Checkpoint | None:
        """What the file is good for; None: make it anew."""
        found = read_checkpoint(self._folder)
        if found is None or found.ledger != self._ledger:
            return None
        try:
            with self._path.open("rb") as file:
                return found if tail_crc(file, found.length) == found.crc else None
        except FileNotFoundError:
            return found if found.length == 0 else None

    def begin(self, renew: Renew) -> Checkpoint:
        """An empty file, its checkpoint first: whatever a crash leaves behind it is known to be this ledger's."""
        empty = self._covering(NOTHING, 0, 0)
        write_checkpoint(self._folder, empty, renew)
        return empty

    def append(self, lines: Iterable[str], entry: str, renew: Renew, *, after: Checkpoint) -> Checkpoint:
        """Adds lines behind what a checkpoint covers, and moves it on.

        Args:
            lines: what has ended between the two checkpoints.
            entry: the outbox entry up to which that is.
            renew: renews the lease.
            after: the checkpoint that the writer began from.

        Raises:
            LeaseLostError: another exporter has moved it meanwhile; the file is as that one made it.
        """
        text = "".join(f"{line}\n" for line in lines).encode()
        length = after.length + len(text)
        # At its end whatever happens: a late writer never writes into what another's checkpoint covers.
        with self._path.open("a+b") as file:
            os.fchmod(file.fileno(), rights_in(self._folder))
            if self.checkpoint() != after:
                raise LeaseLostError("another exporter has written results.jsonl meanwhile")
            if file.seek(0, os.SEEK_END) > after.length:
                file.truncate(after.length)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            reach("results_appended")
            crc = tail_crc(file, length)
        if crc is None:
            raise LeaseLostError("another exporter has cut results.jsonl meanwhile")
        moved = self._covering(entry, length, crc)
        write_checkpoint(self._folder, moved, renew)
        return moved

    @contextmanager
    def anew(self, entry: str, renew: Renew) -> Iterator[Callable[[str], object]]:
        """The whole file from its beginning, written line by line; the former one stays until this one is whole.

        `entry`: the outbox entry that no row of it is older than.
        """
        with replacing(self._path, renew) as new:
            yield lambda line: new.write(f"{line}\n")
        reach("results_replaced")
        with self._path.open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            crc = tail_crc(file, length) or 0
        write_checkpoint(self._folder, self._covering(entry, length, crc), renew)

    def _covering(self, entry: str, length: int, crc: int) -> Checkpoint:
        return Checkpoint(
            ledger=self._ledger, prefix=self._prefix, orders=self._orders, entry=entry, length=length, crc=crc
        )
