"""Connections to Redis: bounded, patient, with foreign errors translated at the door."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.retry import Retry

from jobs.errors import ConfigError, RedisDownError
from jobs.settings import RedisSettings

#: Longer than the longest blocking call we make (5 s), or redis-py would cut it off.
SOCKET_TIMEOUT_S = 15


def connect(
    settings: RedisSettings, *, db: int, connections: int = 16, patience_s: float = 5, decode: bool = True
) -> redis.Redis:
    """A client whose threads wait for a free connection instead of failing, and outlast `patience_s` of outage."""
    pool = redis.BlockingConnectionPool.from_url(
        settings.url.get_secret_value(),
        max_connections=connections,
        timeout=SOCKET_TIMEOUT_S,
        retry=Retry(_backoff(), _tries(patience_s)),
        **(_options(db) | {"decode_responses": decode}),
    )
    return redis.Redis(connection_pool=pool)


def connect_async(
    settings: RedisSettings, *, db: int, connections: int = 32, patience_s: float = 5
) -> redis.asyncio.Redis:
    """The same for an event loop."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        settings.url.get_secret_value(),
        max_connections=connections,
        timeout=SOCKET_TIMEOUT_S,
        retry=AsyncRetry(_backoff(), _tries(patience_s)),
        **_options(db),
    )
    return redis.asyncio.Redis(connection_pool=pool)


@contextmanager
def translated() -> Iterator[None]:
    """Turns redis-py's errors into ours; a time-out is an outage like any other."""
    try:
        yield
    except AuthenticationError:
        raise ConfigError("redis: wrong or missing password (VTON_REDIS__URL)") from None
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        raise RedisDownError(f"redis does not answer: {type(error).__name__}") from error
    except (OutOfMemoryError, ReadOnlyError) as error:
        raise RedisDownError(f"redis takes no writes: {error}") from error
    except RedisError as error:
        if "OOM" in str(error) or "READONLY" in str(error) or "MISCONF" in str(error):
            raise RedisDownError(f"redis takes no writes: {error}") from error
        raise


def _backoff() -> ExponentialWithJitterBackoff:
    return ExponentialWithJitterBackoff(cap=1, base=0.05)


def _tries(patience_s: float) -> int:
    """Jittered waits of at most a second average half of it; the first five are shorter."""
    return max(3, int(patience_s * 1.6) + 4)


def _options(db: int) -> dict[str, Any]:
    return {
        "db": db,
        "decode_responses": True,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": 3,
        "health_check_interval": 0,
        # Full or read-only, Redis refuses a write before it ran: an answer that was paid for is recorded as soon as it may.
        "retry_on_error": [BusyLoadingError, OutOfMemoryError, ReadOnlyError],
    }
