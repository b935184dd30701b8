"""How many orders this process has seen the ledger count; noted in the data folder, so that a loss is noticed."""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from msgspec.structs import replace

from jobs.errors import ConfigError, LedgerLostError
from jobs.ledger import Ledger
from jobs.ledger.high_water import HighWaterMark, Mark, older_words

log = structlog.get_logger()

#: What is seen is on disk after so long, s: what it costs is one fsync then, whatever the rate.
NOTE_S = 1.0


class SeenOrders:
    """One process's; its threads share it. Without a `mark` nothing outlives the process."""

    def __init__(
        self, ledger: Ledger, mark: HighWaterMark | None, noting: Callable[[], object] = lambda: None
    ) -> None:
        """`noting`: called whenever more was seen, before it is noted."""
        self._ledger = ledger
        self._mark = mark
        self._noting = noting
        self._seen = Mark(ledger="", orders=0)
        self._noted = self._seen
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._noter: threading.Thread | None = None

    @property
    def seen(self) -> Mark:
        """The ledger that this process began with and the most orders seen in it; without an id before `begin`."""
        return self._seen

    def begin(self) -> Mark:
        """Looks at the ledger for the first time; the mark has no id while the ledger is empty.

        Raises:
            LedgerLostError: it is not the one that the data folder knows, or an older state of it.
            RedisDownError: it does not answer.
        """
        if not self._seen.ledger and self._mark is not None:
            self._begin(self._mark, self._mark.read())
        elif not self._seen.ledger:
            self._seen = (self._ledger.marks() or (self._seen, self._seen))[1]
        return self._seen

    def _begin(self, mark: HighWaterMark, known: Mark | None) -> None:
        """`known`: read before the ledger is asked, since another process may count on meanwhile."""
        marks = self._ledger.marks()
        if marks is None:
            return
        current, safe = marks
        if known is not None and known.ledger == current.ledger:
            self._ledger.term.learn(known.term)
        if known is not None and known.ledger != current.ledger:
            if not self._ledger.replaces(known.ledger):
                raise LedgerLostError("the ledger in Redis is not the one that this data folder knows")
            mark.replace(safe)
        elif known is not None and known.orders > current.orders:
            # The gate learns it from the first request for a permit, which stops the others too.
            if not self._ledger.is_recovering(known):
                log.error("ledger.lost", why=older_words(known, current.orders))
            safe = known
        with self._lock:
            if self._noter is not None:
                # Another thread was first.
                return
            self._seen = safe
            self._noter = threading.Thread(target=self._keep_noting, args=(mark,), name="orders", daemon=True)
        self._noter.start()

    def saw(self, orders: Any) -> None:
        """Another count; lower ones are late and say nothing."""
        with self._lock:
            if int(orders or 0) > self._seen.orders:
                self._seen = Mark(ledger=self._seen.ledger, orders=int(orders))

    def stop(self) -> None:
        """Notes what is not yet noted."""
        self._stopping.set()
        if self._noter is not None:
            self._noter.join(timeout=5)

    def _keep_noting(self, mark: HighWaterMark) -> None:
        noted: Mark | None = None
        while not self._stopping.wait(NOTE_S if noted else 0):
            noted = self._note(mark, noted)
        self._note(mark, noted)

    def _note(self, mark: HighWaterMark, noted: Mark | None) -> Mark:
        seen = replace(self._seen, term=self._ledger.term.text)
        if seen == noted:
            return seen
        self._noting()
        try:
            known = mark.raise_to(seen)
        except (OSError, ConfigError) as error:
            log.warning("ledger.unnoted", why=str(error))
            return seen
        if known.ledger == seen.ledger:
            # Another process of this host may have seen more.
            self.saw(known.orders)
        return seen
