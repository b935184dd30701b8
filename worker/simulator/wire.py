"""HTTP/1.1 by hand on an asyncio protocol: little CPU, and free to answer what HTTP does not allow."""

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol, cast

_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The head of a request."""

    method: str
    path: str
    #: What follows the `?`.
    query: str
    #: Values by lower-case name.
    headers: Mapping[str, str]
    #: When the head was here, epoch seconds.
    arrived_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A reply, and how it is sent."""

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Sends it in place of the usual way, which is whole and at once.
    sender: Callable[["Connection", "Reply"], Awaitable[None]] | None = None

    def head(self, length: int | None = None) -> bytes:
        """Status line and headers; `length` in place of the body's own."""
        own = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        length = len(self.body) if length is None else length
        return (
            f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Unknown')}\r\ncontent-type: {self.media_type}\r\n"
            f"content-length: {length}\r\ndate: {_date(int(time.time()))}\r\n{own}\r\n"
        ).encode()


@lru_cache(maxsize=1)
def _date(now_s: int) -> str:
    return formatdate(now_s, usegmt=True)


class Site(Protocol):
    """What answers."""

    #: Larger bodies are read to their end and thrown away.
    most_body_bytes: int

    def begin(self, request: Request) -> None:
        """A head is here; its body need not be."""

    def answer(self, request: Request, body: bytes | None) -> Reply | Awaitable[Reply]:
        """The reply; the body is None when it is too large."""


class Connection(asyncio.Protocol):
    """One caller's connection: requests one after the other."""

    def __init__(self, site: Site, connections: "set[Connection]") -> None:
        self._site = site
        self._connections = connections
        self._buffer = bytearray()
        self._request: Request | None = None
        self._body = _Body({}, 0)
        self._busy: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        # asyncio leaves Nagle's delay on for sockets made by `create_server`: 40 ms a reply.
        self._socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends an answer that nobody waits for; what it has made stays made."""
        del exc
        self._connections.discard(self)
        if self._busy is not None:
            self._busy.cancel()

    def pause_writing(self) -> None:
        """The caller reads more slowly than we write."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The caller has caught up."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Answers every request that is whole."""
        self._buffer += data
        self._go_on()

    async def write(self, content: bytes) -> None:
        """Sends bytes as they are, no faster than the caller reads."""
        self._transport.write(content)
        await self._writable.wait()

    def close(self) -> None:
        """Ends the connection behind what was written."""
        self._transport.close()

    def reset(self) -> None:
        """Ends the connection at once: with a linger of zero the kernel sends RST instead of FIN."""
        if not self._transport.is_closing():
            self._socket().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _socket(self) -> socket.socket:
        return cast("socket.socket", self._transport.get_extra_info("socket"))

    def _go_on(self) -> None:
        while self._busy is None and self._buffer and (self._request is not None or self._take_head()):
            request = cast("Request", self._request)
            if not self._body.take(self._buffer):
                return
            self._request = None
            reply = self._site.answer(request, self._body.content)
            if isinstance(reply, Reply) and reply.sender is None:
                self._send(request, reply)
            else:
                self._busy = asyncio.get_running_loop().create_task(self._answer(request, reply))
                self._busy.add_done_callback(self._answered)

    def _take_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        method, target, _ = first.split(" ", 2)
        path, _, query = target.partition("?")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._request = Request(method=method, path=path, query=query, headers=headers, arrived_s=time.time())
        self._body = _Body(headers, self._site.most_body_bytes)
        self._site.begin(self._request)
        if "expect" in headers:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    async def _answer(self, request: Request, reply: Reply | Awaitable[Reply]) -> None:
        if not isinstance(reply, Reply):
            reply = await reply
        if reply.sender is None:
            self._send(request, reply)
        else:
            await reply.sender(self, reply)

    def _send(self, request: Request, reply: Reply) -> None:
        self._transport.write(reply.head() + (b"" if request.method == "HEAD" else reply.body))
        if request.headers.get("connection", "").lower() == "close":
            self._transport.close()

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._busy = None
        if task.cancelled():
            return
        if task.exception() is not None:
            self._transport.close()
            task.result()
        self._go_on()


class _Body:
    """A body as it comes in: Content-Length or chunks without trailers."""

    def __init__(self, headers: Mapping[str, str], most: int) -> None:
        self._chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        self._left = int(headers.get("content-length", 0))
        self._most = most
        self._too_large = self._left > most
        self._content = bytearray()

    @property
    def content(self) -> bytes | None:
        """The whole body; None when it was too large."""
        return None if self._too_large else bytes(self._content)

    def take(self, buffer: bytearray) -> bool:
        """Takes what belongs to it off the buffer; True at its end."""
        if self._chunked:
            return self._take_chunks(buffer)
        part = buffer[: self._left]
        del buffer[: self._left]
        self._left -= len(part)
        self._keep(part)
        return self._left == 0

    def _take_chunks(self, buffer: bytearray) -> bool:
        while (line := buffer.find(b"\r\n")) >= 0:
            size = int(buffer[:line].split(b";")[0], 16)
            end = line + 2 + size + 2
            if len(buffer) < end:
                return False
            self._keep(buffer[line + 2 : end - 2])
            del buffer[:end]
            if size == 0:
                return True
        return False

    def _keep(self, part: bytearray) -> None:
        self._too_large = self._too_large or len(self._content) + len(part) > self._most
        if not self._too_large:
            self._content += part
