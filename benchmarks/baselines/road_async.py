"""The whole job on asyncio, one HTTP client with one connection per slot.

httpx' pool looks at all its connections for every request: 64 slots on two clients of 32 connections do two thirds of
the jobs a second that 64 clients of one connection do. The floor is given the better way.
"""

import asyncio

import httpx
from redis.asyncio import BlockingConnectionPool, Redis

from benchmarks.baselines.parts import (
    DONE_KEY,
    HEADERS,
    SUBMIT_PATH,
    Row,
    body_of,
    picture_url_of,
    save_picture,
    task_id_of,
)
from benchmarks.baselines.site import Site

#: Pictures fetched at once, beside the slots.
DOWNLOADS = 16


class AsyncRoad:
    """Built on the loop that runs the jobs."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._redis = Redis(connection_pool=BlockingConnectionPool.from_url(site.redis, max_connections=16))
        context = httpx.create_ssl_context()
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        clients = [
            httpx.AsyncClient(
                base_url=site.vendor,
                headers=HEADERS,
                timeout=60,
                verify=context,
                trust_env=False,
                limits=limits,
            )
            for _ in range(site.hands + DOWNLOADS)
        ]
        self._slots, self._downloads = _pool(clients[: site.hands]), _pool(clients[site.hands :])
        self._clients = clients

    async def run(self, row: Row) -> None:
        """Does one job from POST to record; a slot is held until the task's end is known, not longer."""
        client = await self._slots.get()
        try:
            task_id = await self._submit(client, row)
            url = await self._await_picture(client, task_id)
        finally:
            self._slots.put_nowait(client)
        client = await self._downloads.get()
        try:
            await self._collect(client, row, task_id, url)
        finally:
            self._downloads.put_nowait(client)

    async def _collect(self, client: httpx.AsyncClient, row: Row, task_id: str, url: str) -> None:
        content = (await client.get(url)).raise_for_status().content
        record = await asyncio.to_thread(save_picture, content, self._site.out, row["sku"])
        pipe = self._redis.pipeline(transaction=False)
        pipe.hset(f"bench:job:{row['sku']}", mapping=record | {"task_id": task_id})
        pipe.incr(DONE_KEY)
        await pipe.execute()

    async def _submit(self, client: httpx.AsyncClient, row: Row) -> str:
        while True:
            reply = await client.post(SUBMIT_PATH, json=body_of(row))
            if reply.status_code != httpx.codes.TOO_MANY_REQUESTS:
                return task_id_of(reply.raise_for_status().json())
            await asyncio.sleep(float(reply.headers.get("Retry-After", 1)))

    async def _await_picture(self, client: httpx.AsyncClient, task_id: str) -> str:
        await asyncio.sleep(self._site.first_poll_s)
        while True:
            reply = await client.get(f"{SUBMIT_PATH}/results", params={"task_id": task_id})
            url = picture_url_of(reply.raise_for_status().json())
            if url is not None:
                return url
            await asyncio.sleep(self._site.every_s)

    async def close(self) -> None:
        """Closes the connections."""
        for client in self._clients:
            await client.aclose()
        await self._redis.aclose()


def _pool(clients: list[httpx.AsyncClient]) -> "asyncio.LifoQueue[httpx.AsyncClient]":
    """The warm ones first."""
    pool: asyncio.LifoQueue[httpx.AsyncClient] = asyncio.LifoQueue()
    for client in clients:
        pool.put_nowait(client)
    return pool
