"""The addresses of one manifest and what was found at each, on disk: a million of them need no memory.

What was found is kept for some hours in the data folder under the address's hash: the address itself may be signed.
"""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jobs.addresses.findings import Finding
from jobs.errors import ConfigError

_BATCH = 500
_PAGE = 64
_BUSY_S = 30.0
#: One address, each use of it in a row, and the order of a host's.
_TABLES = """
PRAGMA main.journal_mode = OFF;
PRAGMA main.synchronous = OFF;
PRAGMA main.cache_size = -16000;
CREATE TABLE main.address (id INTEGER PRIMARY KEY, digest BLOB UNIQUE, host TEXT, url TEXT,
    kind TEXT NOT NULL DEFAULT '', words TEXT NOT NULL DEFAULT '');
CREATE INDEX main.by_host ON address (host, id) WHERE kind = '';
CREATE TABLE main.use (row INTEGER, file TEXT, place TEXT, sku TEXT, column_ TEXT, address INTEGER);
CREATE TABLE IF NOT EXISTS known.found (digest BLOB PRIMARY KEY, at REAL, kind TEXT, words TEXT) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """An address in a row, and what is wrong or odd with it."""

    row: int
    #: The file, of a batch of several; and the place within it.
    file: str
    where: str
    sku: str
    column: str
    url: str
    finding: Finding


class Found:
    """One manifest's addresses. `open_found` makes it."""

    def __init__(self, database: sqlite3.Connection, keep_s: float, clock: Callable[[], float]) -> None:
        self._database = database
        self._keep_s = keep_s
        self._clock = clock
        self._uses: list[tuple[int, str, str, str, str, str]] = []
        self._findings: list[tuple[str, str, int]] = []

    def use(self, row: int, file: str, where: str, sku: str, *, column: str, url: str) -> None:
        """Takes an address of a row."""
        self._uses.append((row, file, where, sku, column, url))
        if len(self._uses) >= _BATCH:
            self._write_uses()

    def recall(self, *, only_good: bool = False) -> tuple[int, int]:
        """Takes over what is known from the last hours; how many there are and are known.

        `only_good`: what had a problem is asked again.
        """
        self._write_uses()
        since = self._clock() - self._keep_s
        self._database.execute("DELETE FROM known.found WHERE at < ?", (since,))
        good = "AND known.found.kind = 'ok'" if only_good else ""
        self._database.execute(
            "UPDATE main.address SET (kind, words) = (SELECT kind, words FROM known.found"  # noqa: S608 no text from outside
            f" WHERE known.found.digest = address.digest {good}) WHERE EXISTS"
            f" (SELECT 1 FROM known.found WHERE known.found.digest = address.digest {good})"
        )
        every = "SELECT count(*), count(CASE WHEN kind <> '' THEN 1 END) FROM main.address"
        (counts,) = self._database.execute(every)
        return int(counts[0]), int(counts[1])

    def hosts(self) -> Iterator[tuple[str, int]]:
        """Each host that is to be asked, and for how many addresses."""
        host = ""
        following = (
            "SELECT host, count(*) FROM main.address WHERE kind = '' AND host > ?"
            " GROUP BY host ORDER BY host LIMIT ?"
        )
        while page := self._database.execute(following, (host, _PAGE)).fetchall():
            yield from page
            host = page[-1][0]

    def waiting(self, host: str) -> Iterator[tuple[int, str]]:
        """The number and the text of each address of a host that is to be asked."""
        last = 0
        following = (
            "SELECT id, url FROM main.address WHERE kind = '' AND host = ? AND id > ? ORDER BY id LIMIT ?"
        )
        while page := self._database.execute(following, (host, last, _PAGE)).fetchall():
            yield from page
            last = page[-1][0]

    def save(self, number: int, finding: Finding) -> None:
        """Takes what was found at an address."""
        self._findings.append((finding.kind, finding.words, number))
        if len(self._findings) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Keeps what was found so far."""
        findings, self._findings = self._findings, []
        with self._transaction():
            self._database.executemany("UPDATE main.address SET kind = ?, words = ? WHERE id = ?", findings)
            self._database.executemany(
                "INSERT OR REPLACE INTO known.found SELECT digest, ?, kind, words FROM main.address WHERE id = ?",
                [(self._clock(), number) for kind, _, number in findings if kind != "not_asked"],
            )

    def problems(self) -> Iterator[Use]:
        """Every row with an address that is not well, in the order of the rows."""
        self.flush()
        rows = self._database.execute(
            "SELECT use.row, file, place, sku, column_, url, kind, words FROM main.use JOIN main.address"
            " ON address.id = use.address WHERE kind NOT IN ('', 'ok') ORDER BY use.rowid"
        )
        for row, file, where, sku, column, url, kind, words in rows:
            finding = Finding(kind=kind, words=words)
            yield Use(row=row, file=file, where=where, sku=sku, column=column, url=url, finding=finding)

    def finding(self, url: str) -> Finding | None:
        """What was found at an address; None for one that was not asked for."""
        found = self._database.execute(
            "SELECT kind, words FROM main.address WHERE digest = ? AND kind <> ''", (_digest(url),)
        ).fetchone()
        return Finding(kind=found[0], words=found[1]) if found else None

    def _write_uses(self) -> None:
        uses, self._uses = self._uses, []
        digests = {url: _digest(url) for *_, url in uses}
        with self._transaction():
            self._database.executemany(
                "INSERT OR IGNORE INTO main.address (digest, host, url) VALUES (?, ?, ?)",
                [(digest, _host(url), url) for url, digest in digests.items()],
            )
            self._database.executemany(
                "INSERT INTO main.use SELECT ?, ?, ?, ?, ?, id FROM main.address WHERE digest = ?",
                [(*use, digests[url]) for *use, url in uses],
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


@contextmanager
def open_found(known: Path, keep_s: float, *, clock: Callable[[], float] = time.time) -> Iterator[Found]:
    """An empty list of addresses; `known`: what earlier ones found.

    Raises:
        ConfigError: there is no place for them.
    """
    known.parent.mkdir(parents=True, exist_ok=True)
    try:
        database = _opened(known)
    except sqlite3.OperationalError as error:
        raise ConfigError(f"{known}: what was found at addresses cannot be kept: {error}") from None
    except sqlite3.DatabaseError:
        # Broken off or something else: nothing that could not be found again.
        known.unlink(missing_ok=True)
        database = _opened(known)
    try:
        yield Found(database, keep_s, clock)
    finally:
        database.close()


def _opened(known: Path) -> sqlite3.Connection:
    # The first one has no name: SQLite makes a file that is gone when it is closed.
    # A run feeds its rows in another thread than the one that has asked.
    database = sqlite3.connect("", timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        database.execute("ATTACH ? AS known", (str(known),))
        database.executescript(_TABLES)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _digest(url: str) -> bytes:
    return hashlib.blake2b(url.encode(), digest_size=16).digest()


def _host(url: str) -> str:
    """Host and port; whose they are does not matter here."""
    return urlsplit(url).netloc.lower()
