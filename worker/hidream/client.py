"""Asks HiDream: one POST per job from a worker thread, many polls at once from the loop."""

import asyncio
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from http import HTTPStatus
from urllib.parse import urlencode

import aiohttp
import httpx
import structlog
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from pydantic import SecretStr
from yarl import URL

from jobs.config.settings import HiDreamSettings
from jobs.failpoints import reach
from jobs.records import TaskId
from worker.hidream.outcomes import NotSent, Paused, PollFailed, PollOutcome, SubmitOutcome, Unknown
from worker.hidream.replies import poll_outcome, submit_outcome
from worker.hidream.tokens import TokenSource, TokenUnavailableError
from worker.hidream.transport import (
    KEEPALIVE_S,
    MAX_CONNECTIONS,
    MAX_REPLY_BYTES,
    PLAIN,
    Deadline,
    DeadlineTransport,
    has_surplus,
    make_reply,
    make_request,
    read_reply,
    refuses,
)
from worker.hidream.wire import Body, Reply, words

log = structlog.get_logger()

_HEAD_BYTES = 65_536
#: What is kept of a reply that we cannot judge.
_TASK_ID = re.compile(rb'"task_id"\s*:\s*"([!-~]{1,200}?)"')


class _Sending:
    """A body on its way, which knows whether all of it was handed to the kernel."""

    def __init__(self, body: Body) -> None:
        self._body = body
        #: Until then HiDream has half a JSON object, shorter than its Content-Length: nothing to buy.
        self.whole = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._body.pieces():
            yield piece
            reach("body_half_sent")
        reach("body_sent")
        # Asked for more: the last piece was written without an error.
        self.whole = True


class SubmitClient:
    """Submits jobs over one connection; for one thread at a time, see `SubmitClients`."""

    def __init__(self, settings: HiDreamSettings, tokens: TokenSource, ssl_context: ssl.SSLContext) -> None:
        self._settings = settings
        self._tokens = tokens
        self._address = join(settings.base_url, settings.submit_path)
        self._deadline = Deadline()
        self._transport = DeadlineTransport(self._deadline, ssl_context)

    def submit(self, body: Body, request_id: str = "") -> SubmitOutcome:
        """Sends one job and judges the answer; each POST lasts at most `submit_timeout_s`, body and reply.

        A refused token is renewed and the job sent again, once; a refusal buys nothing.
        `request_id`: as the body says it; an answer to another one is not this job's.
        """
        try:
            token = self._tokens.token()
            outcome = self._post(body, request_id, token)
            if isinstance(outcome, Paused) and outcome.reason == "token":
                outcome = self._post(body, request_id, self._tokens.renew(token))
        except TokenUnavailableError as error:
            return (
                Paused(reason="token", message=error.reason) if error.final else NotSent(reason=error.reason)
            )
        return outcome

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def _post(self, body: Body, request_id: str, token: SecretStr) -> SubmitOutcome:
        sending = _Sending(body)
        secret = token.get_secret_value()
        headers = {
            "Authorization": f"Bearer {secret}",
            "Content-Type": "application/json",
            "Content-Length": str(body.length),
        }
        connect_s = self._settings.connect_timeout_s
        request = make_request("POST", self._address, headers=headers, content=sending, connect_s=connect_s)
        if has_surplus(self._transport):
            self._transport.drop()
        self._deadline.start(self._settings.submit_timeout_s)
        outcome: SubmitOutcome
        try:
            reply = read_reply(self._transport.handle_request(request), secret)
            outcome = self._judge(reply, body, request_id, whole=sending.whole)
        except httpx.TransportError as error:
            outcome = Unknown(reason=f"{type(error).__name__}: {error}")
        except Exception as error:
            # An error of ours: the connection is in no known state, and what HiDream did is not known either.
            self._transport.drop()
            log.exception("actor.failed", what="submit")
            outcome = Unknown(reason=f"an error of our own: {type(error).__name__}")
        if isinstance(outcome, Unknown) and outcome.mixed:
            self._transport.drop()
        if isinstance(outcome, Unknown) and not sending.whole:
            return NotSent(reason=outcome.reason)
        return outcome

    def _judge(self, reply: Reply, body: Body, request_id: str, *, whole: bool) -> SubmitOutcome:
        try:
            return submit_outcome(
                reply,
                self._settings,
                now_s=time.time(),
                request_id=request_id,
                sent_bytes=body.length,
                whole=whole,
            )
        except Exception as error:
            log.exception("actor.failed", what="submit")
            named = _TASK_ID.search(reply.body)
            task_id = named.group(1).decode() if named else "none"
            return Unknown(
                reason=f"an error of our own ({type(error).__name__}), the reply's task: {task_id}"
            )


class SubmitClients:
    """One `SubmitClient` for each thread that asks; they share the TLS context."""

    def __init__(self, make: Callable[[], SubmitClient]) -> None:
        self._make = make
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._all: list[SubmitClient] = []

    def get(self) -> SubmitClient:
        """This thread's client, made at its first use."""
        client: SubmitClient | None = getattr(self._mine, "client", None)
        if client is None:
            client = self._mine.client = self._make()
            with self._lock:
                self._all.append(client)
        return client

    def close(self) -> None:
        """Closes every thread's client; called when the threads are done."""
        with self._lock:
            clients, self._all = self._all, []
        for client in clients:
            client.close()


class PollClient:
    """Asks for results, many at a time over at most so many connections; made and used inside one event loop.

    By aiohttp, which takes a fifth of httpx' CPU.
    """

    def __init__(
        self,
        settings: HiDreamSettings,
        tokens: TokenSource,
        ssl_context: ssl.SSLContext,
        connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._address = join(settings.base_url, settings.results_path)
        self._session = open_session(ssl_context, connections, connect_s=settings.connect_timeout_s)

    async def results(self, task_id: TaskId, *, expected: int = 1) -> PollOutcome:
        """Asks once how a task stands; each GET lasts at most `poll_timeout_s`, waiting for a connection too.

        A refused token is renewed and the query sent again, once.

        Args:
            task_id: as the submit reply named it.
            expected: sub-tasks the submit reply named; with fewer listed the task is not over.
        """
        try:
            token = await self._tokens.atoken()
            outcome = await self._get(task_id, token, expected)
            if isinstance(outcome, PollFailed) and outcome.auth:
                outcome = await self._get(task_id, await self._tokens.arenew(token), expected)
        except TokenUnavailableError as error:
            return PollFailed(reason=error.reason, auth=error.final)
        return outcome

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._session.close()

    async def _get(self, task_id: TaskId, token: SecretStr, expected: int) -> PollOutcome:
        secret = token.get_secret_value()
        address = URL(f"{self._address}?{urlencode({'task_id': task_id})}", encoded=True)
        headers = {"Authorization": f"Bearer {secret}"}
        response: aiohttp.ClientResponse | None = None
        try:
            async with (
                asyncio.timeout(self._settings.poll_timeout_s),
                self._session.get(address, headers=headers, allow_redirects=False) as response,
            ):
                reply = await _read(response, secret)
        except TimeoutError:
            if response is None or response.status == HTTPStatus.OK:
                return PollFailed(reason=f"no answer within {self._settings.poll_timeout_s:g} s")
            # 404 or 429 say enough without their body.
            reply = make_reply(response.status, response.headers, b"", "the reply was cut off", secret)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Its words may hold the whole address and a part of what came.
            return PollFailed(reason=words(f"{type(error).__name__}: {error}", secret))
        outcome = poll_outcome(reply, self._settings, now_s=time.time(), task_id=task_id, expected=expected)
        if isinstance(outcome, PollFailed) and outcome.mixed and (used := _USED.get()) is not None:
            used.abort()
        return outcome


#: Connections that one poll passes over: a server that talks unasked does so on each.
_MOST_LEFT = 3
#: What this task's last poll went over.
_USED: ContextVar[ResponseHandler | None] = ContextVar("_USED", default=None)


class _Connector(aiohttp.TCPConnector):
    """Leaves a kept connection that holds bytes which nobody asked for: they would answer the next request."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 aiohttp's own signature
    ) -> Connection:
        """Gets a connection from the pool, or opens one."""
        for _ in range(_MOST_LEFT):
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is None or not connection.protocol.should_close:
                _USED.set(connection.protocol)
                return connection
            connection.protocol.abort()
            connection.close()
        raise aiohttp.ClientConnectionError("the server talks before it is asked")


def open_session(
    ssl_context: ssl.SSLContext,
    connections: int,
    *,
    connect_s: float,
    resolver: AbstractResolver | None = None,
    socket_factory: aiohttp.SocketFactoryType | None = None,
) -> aiohttp.ClientSession:
    """A session of at most so many connections, which adds nothing to a request but what HTTP itself asks for.

    `resolver` finds the addresses of a name, `socket_factory` makes the socket for an address; either may refuse to.
    """
    return aiohttp.ClientSession(
        connector=_Connector(
            ssl=ssl_context,
            limit=connections,
            keepalive_timeout=KEEPALIVE_S,
            resolver=resolver,
            socket_factory=socket_factory,
        ),
        headers=PLAIN,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        # As much as the submits' client takes.
        max_line_size=_HEAD_BYTES,
        max_field_size=_HEAD_BYTES,
        max_headers=1000,
        # A whole request has a deadline of its own; only connecting has a shorter one.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s),
    )


async def _read(response: aiohttp.ClientResponse, secret: str) -> Reply:
    """`read_reply` for the loop; a cut body raises, since a poll has nothing to lose."""
    fault = refuses(response.headers)
    body = bytearray()
    try:
        if not fault:
            async for part in response.content.iter_any():
                body += part
                if len(body) > MAX_REPLY_BYTES:
                    fault = "a reply of more than 1 MB"
                    break
    except aiohttp.ClientError:
        # 404 or 429 say enough without their body.
        if response.status == HTTPStatus.OK:
            raise
        fault = "the reply was cut off"
    if fault:
        response.close()
    return make_reply(response.status, response.headers, b"" if fault else bytes(body), fault, secret)


def join(base_url: str, path: str) -> str:
    """Scheme and host, and a path."""
    return f"{base_url.rstrip('/')}/{path.lstrip('/')}"
