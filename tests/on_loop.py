"""Coroutines of the code under test, called from the threads of a test as if they were functions."""

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, TypeVar

import redis.asyncio
import uvloop

from jobs.gate import Gate
from jobs.ledger import AsyncRunner, Ledger
from jobs.redis.client import SOCKET_TIMEOUT_S
from jobs.redis.retry import AsyncPatientRetry

T = TypeVar("T")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One for all tests, in a thread of its own."""
    loop = uvloop.new_event_loop()
    threading.Thread(target=loop.run_forever, name="tests-loop", daemon=True).start()
    return loop


def call(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()


class OnLoop:
    """Something made on the loop, whose coroutines are called like functions."""

    def __init__(self, make: Callable[[], Any]) -> None:
        async def made() -> Any:
            return make()

        self.__dict__["itself"] = call(made())

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.itself, name)
        if not inspect.iscoroutinefunction(found):
            return found
        return lambda *args, **more: call(found(*args, **more))

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.itself, name, value)


@cache
def _client(kind: type, place: tuple[tuple[str, Any], ...], patience_s: float) -> redis.asyncio.Redis:
    """One for each address, however many tests go there."""
    pool = redis.asyncio.BlockingConnectionPool(
        connection_class=kind,
        max_connections=128,
        timeout=SOCKET_TIMEOUT_S,
        retry=AsyncPatientRetry(patience_s),
        decode_responses=True,
        **dict(place),
    )
    return redis.asyncio.Redis.from_pool(pool)


def runner_of(ledger: Ledger, name: str | None = None) -> AsyncRunner:
    """The same ledger for coroutines; `name`: what its connections call themselves."""
    told = ledger.client.connection_pool.connection_kwargs
    place = {
        part: told[part]
        for part in ("path", "host", "port", "db", "username", "password", "socket_timeout")
        if part in told
    }
    kind = redis.asyncio.UnixDomainSocketConnection if "path" in told else redis.asyncio.Connection
    keys = tuple((place | {"client_name": name, "retry_on_error": tuple(told["retry_on_error"])}).items())
    return AsyncRunner(_client(kind, keys, told["retry"].patience_s), ledger.prefix, term=ledger.term)


def gate_of(ledger: Ledger, *args: Any, name: str | None = None, **more: Any) -> Any:
    """A gate that threads may call."""
    return OnLoop(lambda: Gate(ledger, runner_of(ledger, name), *args, **more))
