"""Callbacks with the vendor's rule: 5 s time-out, at most three requests 1 s apart, only HTTP 200 counts."""

import asyncio
import time
from typing import cast
from urllib.parse import urlsplit

from worker.simulator.faults import Strike
from worker.simulator.ledger import Ledger
from worker.simulator.replies import json_bytes
from worker.simulator.tasks import SHAPES, CallbackShape, Dialect, Task, callback_body

_TRIES, _PAUSE_S, _TIMEOUT_S = 3, 1.0, 5.0
_AT_ONCE = 32
_OK = 200


class Callbacks:
    """Says to each task's `notify_url` that it has ended."""

    def __init__(self, ledger: Ledger, *, shape: CallbackShape | str, dialect: Dialect) -> None:
        """Makes them ready; nothing is sent yet.

        Args:
            ledger: where deliveries are counted.
            shape: a callback shape, or `mixed` for all four in turn.
            dialect: field names.
        """
        self._ledger = ledger
        self._shape = shape
        self._dialect = dialect
        self._deliveries: set[asyncio.Task[None]] = set()
        self._requests = asyncio.Semaphore(_AT_ONCE)
        #: Set and replaced whenever a callback has gone out: what is held back waits for the next one.
        self._passed = asyncio.Event()

    def send(self, task: Task, strike: Strike | None) -> asyncio.Task[None]:
        """Starts the delivery of an ended task's callback, as a fault would have it."""
        delivery = asyncio.get_running_loop().create_task(self._deliver(task, strike))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)
        return delivery

    async def close(self) -> None:
        """Drops what is not delivered; a vendor's restart does not repeat it either."""
        for delivery in list(self._deliveries):
            delivery.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)

    async def _deliver(self, task: Task, strike: Strike | None) -> None:
        do = strike.do if strike else ""
        body = self._body(task, strike)
        if do == "never":
            return self._ledger.count("callbacks:withheld")
        if strike and do == "late":
            await asyncio.sleep(strike.number("seconds"))
        elif strike and do == "out-of-order":
            await self._overtaken(strike.number("seconds"))
        elif strike and do == "forged":
            await self._post(forge(task.notify_url), body)
            self._ledger.count("callbacks:forged")
            if strike.params["only"]:
                return None
        await self._insist(task, body)
        if do == "twice":
            await self._insist(task, body)
        return None

    def _body(self, task: Task, strike: Strike | None) -> bytes:
        shape = self._shape
        if strike and strike.do == "shape":
            shape = strike.text("shape")
        elif shape == "mixed":
            shape = SHAPES[task.ordinal % len(SHAPES)]
        content = callback_body(
            task, shape=cast("CallbackShape", shape), now_s=time.time(), dialect=self._dialect
        )
        if strike and strike.do == "huge":
            content["padding"] = "x" * strike.count("bytes")
        return json_bytes(content)

    async def _overtaken(self, seconds: float) -> None:
        """Waits until another callback has gone out."""
        try:
            await asyncio.wait_for(self._passed.wait(), seconds)
        except TimeoutError:
            return

    async def _insist(self, task: Task, body: bytes) -> None:
        """Posts until HTTP 200, three times at most; then the callback is lost."""
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_PAUSE_S)
            self._ledger.count("callbacks:sent")
            status = await self._post(task.notify_url, body)
            if status == _OK:
                self._ledger.count("callbacks:accepted")
                self._ledger.note_callback(task, time.time())
                self._passed.set()
                self._passed = asyncio.Event()
                return
        self._ledger.count("callbacks:lost")

    async def _post(self, url: str, body: bytes) -> int | None:
        """One request on a connection of its own; its status, or None when there was none in time."""
        async with self._requests:
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    return await _status_of(url, body)
            except (
                OSError,
                ValueError,
                TimeoutError,
                asyncio.IncompleteReadError,
                asyncio.LimitOverrunError,
            ):
                return None


async def _status_of(url: str, body: bytes) -> int:
    parts = urlsplit(url)
    safe = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or (443 if safe else 80), ssl=safe or None
    )
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = (
            f"POST {target} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        writer.write(head.encode() + body)
        return int((await reader.readuntil(b"\r\n")).split(b" ", 2)[1])
    finally:
        writer.close()


def forge(url: str) -> str:
    """The address with its last letter changed."""
    return url[:-1] + ("A" if url[-1:] != "A" else "B")
