"""Heartbeats: a thread that says every few seconds that its process lives, and what it last did."""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self
from uuid import uuid4

import structlog
from msgspec.structs import replace

from jobs.config.settings import RedisSettings
from jobs.errors import VtonError
from jobs.ledger import Ledger, steps
from jobs.ledger.records import Heartbeat, Role
from jobs.ledger.term import KnownTerm
from jobs.redis.client import connect

if TYPE_CHECKING:
    from jobs.ledger.intents import IntentJournals

log = structlog.get_logger()

#: Between two heartbeats, s; one command each.
EVERY_S: Final = 5.0
#: Between two tries while Redis is away, s: who was silent with it must not look dead when it is back.
RETRY_S: Final = 1.0


def _nothing() -> float:
    return 0


class Heartbeats:
    """Sends heartbeats from `start` to `stop`; what fails is tried again and never hurts the work."""

    def __init__(
        self,
        redis: RedisSettings,
        role: Role,
        *,
        acts: Callable[[], float] = _nothing,
        heard: Callable[[], object] = _nothing,
        batch: str = "",
        left_ms: Callable[[], int | None] = lambda: None,
        every_s: float = EVERY_S,
        term: KnownTerm | None = None,
        journals: "IntentJournals | None" = None,
    ) -> None:
        """`acts`: useful acts of the process by now; `heard`: called when one is sent; others as in Ledger or the record."""
        # Of its own, and impatient: whoever ends does not wait for Redis because of it.
        self._client = connect(redis, db=redis.ledger_db, connections=1, patience_s=RETRY_S)
        self._ledger = Ledger(self._client, redis.prefix, term)
        self._id = uuid4().hex
        #: Brought in by this thread, too: whoever has nothing to submit does not wait at the gate.
        self._journals = journals
        self._acts = acts
        self._heard = heard
        self._left_ms = left_ms
        self._every_s = every_s
        self._started_s = time.monotonic()
        self._acted_s: float | None = None
        self._counted = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name="heartbeats", daemon=True)
        self._said = Heartbeat(
            role=role,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=version("vton-batch"),
            up_ms=0,
            batch=batch,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Says at once that the process lives, and goes on saying so."""
        self._thread.start()

    def stop(self) -> None:
        """Takes the process out of the list; who is killed stays there as one that has fallen silent."""
        self._stopping.set()
        self._thread.join(timeout=1)

    def _main(self) -> None:
        told = False
        while not self._stopping.is_set():
            try:
                awaited = self._ledger.run(steps.heartbeat(self._id, self._now()))
                self._heard()
                self._bring_in(awaited=awaited)
                told, wait_s = False, self._every_s
            except VtonError as error:
                if not told:
                    log.warning("heartbeat.unsent", why=str(error))
                told, wait_s = True, min(RETRY_S, self._every_s)
            self._stopping.wait(wait_s)
        with suppress(VtonError):
            self._ledger.forget_process(self._id)
        self._client.close()

    def _bring_in(self, *, awaited: bool) -> None:
        """Raises VtonError."""
        try:
            if self._journals is not None and (awaited or self._journals.is_late(self._ledger)):
                self._journals.bring_in(self._ledger)
        except VtonError:
            raise
        except Exception:
            # Whatever it was, that this process lives must go on being said.
            log.exception("actor.failed", what="brings in orders")

    def _now(self) -> Heartbeat:
        now_s, counted = time.monotonic(), self._acts()
        if counted > self._counted:
            self._counted, self._acted_s = counted, now_s
        return replace(
            self._said,
            up_ms=_ms(now_s - self._started_s),
            idle_ms=None if self._acted_s is None else _ms(now_s - self._acted_s),
            left_ms=self._left_ms(),
            journal=self._journals.name if self._journals else "",
        )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
