"""The callback receiver: keeps a hint that a task may have ended, and answers 200 only when the hint is kept.

A hint moves a poll forward; the result is fetched with our own token before anything is believed. Whatever is
wrong with a request, the answer is the same 404, so that nobody learns by asking which jobs exist.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from jobs.errors import RedisDownError
from worker.bounded import BodyError, bounded_body
from worker.callbacks.address import CallbackAddresses
from worker.callbacks.body import task_of

#: Bytes of a body; a real one has a few hundred.
MAX_BODY: Final = 65_536
#: Seconds for the whole body. HiDream hangs up after 5.
READ_S: Final = 3.0
#: Seconds for the store; after them HiDream is asked to come again.
STORE_S: Final = 1.5

log = structlog.get_logger()


#: Keeps a hint of a job's task, for good, before it returns; False: there is no such job. Raises RedisDownError.
Hint = Callable[[str, str | None], Awaitable[bool]]


class _Refusal(Exception):  # noqa: N818 no error of ours: the other side's request, on its way to the one 404
    """Why a request gets the 404; the reason goes to the log, never to the caller."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Takes callbacks; an ASGI application for what `app` mounts."""

    hint: Hint
    #: What proves that an address is ours.
    addresses: CallbackAddresses
    #: Given the outcome of each request: `received`, `refused` or `unavailable`.
    count: Callable[[str], object]
    #: Unix seconds.
    now: Callable[[], float] = time.time
    #: Seconds for the whole body, and for keeping the hint.
    read_s: float = READ_S
    store_s: float = STORE_S

    def app(self) -> Starlette:
        """The receiver as a server runs it; `GET /healthz` says 200 while it does."""
        return Starlette(routes=[Route("/healthz", _healthy, methods=["GET"]), Mount("/", app=self)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await WebSocketClose()(scope, receive, send)
            return
        request = Request(scope, receive)
        # The mount has moved the path's front into root_path; `path` itself is whole.
        parts = self.addresses.split(scope["path"])
        job = parts[0] if parts else None
        try:
            response = await self._take(request, parts)
        except _Refusal as refusal:
            self.count("refused")
            log.warning("callback.refused", reason=refusal.reason, request_id=job)
            response = _answer(404, "not found\n")
        except ClientDisconnect:
            self.count("refused")
            log.warning("callback.refused", reason="hung_up", request_id=job)
            return
        await response(scope, receive, send)

    async def _take(self, request: Request, parts: tuple[str, str, str] | None) -> Response:
        if parts is None:
            raise _Refusal("path")
        if request.method != "POST":
            raise _Refusal("method")
        job, expiry, mac = parts
        if not self.addresses.verify(job, expiry, mac, self.now()):
            raise _Refusal("address")
        # Whatever its header calls it: HiDream's own is not known, and what proves the request is its address.
        body = await self._read(request)
        try:
            task_id = task_of(body)
        except ValueError:
            raise _Refusal("not_json") from None
        return await self._keep(job, task_id)

    async def _read(self, request: Request) -> bytes:
        """The body, within its bounds; the address is proven before a byte of it is read."""
        try:
            return await bounded_body(request, most=MAX_BODY, seconds=self.read_s)
        except BodyError as error:
            raise _Refusal(error.reason) from None

    async def _keep(self, job: str, task_id: str | None) -> Response:
        try:
            async with asyncio.timeout(self.store_s):
                known = await self.hint(job, task_id)
        except (RedisDownError, TimeoutError):
            self.count("unavailable")
            log.warning("redis.waiting", request_id=job, task_id=task_id, seconds=self.store_s)
            return _answer(503, "try again\n")
        if not known:
            raise _Refusal("unknown_job")
        self.count("received")
        log.info("callback.received", request_id=job, task_id=task_id)
        return _answer(200, "ok\n")


def _answer(status: int, text: str) -> Response:
    """Ends its connection: an unread body stays unread, and one deadline per connection is enough."""
    return PlainTextResponse(text, status_code=status, headers={"connection": "close"})


async def _healthy(_request: Request) -> Response:
    return _answer(200, "ok\n")
