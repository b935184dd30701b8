"""Connections to whichever server is the primary now, as sentinels say it; they are asked for every connection that is made.

A connection whose server turns out to be a replica is closed, so that the next one leads to the primary: the retries of
jobs.redis.retry wait for a fail-over as they do for any outage.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy
from typing import Any

import redis.connection
import redis.sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import ReadOnlyError, ResponseError
from redis.retry import Retry

from jobs.config.sentinel_address import SentinelAddress
from jobs.redis.client import NoPrimaryError, tell_fenced

Address = tuple[str, int]
#: Until a sentinel is connected to, and until it answers, s: then the next one is asked.
CONNECT_S, ANSWER_S = 1, 2
#: What a server says that has just become a replica, to writes, to scripts, to who blocks on it.
_REPLICA_SAYS = ("READONLY", "UNBLOCKED")


class ReplicaError(LostConnectionError):
    """Whoever answers takes no writes: it is left, and the sentinels are asked anew."""


@contextmanager
def primary_only() -> Iterator[None]:
    """A replica's refusal is a lost connection; redis-py does not find it in what a script of an older server says."""
    try:
        yield
    except (ResponseError, LostConnectionError) as error:
        # Where redis-py finds it, it says so in words of its own.
        said = error.__context__ if isinstance(error, LostConnectionError) else error
        if isinstance(said, ReadOnlyError) or (
            isinstance(said, ResponseError) and any(word in str(said) for word in _REPLICA_SAYS)
        ):
            tell_fenced(said)
            raise ReplicaError("the primary has become a replica") from error
        raise


@contextmanager
def named_primary(service: str) -> Iterator[None]:
    """Says in our words that no sentinel names one; redis-py's own show options of each connection."""
    try:
        yield
    except LostConnectionError:
        raise NoPrimaryError(
            f"no sentinel names a primary of {service}; vton doctor shows what each of them answers"
        ) from None


def apart(sentinels: Any) -> Iterator[Any]:
    """Each of them alone: one that is cut off may name the primary of before."""
    for each in tuple(sentinels.sentinels):
        alone = copy(sentinels)
        alone.sentinels, alone.left = [each], None
        yield alone


class Sentinels(redis.sentinel.Sentinel):
    """Those of an address, for threads."""

    #: Where a replica has answered instead of the primary.
    left: Address | None = None

    def discover_master(self, service_name: str) -> Address:
        """The primary; where a replica has answered only if none of them names another one. Raises NoPrimaryError."""
        with named_primary(service_name):
            address: Address = super().discover_master(service_name)  # type: ignore[no-untyped-call]
        if address == self.left:
            for each in apart(self):
                with suppress(LostConnectionError):
                    other: Address = each.discover_master(service_name)
                    if other != address:
                        return other
            self.left = None
        return address


class _Connection(redis.sentinel.SentinelManagedConnection):
    """For threads. Where redis-py tries a command again, it would go to the former address without asking."""

    def _connect_retry(self) -> None:
        self.connect_check_health()

    def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = False) -> None:
        del retry_socket_connect
        if not self.is_connected:
            self.host, self.port = self.connection_pool.get_master_address()
        super().connect_check_health(check_health, retry_socket_connect=False)

    def read_response(self, *args: Any, **options: Any) -> Any:
        """A reply. Raises ConnectionError where the server is no primary any more."""
        try:
            with primary_only():
                return super().read_response(*args, **options)
        except LostConnectionError as error:
            if isinstance(error, ReplicaError):
                self.connection_pool.sentinel_manager.left = self.host, self.port
            self.disconnect()  # type: ignore[no-untyped-call]
            raise


class _TlsConnection(_Connection, redis.connection.SSLConnection):
    pass


class PrimaryPool(redis.sentinel.SentinelConnectionPool, redis.BlockingConnectionPool):
    """A bounded pool of connections to the primary, for threads."""

    def disconnect(self, inuse_connections: bool = True) -> None:
        """Closes them; all of them, then those to the sentinels too."""
        super().disconnect(inuse_connections)
        if inuse_connections:
            self.sentinel_manager.close()


def primary_pool(address: SentinelAddress, **options: Any) -> PrimaryPool:
    """A pool; `options` as those of a BlockingConnectionPool."""
    shared, tls = shared_options(redis.connection.parse_url(address.server))  # type: ignore[no-untyped-call]
    return PrimaryPool(  # type: ignore[no-untyped-call]
        address.service,
        sentinels(address),
        connection_class=_TlsConnection if tls else _Connection,
        **shared,
        **options,
    )


def sentinels(address: SentinelAddress) -> Sentinels:
    """The sentinels of an address, each asked once; whoever asks closes them."""
    shared, tls = shared_options(redis.connection.parse_url(address.server))  # type: ignore[no-untyped-call]
    own = own_options(address, shared, tls=tls) | {"retry": Retry(NoBackoff(), 0)}
    return Sentinels(address.sentinels, sentinel_kwargs=own)  # type: ignore[no-untyped-call]


def shared_options(parsed: Any) -> tuple[dict[str, Any], bool]:
    """What holds for every server, and whether TLS is spoken."""
    tls = "connection_class" in parsed
    return {name: value for name, value in parsed.items() if name not in {"host", "connection_class"}}, tls


def own_options(address: SentinelAddress, shared: dict[str, Any], *, tls: bool) -> dict[str, Any]:
    """How the sentinels themselves are connected to."""
    secured = {name: value for name, value in shared.items() if name.startswith("ssl_")}
    return secured | {
        "ssl": tls,
        "username": address.username,
        "password": address.password,
        "socket_connect_timeout": CONNECT_S,
        "socket_timeout": ANSWER_S,
    }
