"""What has been delivered of a batch: a journal of intents and ends, written line by line, and `delivered.csv` made from it.

An intent stands before its object is sent. So an object whose writer died, or whose reply was lost, is known for ours by its
hash, be its bytes (a signature's) other ones each time they are made.
"""

import csv
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final, Self

import msgspec

from jobs.cells import safe_cell
from jobs.errors import UsageError
from jobs.results.files import replacing

JOURNAL: Final = ".vton-delivery.jsonl"
TABLE: Final = "delivered.csv"


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One object, about to be sent or stored."""

    address: str
    #: Hash of the picture and of all that was asked of it: the same again is nothing to do.
    recipe: str
    #: Of the object.
    sha256: str
    bytes: int
    #: Pixels.
    width: int = 0
    height: int = 0
    #: When it was stored, ISO 8601 in UTC; None: it is about to be sent.
    at: str | None = None
    rows: tuple[int, ...] = ()
    sku: str = ""
    profile: str = ""
    #: Of the picture as HiDream made it.
    picture_sha256: str = ""
    marks: tuple[str, ...] = ()


class Journal:
    """The journal of one batch folder; one delivery at a time has it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._fd = -1
        #: Address → hash → all that was ever sent there.
        self._sent: dict[str, dict[str, Sent]] = {}
        #: Address → the object that is stored there.
        self._stored: dict[str, Sent] = {}

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator[Self]:
        """Reads it and holds it. Raises UsageError: another delivery of this batch runs."""
        journal = cls(folder)
        journal._open()
        try:
            yield journal
        finally:
            os.close(journal._fd)

    def stored(self, address: str) -> Sent | None:
        """The object that was delivered there last."""
        return self._stored.get(address)

    def is_ours(self, address: str, sha256: str) -> bool:
        """Whether we have ever sent this content there."""
        return sha256 in self._sent.get(address, {})

    def stored_as(self, address: str, sha256: str, recipe: str) -> Sent | None:
        """What we have sent there with this content, if it was made by this recipe."""
        sent = self._sent.get(address, {}).get(sha256)
        return sent if sent is not None and sent.recipe == recipe else None

    def add(self, sent: Sent) -> None:
        """One line more, in one write."""
        line = msgspec.json.encode(sent) + b"\n"
        with self._lock:
            os.write(self._fd, line)
            self._take(sent)

    def write_table(self) -> Path:
        """delivered.csv, whole: every object that is stored."""
        path = self._folder / TABLE
        os.fsync(self._fd)
        with replacing(path, lambda: None) as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            for sent in sorted(self._stored.values(), key=lambda each: (each.rows, each.address)):
                table.writerow(safe_cell(cell) for cell in _cells(sent))
        return path

    def _open(self) -> None:
        path = self._folder / JOURNAL
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise UsageError(f"{self._folder.name}: is being delivered right now") from None
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            # Torn by a kill.
            os.ftruncate(self._fd, whole)
        for line in content[:whole].splitlines():
            self._take(msgspec.json.decode(line, type=Sent))

    def _take(self, sent: Sent) -> None:
        self._sent.setdefault(sent.address, {})[sent.sha256] = sent
        if sent.at is not None:
            self._stored[sent.address] = sent


COLUMNS: Final = (
    "rows",
    "sku",
    "address",
    "sha256",
    "bytes",
    "width",
    "height",
    "profile",
    "marks",
    "picture_sha256",
    "delivered_at",
)


def _cells(sent: Sent) -> Iterator[str]:
    yield " ".join(map(str, sent.rows))
    yield from (sent.sku, sent.address, sent.sha256, str(sent.bytes), str(sent.width), str(sent.height))
    yield from (sent.profile, " ".join(sent.marks), sent.picture_sha256, sent.at or "")
