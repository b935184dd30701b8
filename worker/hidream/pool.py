"""TransportPool: transports of one connection, handed out one request at a time.

httpx's pool looks through all its connections and all its waiting requests at every request and reply: with a few
hundred requests waiting for 32 connections that alone fills a core. A lane never makes it look at more than one.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import httpx

from worker.hidream.transport import has_surplus


class TransportPool:
    """At most `most` transports of one event loop, made when needed, the last used first: its connection is warm."""

    def __init__(self, make: Callable[[], httpx.AsyncHTTPTransport], most: int) -> None:
        self._make = make
        self._room = asyncio.Semaphore(most)
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._all: list[httpx.AsyncHTTPTransport] = []

    @asynccontextmanager
    async def transport(self) -> AsyncIterator[httpx.AsyncHTTPTransport]:
        """A transport for one request and its whole reply; waits for one."""
        async with self._room:
            transport = self._idle.pop() if self._idle else self._open()
            if has_surplus(transport):
                await transport.aclose()
            try:
                yield transport
            except BaseException:
                # What a broken or cancelled request leaves of its connection is not worth finding out.
                self._all.remove(transport)
                with suppress(Exception):
                    await asyncio.shield(transport.aclose())
                raise
            self._idle.append(transport)

    async def aclose(self) -> None:
        """Closes every connection."""
        for transport in self._all:
            await transport.aclose()

    def _open(self) -> httpx.AsyncHTTPTransport:
        transport = self._make()
        self._all.append(transport)
        return transport
