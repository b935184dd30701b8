"""How long a command outlasts a Redis that is away: by the clock, not by tries, whatever a try takes.

redis-py repeats commands, and inside each of them the way to a connection, by one retry object; nested, tries multiply.
Here the outermost call sets the time by which all of them end. One try may run over it, by a time-out at most.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import AuthenticationError, AuthorizationError
from redis.exceptions import ConnectionError as LostConnectionError
from redis.retry import Retry

T = TypeVar("T")

#: By when the command under way must have ended, on the monotonic clock.
_deadline: ContextVar[float | None] = ContextVar("_deadline", default=None)
#: What no time fixes; redis-py counts them among lost connections.
_HOPELESS = (AuthenticationError, AuthorizationError)


class Waits(ExponentialWithJitterBackoff):
    """Jittered waits of at most a second, after any number of failures."""

    def __init__(self) -> None:
        super().__init__(cap=1, base=0.05)

    def compute(self, failures: int) -> float:
        """Seconds; beyond a few failures the power that redis-py takes is a number no float can hold."""
        return float(super().compute(min(failures, 10)))


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Sets when the tries end, unless a call further out has."""
    mine = _deadline.set(_deadline.get() or time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(mine)


@contextmanager
def tried_once() -> Iterator[None]:
    """Commands inside are sent once: what a second connection would say of the first one's is no proof."""
    mine = _deadline.set(time.monotonic())
    try:
        yield
    finally:
        _deadline.reset(mine)


class PatientRetry(Retry):
    """Repeats until `patience_s` have passed."""

    def __init__(self, patience_s: float) -> None:
        super().__init__(Waits(), 1)
        self.patience_s = patience_s

    def call_with_retry(  # noqa: D102 redis-py's own hook
        self,
        do: Callable[[], T],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> T:
        failures = 0
        with _patience(self.patience_s):
            while True:
                try:
                    return do()
                except self._supported_errors as error:
                    failures += 1
                    fail(*(error, failures)[: 1 + with_failure_count])
                    time.sleep(_wait_s(error, failures, is_retryable))


class AsyncPatientRetry(AsyncRetry):
    """The same for an event loop."""

    def __init__(self, patience_s: float) -> None:
        super().__init__(Waits(), 1)
        self.patience_s = patience_s

    async def call_with_retry(  # noqa: D102 redis-py's own hook
        self,
        do: Callable[[], Awaitable[T]],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> T:
        failures = 0
        with _patience(self.patience_s):
            while True:
                try:
                    return await _as_connection_error(do)
                except self._supported_errors as error:
                    failures += 1
                    await fail(*(error, failures)[: 1 + with_failure_count])
                    await asyncio.sleep(_wait_s(error, failures, is_retryable))


async def _as_connection_error(do: Callable[[], Awaitable[T]]) -> T:
    """uvloop raises RuntimeError where a closed connection is written to; asyncio an OSError a moment later."""
    try:
        return await do()
    except RuntimeError as error:
        if "handler is closed" in str(error):
            raise LostConnectionError(str(error)) from error
        raise


def _wait_s(error: Exception, failures: int, is_retryable: Callable[[Exception], bool] | None) -> float:
    """How long to wait before the next try. Raises the error: no more tries."""
    wait_s = Waits().compute(failures)
    hopeless = isinstance(error, _HOPELESS) or (is_retryable is not None and not is_retryable(error))
    if hopeless or time.monotonic() + wait_s >= (_deadline.get() or 0):
        raise error
    return wait_s
