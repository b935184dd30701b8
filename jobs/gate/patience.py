"""Steps that must be recorded: repeated while Redis is away, since whoever holds an answer is good for nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from jobs.errors import ConfigError, RedisDownError, SpoiltLedgerError
from jobs.ledger import AsyncRunner
from jobs.ledger.script import Call

log = structlog.get_logger()

T = TypeVar("T")

#: Between two tries, beside the client's own patience, s.
OUTAGE_S = 1.0


async def _nothing() -> None:
    """What is done after a failure, unless something is."""


async def within(event: asyncio.Event, seconds: float) -> bool:
    """Whether it is set, or comes to be within so many seconds."""
    if event.is_set() or seconds <= 0:
        return event.is_set()
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Runs each call until Redis has taken it; it is the same call, so that it counts once."""

    runner: AsyncRunner
    #: Set when the process stops: then the next failure is the last.
    stopping: asyncio.Event
    #: Done after the first failure of a call.
    failed: Callable[[], Awaitable[None]] = _nothing

    async def run(self, call: Call[T]) -> T:
        """Runs a call.

        Raises:
            RedisDownError: Redis does not answer, and the process stops.
            ConfigError: Redis refuses our password, and the process stops.
            SpoiltLedgerError: waiting fixes nothing.
        """
        failed = self.failed
        while True:
            try:
                return await self.runner.run(call)
            except SpoiltLedgerError:
                raise
            except (RedisDownError, ConfigError) as error:
                await failed()
                failed = _nothing
                log.warning("redis.waiting", why=str(error))
                if await within(self.stopping, OUTAGE_S):
                    raise
