"""The same as jobs.redis.sentinel for event loops; most commands never load that half of redis-py."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import redis.asyncio
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as LostConnectionError

from jobs.config.sentinel_address import SentinelAddress
from jobs.redis.sentinel import (
    Address,
    ReplicaError,
    apart,
    named_primary,
    own_options,
    primary_only,
    shared_options,
)

if TYPE_CHECKING:
    # Loaded by itself a part would not find the rest of a package that is deferred.
    import redis.asyncio.connection
    import redis.asyncio.retry
    import redis.asyncio.sentinel  # noqa: TC004


class _AsyncConnection(redis.asyncio.sentinel.SentinelManagedConnection):
    """The same for an event loop."""

    async def _connect_retry(self) -> None:
        await self.connect_check_health()

    async def connect_check_health(
        self,
        check_health: bool = True,
        retry_socket_connect: bool = False,
    ) -> None:
        del retry_socket_connect
        if not self.is_connected:
            self.host, self.port = await self.connection_pool.get_master_address()
        await super().connect_check_health(check_health, retry_socket_connect=False)

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """A reply. Raises ConnectionError where the server is no primary any more."""
        try:
            with primary_only():
                return await super().read_response(*args, **options)
        except LostConnectionError as error:
            if isinstance(error, ReplicaError):
                self.connection_pool.sentinel_manager.left = self.host, self.port
            await self.disconnect()
            raise


class _AsyncTlsConnection(_AsyncConnection, redis.asyncio.connection.SSLConnection):
    pass


class AsyncSentinels(redis.asyncio.sentinel.Sentinel):
    """The same for an event loop."""

    left: Address | None = None

    async def discover_master(self, service_name: str) -> Address:
        """The same for an event loop."""
        with named_primary(service_name):
            address: Address = await super().discover_master(service_name)
        if address == self.left:
            for each in apart(self):
                with suppress(LostConnectionError):
                    other: Address = await each.discover_master(service_name)
                    if other != address:
                        return other
            self.left = None
        return address


class AsyncPrimaryPool(redis.asyncio.sentinel.SentinelConnectionPool, redis.asyncio.BlockingConnectionPool):
    """The same for an event loop."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Closes them; all of them, then those to the sentinels too."""
        await super().disconnect(inuse_connections)
        if inuse_connections:
            await self.sentinel_manager.aclose()


def async_primary_pool(address: SentinelAddress, **options: Any) -> AsyncPrimaryPool:
    """The same for an event loop."""
    shared, tls = shared_options(redis.asyncio.connection.parse_url(address.server))
    own = own_options(address, shared, tls=tls) | {"retry": redis.asyncio.retry.Retry(NoBackoff(), 0)}
    return AsyncPrimaryPool(  # type: ignore[no-untyped-call]
        address.service,
        AsyncSentinels(address.sentinels, sentinel_kwargs=own),  # type: ignore[no-untyped-call]
        connection_class=_AsyncTlsConnection if tls else _AsyncConnection,
        **shared,
        **options,
    )
