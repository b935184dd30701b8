"""Asks HiDream: one POST per job from a worker thread, many polls at once from the loop."""

import asyncio
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from urllib.parse import urlencode

import httpx
import structlog
from pydantic import SecretStr

from jobs.config.settings import HiDreamSettings
from jobs.failpoints import reach
from jobs.records import TaskId
from worker.hidream.outcomes import NotSent, Paused, PollFailed, PollOutcome, SubmitOutcome, Unknown
from worker.hidream.pool import TransportPool
from worker.hidream.replies import poll_outcome, submit_outcome
from worker.hidream.tokens import TokenSource, TokenUnavailableError
from worker.hidream.transport import (
    KEEPALIVE_S,
    MAX_CONNECTIONS,
    MAX_REPLY_BYTES,
    Deadline,
    DeadlineTransport,
    has_surplus,
    make_reply,
    make_request,
    quiet_http_logs,
    read_reply,
    refuses,
    sent,
    stream_of,
)
from worker.hidream.wire import Body, Reply

log = structlog.get_logger()

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
    """Asks for results, many at a time over at most so many connections; made and used inside one event loop."""

    def __init__(
        self,
        settings: HiDreamSettings,
        tokens: TokenSource,
        ssl_context: ssl.SSLContext,
        connections: int = MAX_CONNECTIONS,
    ) -> None:
        quiet_http_logs()
        self._settings = settings
        self._tokens = tokens
        self._address = join(settings.base_url, settings.results_path)
        self._ssl_context = ssl_context
        self._pool = TransportPool(self._open, connections)

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
        await self._pool.aclose()

    def _open(self) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(
            verify=self._ssl_context,
            trust_env=False,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_S),
        )

    async def _get(self, task_id: TaskId, token: SecretStr, expected: int) -> PollOutcome:
        secret = token.get_secret_value()
        request = make_request(
            "GET",
            f"{self._address}?{urlencode({'task_id': task_id})}",
            headers={"Authorization": f"Bearer {secret}"},
            connect_s=self._settings.connect_timeout_s,
        )
        try:
            async with asyncio.timeout(self._settings.poll_timeout_s), self._pool.transport() as transport:
                async with sent(transport, request) as response:
                    reply = await _read(response, secret)
                outcome = poll_outcome(
                    reply, self._settings, now_s=time.time(), task_id=task_id, expected=expected
                )
                if isinstance(outcome, PollFailed) and outcome.mixed:
                    await transport.aclose()
        except TimeoutError:
            return PollFailed(reason=f"no answer within {self._settings.poll_timeout_s:g} s")
        except (httpx.TransportError, OSError, UnicodeError) as error:
            return PollFailed(reason=f"{type(error).__name__}: {error}")
        return outcome


async def _read(response: httpx.Response, secret: str) -> Reply:
    """`read_reply` for the loop; a cut body raises, since a poll has nothing to lose."""
    fault = refuses(response.headers)
    body = bytearray()
    try:
        if not fault:
            async for part in stream_of(response):
                body += part
                if len(body) > MAX_REPLY_BYTES:
                    fault = "a reply of more than 1 MB"
                    break
    except httpx.TransportError:
        # 404 or 429 say enough without their body.
        if response.status_code == HTTPStatus.OK:
            raise
        fault = "the reply was cut off"
    return make_reply(response, b"" if fault else bytes(body), fault, secret)


def join(base_url: str, path: str) -> str:
    """Scheme and host, and a path."""
    return f"{base_url.rstrip('/')}/{path.lstrip('/')}"
