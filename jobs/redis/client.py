"""The way to Redis: bounded, patient connections, foreign errors translated, and whether it keeps what it is sent."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import redis
import redis.asyncio
import structlog
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)

from jobs.config.sentinel_address import sentinel_address
from jobs.config.settings import RedisSettings, Settings
from jobs.errors import ConfigError, RedisDownError, SpoiltLedgerError
from jobs.redis.retry import AsyncPatientRetry, PatientRetry

log = structlog.get_logger()

#: Longer than the longest blocking call we make (5 s), or redis-py would cut it off; a machine that falls silent is noticed.
SHORTEST_TIMEOUT_S, SOCKET_TIMEOUT_S = 7, 9
#: A server on this machine's own socket does not fall silent, it is busy at most, s.
LOCAL_TIMEOUT_S = 15
#: Connections of one process at most: Dramatiq's own, those that send messages, an event loop's, and what a process needs
#: beside one for each submit thread.
BROKER_CLIENTS, QUEUE_CLIENTS, LOOP_CLIENTS, SPARE_CLIENTS = 4, 2, 16, 4
#: The one policy under which a full server refuses writes instead of throwing keys away.
KEEPS_ALL = "noeviction"


class NoPrimaryError(redis.ConnectionError):
    """No sentinel names a primary: an outage like any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Durability:
    """Whether a server keeps what it is sent, in its own words; None: it does not say."""

    #: `yes` or `no`: a file of every write.
    appendonly: str | None
    #: `always`, `everysec` or `no`: when that file is on disk.
    appendfsync: str | None
    #: What becomes of keys when the memory is full.
    maxmemory_policy: str | None

    @property
    def evicts(self) -> bool:
        """It would throw keys away: what was bought would be bought again."""
        return self.maxmemory_policy not in {None, KEEPS_ALL}

    @property
    def gaps(self) -> tuple[str, ...]:
        """What an end of the server, or of its machine, would lose."""
        if self.appendonly == "no":
            return ("appendonly is no: a restart loses the ledger",)
        if self.appendfsync not in {None, "always"}:
            return (f"appendfsync is {self.appendfsync}: a crash of its machine loses the last writes",)
        return ()

    @property
    def untold(self) -> tuple[str, ...]:
        """Settings that it would not tell, by their names in redis.conf."""
        told = (self.appendonly, self.appendfsync, self.maxmemory_policy)
        return tuple(name for name, value in zip(_KEEPING, told, strict=True) if value is None)


#: How a script refuses whoever knows a later term than its server's, see jobs.ledger.term.
_FENCED = "fenced: "

_KEEPING = ("appendonly", "appendfsync", "maxmemory-policy")


def connect(
    settings: RedisSettings, *, db: int, connections: int = 16, patience_s: float = 5, decode: bool = True
) -> redis.Redis:
    """A client whose threads wait for a free connection instead of failing, and outlast an outage of `patience_s` seconds.

    A command fails when that time has passed, one time-out later at most.
    """
    url = settings.url.get_secret_value()
    options = _options(url, db, patience_s, connections) | {
        "retry": PatientRetry(patience_s),
        "decode_responses": decode,
    }
    address = sentinel_address(url)
    if address is not None:
        # Whoever has no sentinels does not load what speaks to them.
        from jobs.redis.sentinel import primary_pool  # noqa: PLC0415

        return redis.Redis.from_pool(primary_pool(address, **options))
    return redis.Redis.from_pool(redis.BlockingConnectionPool.from_url(url, **options))


def connect_async(
    settings: RedisSettings, *, db: int, connections: int = LOOP_CLIENTS, patience_s: float = 5
) -> "redis.asyncio.Redis":
    """The same for an event loop."""
    url = settings.url.get_secret_value()
    options = _options(url, db, patience_s, connections) | {"retry": AsyncPatientRetry(patience_s)}
    address = sentinel_address(url)
    if address is not None:
        from jobs.redis.sentinel_async import async_primary_pool  # noqa: PLC0415

        return redis.asyncio.Redis.from_pool(async_primary_pool(address, **options))
    return redis.asyncio.Redis.from_pool(redis.asyncio.BlockingConnectionPool.from_url(url, **options))


def clients_of_run(settings: Settings) -> int:
    """Connections that `vton run` and its processes may hold at once."""
    workers = settings.workers
    submit = workers.submit_processes * (
        settings.submit_threads + SPARE_CLIENTS + BROKER_CLIENTS + QUEUE_CLIENTS
    )
    collect = workers.collect_processes * (LOOP_CLIENTS + SPARE_CLIENTS + BROKER_CLIENTS + QUEUE_CLIENTS)
    # One each for its heartbeats, of the run itself and of a receiver too.
    heartbeats = workers.submit_processes + workers.collect_processes + 2
    return submit + collect + heartbeats + 2 * QUEUE_CLIENTS


def check_clients(client: redis.Redis, needed: int) -> None:
    """Compares with what a server takes beside those that it has. Raises ConfigError, RedisDownError."""
    asked: Any = client
    with translated():
        try:
            told = asked.info("clients")
        except ResponseError:
            return
    most, there = told.get("maxclients"), told.get("connected_clients", 0)
    if most is not None and most - there < needed:
        raise ConfigError(
            f"redis: it takes {most} clients and has {there}; a run needs {needed} more: raise its maxclients, or lower"
            " workers.submit_threads"
        )


@contextmanager
def translated() -> Iterator[None]:
    """Turns redis-py's errors into ours; a time-out is an outage like any other."""
    try:
        yield
    except AuthenticationError:
        raise ConfigError("redis: wrong or missing password (VTON_REDIS__URL)") from None
    except NoPrimaryError as error:
        raise RedisDownError(str(error)) from error
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        if "max number of clients" in str(error):
            raise RedisDownError("redis takes no more clients: raise its maxclients") from error
        raise RedisDownError(f"redis does not answer: {type(error).__name__}") from error
    except (OutOfMemoryError, ReadOnlyError) as error:
        tell_fenced(error)
        raise RedisDownError(f"redis takes no writes: {error}") from error
    except ResponseError as error:
        if any(word in str(error) for word in ("OOM", "READONLY", "MISCONF", "NOREPLICAS", "UNBLOCKED")):
            raise RedisDownError(f"redis takes no writes: {error}") from error
        if "WRONGTYPE" in str(error):
            raise SpoiltLedgerError(
                "redis: a key of redis.prefix holds something that is not ours; name another redis.prefix or another"
                " database"
            ) from error
        refused = _refusal(error)
        if refused:
            raise ConfigError(f"redis: {refused}") from error
        raise


def tell_fenced(error: Exception) -> None:
    """Logs once that a server answers which was the primary before, if that is what the error says."""
    _, fenced, why = str(error).partition(_FENCED)
    if fenced:
        _tell_fenced(why)


@cache
def _tell_fenced(why: str) -> None:
    """Once for each pair of terms: every try meets the same server until there is a way to the other one."""
    log.error("redis.fenced", why=why)


def _refusal(error: ResponseError) -> str:
    """What a person must change in Redis or in our settings; empty for an error of ours."""
    said = str(error)
    if "DB index is out of range" in said:
        return (
            "it has fewer databases than redis.queue_db and redis.ledger_db ask for; both may be 0, which is slower"
            " for a ledger of many thousand jobs"
        )
    if isinstance(error, NoPermissionError) or "NOPERM" in said or "executing the script can't run" in said:
        return f"its user has no right to do what is needed, see docs/deploy.md: {said}"
    if "unknown command" in said.lower() and "sentinel" in said.lower():
        return f"a host of redis+sentinel:// is no sentinel; those have a port of their own, 26379 unless said: {said}"
    if "unknown command" in said.lower() or said.startswith(("CLUSTER", "MOVED", "CROSSSLOT")):
        return f"it is no server that we can use (6.2 or newer, no cluster mode): {said}"
    return ""


def ask_durability(client: redis.Redis) -> Durability:
    """Asks a server by CONFIG GET; where that is forbidden, INFO tells most of it. Raises RedisDownError."""
    asked: Any = client
    told: dict[str, str] = {}
    with translated():
        # A hosted server, or a user without the right, answers with an error: then it remains untold.
        with suppress(ResponseError):
            for name in _KEEPING:
                told |= asked.config_get(name)
        if len(told) < len(_KEEPING):
            with suppress(ResponseError):
                told = _of_info(asked.info("persistence") | asked.info("memory")) | told
    return Durability(
        appendonly=told.get("appendonly"),
        appendfsync=told.get("appendfsync"),
        maxmemory_policy=told.get("maxmemory-policy"),
    )


def tell_durability(client: redis.Redis) -> Durability:
    """Asks, and logs what is not as the ledger needs it; once for each command or process. Raises RedisDownError."""
    found = ask_durability(client)
    if found.evicts:
        log.error("redis.evicts", policy=found.maxmemory_policy, needed=KEEPS_ALL)
    if found.gaps:
        log.warning("redis.not_durable", why=found.gaps)
    if found.untold:
        log.warning("redis.untold", settings=found.untold)
    return found


def _of_info(info: dict[str, Any]) -> dict[str, str]:
    """What INFO tells of the settings; not when the file is synced."""
    told = {}
    if "aof_enabled" in info:
        told["appendonly"] = "yes" if info["aof_enabled"] else "no"
    if "maxmemory_policy" in info:
        told["maxmemory-policy"] = str(info["maxmemory_policy"])
    return told


def _options(url: str, db: int, patience_s: float, connections: int) -> dict[str, Any]:
    local = url.startswith("unix:")
    most_s = LOCAL_TIMEOUT_S if local else SOCKET_TIMEOUT_S
    return ({} if local else _watched()) | {
        "max_connections": connections,
        # Until a connection is free.
        "timeout": LOCAL_TIMEOUT_S,
        "db": db,
        "decode_responses": True,
        # Who waits for seconds only does not wait long for a server that hangs.
        "socket_timeout": min(most_s, max(SHORTEST_TIMEOUT_S, patience_s)),
        "socket_connect_timeout": min(3, max(1, patience_s)),
        "health_check_interval": 0,
        # To tell the server the library's version it would read its package's metadata, and ask twice, at each connection.
        "driver_info": None,
        # Full or read-only, Redis refuses a write before it ran: an answer that was paid for is recorded as soon as it may.
        "retry_on_error": [BusyLoadingError, OutOfMemoryError, ReadOnlyError],
    }


def _watched() -> dict[str, Any]:
    """A connection that nobody speaks on is probed, so that one to a dead machine is closed before it is used."""
    wanted = {
        "TCP_KEEPIDLE": 3,
        "TCP_KEEPINTVL": 2,
        "TCP_KEEPCNT": 3,
        "TCP_USER_TIMEOUT": SOCKET_TIMEOUT_S * 1000,
    }
    known = {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}
    return {"socket_keepalive": True, "socket_keepalive_options": known}
