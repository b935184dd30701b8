"""The high-water mark: the most orders that were seen in a ledger, kept outside of Redis.

A ledger counts every order before it is sent. One that counts fewer than were seen has lost some (an old copy, a file that
was cut): what was bought since would be bought again, so nothing is bought until a person has looked.
"""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from jobs.errors import ConfigError
from jobs.ledger.codec import decode
from jobs.ledger.term import FIRST, term_number


class Mark(Struct, frozen=True, kw_only=True):
    """Which ledger, and how many orders it has counted."""

    ledger: str
    orders: int
    #: The latest term that was seen of it, see jobs.ledger.term.
    term: str = FIRST

    def with_what(self, seen: "Mark") -> "Mark":
        """The most that either of two marks of one ledger has seen."""
        latest = max(self, seen, key=lambda mark: term_number(mark.term))
        return Mark(ledger=self.ledger, orders=max(self.orders, seen.orders), term=latest.term)


#: A ledger's mark, and what of it may be noted outside of Redis: the orders that replicas have, if any has to confirm them.
Marks = tuple[Mark, Mark]


def marks_of(ledger: str | None, orders: str | None, confirmed: str | None) -> Marks | None:
    """The marks by the fields of `meta`; None while it is empty."""
    if not ledger:
        return None
    counted = Mark(ledger=ledger, orders=int(orders or 0))
    return counted, counted if confirmed is None else Mark(ledger=ledger, orders=int(confirmed))


class HighWaterMark:
    """The mark of one data folder, `<data_dir>/ledger-<prefix>.json`; any number of processes raise it."""

    def __init__(self, data_dir: Path, prefix: str) -> None:
        self.path = data_dir.absolute() / f"ledger-{prefix}.json"
        #: What an earlier version wrote: the ledger's id alone.
        self._old = self.path.with_suffix(".id")

    def read(self) -> Mark | None:
        """The mark; None in a data folder that has not worked with a ledger yet.

        Raises:
            ConfigError: the file is there and cannot be read.
        """
        try:
            with suppress(FileNotFoundError):
                return decode(self.path.read_bytes(), Mark)
            with suppress(FileNotFoundError):
                return Mark(ledger=self._old.read_text(encoding="utf-8").strip(), orders=0)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{self.path}: cannot be read ({type(error).__name__}); restore it: it tells whether the ledger is whole"
            ) from None
        return None

    def raise_to(self, seen: Mark) -> Mark:
        """Notes what was seen unless more is noted already, or another ledger; returns what is noted then.

        Raises:
            ConfigError: as `read`.
            OSError: it cannot be written.
        """
        with self._locked():
            known = self.read()
            if known is not None and known.ledger != seen.ledger:
                return known
            most = seen if known is None else known.with_what(seen)
            if most != known:
                self._write(most)
            return most

    def replace(self, accepted: Mark) -> None:
        """Notes another ledger, because a person has accepted it. Raises OSError."""
        with self._locked():
            self._write(accepted)

    def _write(self, mark: Mark) -> None:
        write_whole(self.path, asdict(mark))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def write_whole(path: Path, content: dict[str, Any]) -> None:
    """Replaces a small JSON file: the old one or the new one is on disk, never a part. Raises OSError."""
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(json.dumps(content) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def older_words(seen: Mark, orders: int) -> str:
    """Why a ledger is older than what was seen of it."""
    return f"the ledger in Redis counts {orders} orders, but {seen.orders} were seen: it has lost what was bought since"
