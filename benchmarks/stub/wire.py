"""HTTP/1.1 by hand on an asyncio protocol: keep-alive, Content-Length and chunked bodies, one request at a time."""

import asyncio
from collections.abc import Callable
from typing import Any

_REASONS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 429: b"Too Many Requests"}

Reply = Callable[[int, bytes, bytes, bytes], None]
#: handle(method, target, body, reply, arrived); `reply` is called exactly once, now or later.
Handle = Callable[[bytes, bytes, bytes, Reply, float], None]


class Connection(asyncio.Protocol):
    """One client's connection; the handler answers through `reply`."""

    def __init__(self, handle: Handle, clock: Callable[[], float]) -> None:
        self._handle = handle
        self._clock = clock
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._busy = False
        self._arrived: float | None = None
        #: Bytes the buffer must hold before looking again makes sense.
        self._need = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None

    def data_received(self, data: bytes) -> None:
        if self._arrived is None:
            self._arrived = self._clock()
        self._buffer += data
        if not self._busy and len(self._buffer) >= self._need:
            self._next()

    def _next(self) -> None:
        """Takes one whole request off the buffer, if there is one."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        first, _, fields = bytes(self._buffer[:end]).partition(b"\r\n")
        length = _length(fields.lower())
        if length is None:
            body, used = _dechunk(self._buffer, end + 4)
            if used < 0:
                return
        else:
            used = end + 4 + length
            if len(self._buffer) < used:
                self._need = used
                return
            body = bytes(self._buffer[end + 4 : used])
        del self._buffer[:used]
        self._need, self._busy = 0, True
        arrived = self._clock() if self._arrived is None else self._arrived
        self._arrived = None
        method, target, _ = first.split(b" ", 2)
        self._handle(method, target, body, self._reply, arrived)

    def _reply(self, status: int, body: bytes, kind: bytes, extra: bytes) -> None:
        """Answers; `extra` is whole header lines."""
        self._busy = False
        if self._transport is None or self._transport.is_closing():
            return
        head = b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n"
        self._transport.write(head % (status, _REASONS[status], kind, len(body), extra) + body)
        if self._buffer:
            self._next()


def _length(fields: bytes) -> int | None:
    """The body's length; None when it comes in chunks."""
    if b"transfer-encoding: chunked" in fields:
        return None
    at = fields.find(b"content-length:")
    return int(fields[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def _dechunk(buffer: bytearray, at: int) -> tuple[bytes, int]:
    """A chunked body that begins at `at`: the body and where it ends in the buffer, -1 when it is not all there."""
    parts: list[bytes] = []
    while (line := buffer.find(b"\r\n", at)) >= 0:
        size = int(bytes(buffer[at:line]).split(b";")[0], 16)
        at = line + 2 + size + 2
        if len(buffer) < at:
            break
        if size == 0:
            return b"".join(parts), at
        parts.append(bytes(buffer[line + 2 : line + 2 + size]))
    return b"", -1
