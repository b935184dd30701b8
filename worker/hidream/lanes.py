"""Lanes: one-connection clients, handed out one request at a time.

httpx's pool looks through all its connections and all its waiting requests at every request and reply: with a few
hundred requests waiting for 32 connections that alone fills a core. A lane never makes it look at more than one.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import httpx


class Lanes:
    """At most `most` clients of one event loop, made when needed, the last used first: its connection is warm."""

    def __init__(self, make: Callable[[], httpx.AsyncClient], most: int) -> None:
        self._make = make
        self._room = asyncio.Semaphore(most)
        self._idle: list[httpx.AsyncClient] = []
        self._all: list[httpx.AsyncClient] = []

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client for one request and its whole reply; waits for one."""
        async with self._room:
            client = self._idle.pop() if self._idle else self._open()
            try:
                yield client
            except BaseException:
                # What a broken or cancelled request leaves of its connection is not worth finding out.
                self._all.remove(client)
                with suppress(Exception):
                    await asyncio.shield(client.aclose())
                raise
            self._idle.append(client)

    async def aclose(self) -> None:
        """Closes every connection."""
        for client in self._all:
            await client.aclose()

    def _open(self) -> httpx.AsyncClient:
        client = self._make()
        self._all.append(client)
        return client
