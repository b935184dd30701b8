"""Verdicts over local pictures, remembered from command to command: a file is read again once it has changed.

One SQLite file in the data folder: several commands may use it at once, memory does not grow with it, and what a killed
one leaves is put right by the next. Without it, or when it is damaged, pictures are looked at again, no more.
"""

import os
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog

from jobs.pictures.verdict import Verdict

log = structlog.get_logger()

#: Verdicts kept in memory.
_RECENT = 20_000
#: Verdicts written at once, and seconds after which fewer are.
_WRITTEN_AT_ONCE = 256
_WRITTEN_AFTER_S = 2.0
#: A file that changed so shortly before it was read may change again without a new time: file systems' coarsest clock, ns.
_RACY_NS = 2_100_000_000
#: Seconds that another command may take to write.
_PATIENCE_S = 5.0
_TABLE = """CREATE TABLE IF NOT EXISTS verdicts
    (path BLOB PRIMARY KEY, stamp TEXT NOT NULL, rules TEXT NOT NULL, verdict BLOB NOT NULL) WITHOUT ROWID"""
_ENCODE = msgspec.json.encode
_DECODE = msgspec.json.Decoder(Verdict).decode


class Stamp(NamedTuple):
    """What tells whether a file is still the same."""

    device: int
    inode: int
    #: Bytes.
    size: int
    #: When its content was last changed, and when it or its name or rights were, ns.
    modified_ns: int
    changed_ns: int

    @property
    def content(self) -> tuple[int, ...]:
        """Without what new rights or a further name change."""
        return self[:-1]


class Verdicts:
    """Path and stamp → verdict; used by one thread at a time."""

    def __init__(self, file: Path | None, rules: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Opens nothing yet.

        Args:
            file: of SQLite, made when it is not there; None: kept in memory.
            rules: what verdicts depend on beside the file; with other rules they count no more.
            clock: seconds, for the times between writes.
        """
        self._file = file
        self._rules = rules
        self._clock = clock
        self._recent: OrderedDict[str, tuple[Stamp, Verdict]] = OrderedDict()
        #: By path.
        self._unwritten: dict[str, tuple[bytes, str, str, bytes]] = {}
        self._written_s = clock()
        self._database: sqlite3.Connection | None = None

    def get(self, path: str, stamp: Stamp) -> Verdict | None:
        """What was found of the file as it is now; None: it has to be looked at."""
        recent = self._recent.get(path)
        if recent is not None and recent[0].content == stamp.content:
            self._recent.move_to_end(path)
            return recent[1]
        found = self._run(
            "SELECT verdict FROM verdicts WHERE path = ? AND stamp = ? AND rules = ?",
            (os.fsencode(path), _text(stamp), self._rules),
        )
        try:
            verdict = _DECODE(found[0][0]) if found else None
        except (msgspec.DecodeError, TypeError):
            return None
        if verdict is not None:
            self._remember(path, stamp, verdict)
        return verdict

    def keep(self, path: str, stamp: Stamp, verdict: Verdict, looked_ns: int) -> None:
        """Remembers what was found; `looked_ns`: when looking began, since the epoch."""
        self._remember(path, stamp, verdict)
        if max(stamp.modified_ns, stamp.changed_ns) > looked_ns - _RACY_NS:
            return
        self._unwritten[path] = os.fsencode(path), _text(stamp), self._rules, _ENCODE(verdict)
        due = self._clock() - self._written_s > _WRITTEN_AFTER_S
        if due or len(self._unwritten) >= _WRITTEN_AT_ONCE:
            self.write()

    def write(self) -> None:
        """Writes what is not written yet."""
        self._written_s = self._clock()
        if not self._unwritten:
            return
        rows, self._unwritten = self._unwritten, {}
        self._run("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?)", *rows.values())

    def _remember(self, path: str, stamp: Stamp, verdict: Verdict) -> None:
        self._recent[path] = stamp, verdict
        if len(self._recent) > _RECENT and self._recent.popitem(last=False)[0] in self._unwritten:
            self.write()

    def _run(self, statement: str, *rows: tuple[Any, ...]) -> list[Any]:
        """Runs a statement, for each row or once; with a file that cannot be used, goes on in memory."""
        try:
            database = self._database or self._open(self._file)
            found = (
                database.executemany(statement, rows) if len(rows) > 1 else database.execute(statement, *rows)
            )
            answer = found.fetchall()
            database.commit()
        except (sqlite3.Error, OSError) as error:
            self._leave(error)
            return []
        return answer

    def _open(self, file: Path | None) -> sqlite3.Connection:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        # Made by one thread and used by another.
        self._database = sqlite3.connect(
            file or ":memory:", timeout=_PATIENCE_S, isolation_level="IMMEDIATE", check_same_thread=False
        )
        self._database.execute(_TABLE)
        return self._database

    def _leave(self, error: Exception) -> None:
        """Goes on in memory; a damaged file is removed, so that the next command makes a new one."""
        log.warning("pictures.forgotten", file=str(self._file), why=str(error))
        self.close()
        damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
        if damaged and self._file is not None:
            for each in (Path(f"{self._file}-journal"), self._file):
                try:
                    each.unlink(missing_ok=True)
                except OSError:
                    break
        self._file = None

    def close(self) -> None:
        """Closes the file; the next question opens it again."""
        database, self._database = self._database, None
        if database is not None:
            database.close()


def _text(stamp: Stamp) -> str:
    """The device is left out: its number may be another one after a restart."""
    return " ".join(map(str, stamp[1:]))
