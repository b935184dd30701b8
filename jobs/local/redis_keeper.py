"""Keeps an embedded Redis running: started again when it has died, with growing waits, as long as a command that buys stays.

It dies when its append-only file takes no more: a full disk for a moment is enough. Then the reserve is given up, the server
cuts what was torn, and goes on; there is a reserve again when there is room.
"""

import threading
import time
from types import TracebackType
from typing import Self

import structlog

from jobs.errors import VtonError
from jobs.local.redis_reserve import give_up_reserve, keep_reserve
from jobs.local.redis_server import EmbeddedRedis

log = structlog.get_logger()

LOOK_S = 0.25
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 15.0
#: How often it is looked whether there is room for a reserve, s.
RESERVE_S = 30.0
#: A server that lived this long was well, s.
WELL_S = 10.0


class RedisKeeper:
    """Looks after the server in a thread of its own, inside a `with` block."""

    def __init__(self, server: EmbeddedRedis) -> None:
        self._server = server
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="redis-keeper", daemon=True)
        self._wait_s = FIRST_WAIT_S
        self._started_s = float("-inf")
        self._reserve_s = float("-inf")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _keep(self) -> None:
        while True:
            if not self._server.alive():
                self._revive()
            elif time.monotonic() - self._reserve_s > RESERVE_S:
                self._reserve_s = time.monotonic()
                keep_reserve(self._server.folder)
            if self._stopping.wait(LOOK_S):
                return

    def _revive(self) -> None:
        """One try; after one that did not last, the next one waits longer."""
        if time.monotonic() - self._started_s > WELL_S + self._wait_s:
            self._wait_s = FIRST_WAIT_S
        elif self._stopping.wait(self._wait_s):
            return
        else:
            self._wait_s = min(LONGEST_WAIT_S, 2 * self._wait_s)
        freed = give_up_reserve(self._server.folder)
        log.warning("redis.ended", why=self._server.last_words(), reserve="given up" if freed else "kept")
        self._started_s = time.monotonic()
        try:
            self._server.restart(self._stopping)
        except (VtonError, OSError) as error:
            log.error("redis.down", why=str(error))  # noqa: TRY400 a line for people
            return
        log.warning("redis.restarted")
