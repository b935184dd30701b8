"""Steps that must be recorded: repeated while Redis is away, since whoever holds an answer is good for nothing else."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from jobs.errors import ConfigError, RedisDownError, SpoiltLedgerError
from jobs.ledger.script import Call, Runner

log = structlog.get_logger()

T = TypeVar("T")

#: Between two tries, beside the client's own patience, s.
OUTAGE_S = 1.0


def _nothing() -> None:
    """What is done after a failure, unless something is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Runs each call until Redis has taken it; it is the same call, so that it counts once."""

    runner: Runner
    #: Set when the process stops: then the next failure is the last.
    stopping: threading.Event
    #: Done after the first failure of a call.
    failed: Callable[[], None] = _nothing

    def run(self, call: Call[T]) -> T:
        """Runs a call.

        Raises:
            RedisDownError: Redis does not answer, and the process stops.
            ConfigError: Redis refuses our password, and the process stops.
            SpoiltLedgerError: waiting fixes nothing.
        """
        failed = self.failed
        while True:
            try:
                return self.runner.run(call)
            except SpoiltLedgerError:
                raise
            except (RedisDownError, ConfigError) as error:
                failed()
                failed = _nothing
                log.warning("redis.waiting", why=str(error))
                if self.stopping.wait(OUTAGE_S):
                    raise
