"""Callbacks with the vendor's rule: 5 s time-out, at most three requests 1 s apart, only HTTP 200 counts."""

import asyncio
import time
from typing import cast

import httpx

from worker.simulator.faults import Strike
from worker.simulator.ledger import Ledger
from worker.simulator.replies import json_bytes
from worker.simulator.tasks import SHAPES, CallbackShape, Dialect, Task, callback_body

_TRIES, _PAUSE_S, _TIMEOUT_S = 3, 1.0, 5.0
_CONNECTIONS = 32


class Courier:
    """Carries the news of ended tasks to their `notify_url`."""

    def __init__(self, ledger: Ledger, *, shape: CallbackShape | str, dialect: Dialect) -> None:
        """Makes a courier.

        Args:
            ledger: where deliveries are counted.
            shape: a callback shape, or `mixed` for all four in turn.
            dialect: field names.
        """
        self._ledger = ledger
        self._shape = shape
        self._dialect = dialect
        self._client: httpx.AsyncClient | None = None
        self._errands: set[asyncio.Task[None]] = set()
        #: Set and replaced whenever a callback has gone out: what is held back waits for the next one.
        self._passed = asyncio.Event()

    def send(self, task: Task, strike: Strike | None) -> asyncio.Task[None]:
        """Starts the delivery of an ended task's news, as a fault would have it."""
        errand = asyncio.get_running_loop().create_task(self._deliver(task, strike))
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)
        return errand

    async def close(self) -> None:
        """Drops what is not delivered; a vendor's restart does not repeat it either."""
        for errand in list(self._errands):
            errand.cancel()
        await asyncio.gather(*self._errands, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

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
        await self._insist(task.notify_url, body)
        if do == "twice":
            await self._insist(task.notify_url, body)
        return None

    def _body(self, task: Task, strike: Strike | None) -> bytes:
        shape = self._shape
        if strike and strike.do == "shape":
            shape = strike.text("shape")
        elif shape == "mixed":
            shape = SHAPES[task.ordinal % len(SHAPES)]
        news = callback_body(
            task, shape=cast("CallbackShape", shape), now_s=time.time(), dialect=self._dialect
        )
        if strike and strike.do == "huge":
            news["padding"] = "x" * strike.count("bytes")
        return json_bytes(news)

    async def _overtaken(self, seconds: float) -> None:
        """Waits until another callback has gone out."""
        try:
            await asyncio.wait_for(self._passed.wait(), seconds)
        except TimeoutError:
            return

    async def _insist(self, url: str, body: bytes) -> None:
        """Posts until HTTP 200, three times at most; then the news is lost."""
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_PAUSE_S)
            self._ledger.count("callbacks:sent")
            status = await self._post(url, body)
            if status == httpx.codes.OK:
                self._ledger.count("callbacks:accepted")
                self._passed.set()
                self._passed = asyncio.Event()
                return
        self._ledger.count("callbacks:lost")

    async def _post(self, url: str, body: bytes) -> int | None:
        """One request; its status, or None when there was none in time."""
        if self._client is None:
            limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
            self._client = httpx.AsyncClient(limits=limits, timeout=_TIMEOUT_S, trust_env=False)
        try:
            # httpx has no total time-out of its own.
            async with asyncio.timeout(_TIMEOUT_S):
                reply = await self._client.post(
                    url, content=body, headers={"content-type": "application/json"}
                )
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            return None
        return reply.status_code


def forge(url: str) -> str:
    """The address with its last letter changed."""
    return url[:-1] + ("A" if url[-1:] != "A" else "B")
