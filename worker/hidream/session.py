"""The one way to HiDream over HTTP: kept connections, a total deadline, small replies, no proxies, redirects or cookies."""

import asyncio
import os
import select
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import aiohttp
import certifi
from aiohttp.http import StreamWriter
from pydantic import SecretStr
from yarl import URL

from jobs.config.settings import HiDreamSettings
from jobs.errors import VtonError
from jobs.failpoints import reach
from worker.hidream.framing import ReplyFraming
from worker.hidream.wire import Body, Reply, cut, words

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver, AbstractStreamWriter
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

#: Connections of one session, unless somebody says how many.
MAX_CONNECTIONS = 32
#: An idle connection is dropped before usual servers drop it (5 s), so that a POST rarely meets a dying one.
_KEEPALIVE_S = 4.0
_MAX_REPLY_BYTES = 1_000_000
#: Sent with everything, so that nobody compresses; a compressed reply is refused anyway.
_PLAIN = {"Accept-Encoding": "identity", "User-Agent": "vton-batch"}
_HEAD_BYTES = 65_536
#: Connections that one request passes over: a server that talks unasked does so on each.
_MOST_LEFT = 3
#: What this task's last request went over.
_USED: ContextVar["ResponseHandler | None"] = ContextVar("_USED", default=None)


class NoAnswerError(VtonError):
    """No status came: the network's words, fit for a log."""


class Sending(aiohttp.Payload):
    """A body on its way, which knows whether all of it may have left."""

    def __init__(self, body: Body) -> None:
        super().__init__(body, content_type="application/json")
        self._body = body
        #: Bytes that the connection has not taken yet.
        self._left = body.length
        self._whole = False
        self._ended = False

    @property
    def size(self) -> int:
        """Bytes, for Content-Length."""
        return self._body.length

    def end(self) -> bool:
        """Sees to it that no more of it leaves.

        Returns:
            Whether all of it may have left. Until then HiDream has half a JSON object, shorter than its Content-Length:
            nothing to buy.
        """
        self._ended = True
        return self._whole

    async def write(self, writer: "AbstractStreamWriter") -> None:
        """Gives it to the connection piece by piece; files are read in a thread, as far as they are sent."""
        assert isinstance(writer, StreamWriter)
        self._left = self._body.length
        for chunk in self._body.chunks:
            if isinstance(chunk, bytes):
                await self._give(writer, chunk)
                continue
            blocks = chunk.blocks()
            # What it raises cuts the connection: the last byte has not left.
            while block := await asyncio.to_thread(next, blocks, b""):
                await self._give(writer, block)
        reach("body_sent")

    async def _give(self, writer: StreamWriter, block: bytes) -> None:
        for piece in cut(block):
            if self._ended:
                raise aiohttp.ClientConnectionError("given up")
            # It does not wait, so that nothing comes between the connection's taking a piece and our knowing it.
            await writer.write(piece, drain=False)
            self._left -= len(piece)
            self._whole = self._left == 0
            await writer.drain()
            reach("body_half_sent")

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The body as a text."""
        return b"".join(self._body.blocks()).decode(encoding, errors)


class Session:
    """Asks over at most so many connections; made and used inside one event loop."""

    def __init__(
        self,
        settings: HiDreamSettings,
        ssl_context: ssl.SSLContext,
        connections: int,
        *,
        repeats: bool = False,
    ) -> None:
        """`repeats`: a GET whose connection ends without a word is sent once more, as aiohttp does; a POST never is."""
        connect_s = settings.connect_timeout_s
        self._session = open_session(ssl_context, connections, connect_s=connect_s, repeats=repeats)

    async def ask(
        self,
        method: str,
        address: str,
        secret: SecretStr,
        *,
        seconds: float,
        header: str = "Authorization",
        sending: Sending | None = None,
    ) -> Reply:
        """Sends one request and reads its reply, of at most 1 MB.

        Args:
            method: of HTTP.
            address: goes out letter for letter.
            secret: what we prove ourselves by; it is kept out of all words.
            seconds: for all of it, waiting for a connection too.
            header: takes the secret; a token is a bearer's.
            sending: the body. When this returns or raises, no more of it leaves.

        Raises:
            NoAnswerError: no status came. A body that breaks off is `Reply.fault`: its status still says something.
        """
        _USED.set(None)
        hidden = secret.get_secret_value()
        headers = {header: f"Bearer {hidden}" if header == "Authorization" else hidden}
        response: aiohttp.ClientResponse | None = None
        reply: Reply | None = None
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.request(
                    method, URL(address, encoded=True), headers=headers, data=sending, allow_redirects=False
                ) as response,
            ):
                reply = await _read(response, hidden)
                self._end(sending)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = _words(error, seconds, hidden)
            if response is None:
                raise NoAnswerError(why) from None
            # What was read before the error is what HiDream has said.
            return reply or _reply(response, hidden, fault=why)
        finally:
            self._end(sending)
        return reply

    def drop(self) -> None:
        """Cuts the connection that this task's last request went over."""
        if (used := _USED.get()) is not None:
            used.abort()

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._session.close()

    def _end(self, sending: Sending | None) -> None:
        if sending is not None and not sending.end():
            self.drop()


def open_session(
    ssl_context: ssl.SSLContext,
    connections: int,
    *,
    connect_s: float,
    repeats: bool = True,
    resolver: "AbstractResolver | None" = None,
    socket_factory: aiohttp.SocketFactoryType | None = None,
) -> aiohttp.ClientSession:
    """A session of at most so many connections, which adds nothing to a request but what HTTP itself asks for.

    `repeats`: as of `Session`. `resolver` finds the addresses of a name, `socket_factory` makes the socket for an address;
    either may refuse to.
    """
    return aiohttp.ClientSession(
        connector=_Connector(
            ssl=ssl_context,
            limit=connections,
            keepalive_timeout=_KEEPALIVE_S,
            resolver=resolver,
            socket_factory=socket_factory,
            repeats=repeats,
        ),
        headers=_PLAIN,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        max_line_size=_HEAD_BYTES,
        max_field_size=_HEAD_BYTES,
        max_headers=1000,
        # A whole request has a deadline of its own; only connecting has a shorter one.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s),
    )


def make_ssl_context() -> ssl.SSLContext:
    """Makes the one TLS context of a process (22 ms), as httpx would; SSL_CERT_FILE and SSL_CERT_DIR are heeded."""
    file, folder = (os.environ.get(f"SSL_CERT_{what}") for what in ("FILE", "DIR"))
    if file or folder:
        return ssl.create_default_context(cafile=file or None, capath=None if file else folder)
    return ssl.create_default_context(cafile=certifi.where())


class _Connector(aiohttp.TCPConnector):
    """Leaves a kept connection that has ended, or that holds bytes nobody asked for: they would answer the next request."""

    def __init__(self, *, repeats: bool, **options: Any) -> None:
        super().__init__(**options)
        self._repeats = repeats

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: "list[Trace]",
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 aiohttp's own signature
    ) -> "Connection":
        """Gets a connection from the pool, or opens one."""
        if _USED.get() is not None and not (self._repeats and req.method == "GET"):
            raise aiohttp.ClientConnectionError("the connection ended without an answer")
        for _ in range(_MOST_LEFT):
            connection = await super().connect(req, traces, timeout)
            protocol, transport = connection.protocol, connection.transport
            assert protocol is not None
            if transport is not None and not protocol.should_close and _Watch.begins(transport, protocol):
                _USED.set(protocol)
                return connection
            protocol.abort()
            connection.close()
        raise aiohttp.ClientConnectionError("the server talks before it is asked")


class _Watch(asyncio.Protocol):
    """Stands between a connection and aiohttp, which hears a reply to its end and nothing behind it."""

    def __init__(self, transport: asyncio.Transport, protocol: "ResponseHandler") -> None:
        self._protocol = protocol
        self.reply = ReplyFraming()
        # Drained means handed to the kernel then: no end of a body waits here when the next piece is asked for.
        transport.set_write_buffer_limits(high=1)
        transport.set_protocol(self)

    @classmethod
    def begins(cls, transport: asyncio.Transport, protocol: "ResponseHandler") -> bool:
        """Watches the next reply; False if a kept connection has said more than the last one, or has ended."""
        watch = transport.get_protocol()
        if not isinstance(watch, cls):
            cls(transport, protocol)
            return True
        unheard = select.poll()
        unheard.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        clean = watch.reply.clean and not unheard.poll(0)
        watch.reply = ReplyFraming()
        return clean

    def data_received(self, data: bytes) -> None:
        """Something has come."""
        if of_reply := self.reply.take(data):
            self._protocol.data_received(of_reply)

    def eof_received(self) -> None:
        """Nothing more comes."""
        self._protocol.eof_received()

    def pause_writing(self) -> None:
        """The connection takes no more for now."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._protocol.connection_lost(exc)


def _words(error: Exception, seconds: float, secret: str) -> str:
    """Why there is no answer: an error's words may hold the whole address and a part of what came."""
    if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
        return f"no answer within {seconds:g} s"
    return words(f"{type(error).__name__}: {error}", secret)


async def _read(response: aiohttp.ClientResponse, secret: str) -> Reply:
    if fault := _refuses(response.headers):
        response.close()
        return _reply(response, secret, fault=fault)
    body = bytearray()
    try:
        async for part in response.content.iter_any():
            body += part
            if len(body) > _MAX_REPLY_BYTES:
                response.close()
                return _reply(response, secret, fault="a reply of more than 1 MB")
    except aiohttp.ClientError as error:
        return _reply(response, secret, fault=f"the reply was cut off: {type(error).__name__}")
    return _reply(response, secret, bytes(body))


def _reply(response: aiohttp.ClientResponse, secret: str, body: bytes = b"", *, fault: str = "") -> Reply:
    """What the judgement needs of a response."""
    return Reply(
        status=response.status,
        body=body,
        fault=fault,
        retry_after=response.headers.get("Retry-After"),
        date=response.headers.get("Date"),
        secret=secret,
    )


def _refuses(headers: Mapping[str, str]) -> str:
    """Why a body is not even read (compressed, or too long by its own word); empty when it is."""
    if is_compressed(headers):
        return "a compressed reply"
    return f"a reply of more than {_MAX_REPLY_BYTES:,} bytes" if says_more(headers, _MAX_REPLY_BYTES) else ""


def is_compressed(headers: Mapping[str, str]) -> bool:
    """Whether a body is not sent as it is."""
    return headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}


def says_more(headers: Mapping[str, str], max_bytes: int) -> bool:
    """Whether a body is too long by its own word."""
    length = headers.get("Content-Length", "")
    return length.isdigit() and int(length) > max_bytes
