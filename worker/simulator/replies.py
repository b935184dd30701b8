"""Replies: the good JSON one, and those that break, stall or swell."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from worker.simulator.faults import Strike
from worker.simulator.wires import Wires

_CHUNK = 65536
_KNOWN = frozenset(HTTPStatus)
_PAGE = b"<!DOCTYPE html><html><head><title>Gateway</title></head><body><h1>Please wait...</h1></body></html>"


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """JSON as it goes over the wire."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def json_reply(
    content: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON body."""
    return Response(json_bytes(content), status, headers, media_type="application/json")


def status_reply(status: int, *, headers: Mapping[str, str] | None = None) -> Response:
    """A vendor-like JSON body under an HTTP status."""
    phrase = HTTPStatus(status).phrase if status in _KNOWN else "Error"
    return json_reply({"code": status, "message": phrase}, status=status, headers=headers)


def html_reply(status: int = 200) -> Response:
    """A gateway's page."""
    return Response(_PAGE, status, media_type="text/html")


def throttle_reply(strike: Strike, *, now_s: float) -> Response:
    """HTTP 429 with the Retry-After that the strike asks for."""
    given = strike.params["retry_after"]
    headers = {"retry-after": f"{given:g}" if isinstance(given, int | float) else given}
    if given == "date":
        headers["retry-after"] = formatdate(now_s + strike.number("seconds"), usegmt=True)
    elif given == "absurd":
        headers["retry-after"] = "999999999999"
    elif given == "missing":
        headers = {}
    return status_reply(429, headers=headers)


class Reset(Response):
    """No reply: the connection is reset."""

    def __init__(self, wires: Wires) -> None:
        super().__init__()
        self._wires = wires

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Cuts, and waits until the server has seen it."""
        del send
        self._wires.cut(scope)
        await _gone(receive)


class Hang(Response):
    """No reply for some seconds, then the connection closes."""

    def __init__(self, wires: Wires, seconds: float) -> None:
        super().__init__()
        self._wires = wires
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Waits for the caller to give up, or for the time."""
        del send
        try:
            await asyncio.wait_for(_gone(receive), self._seconds)
        except TimeoutError:
            self._wires.cut(scope)
            await _gone(receive)


class Truncated(Response):
    """Half of a good reply under the full Content-Length, then the connection closes."""

    def __init__(self, wires: Wires, whole: Response) -> None:
        super().__init__()
        self._wires = wires
        self._whole = whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Writes past the server, which would not allow it."""
        del send
        transport = self._wires.of(scope)
        if transport is not None:
            body = bytes(self._whole.body)
            head = "".join(
                f"{name.decode()}: {value.decode()}\r\n" for name, value in self._whole.raw_headers
            )
            transport.write(
                f"HTTP/1.1 {self._whole.status_code} OK\r\n{head}\r\n".encode() + body[: len(body) // 2]
            )
            transport.close()
        await _gone(receive)


def drip_reply(whole: Response, *, every_s: float) -> Response:
    """A good reply, byte by byte."""

    async def drops() -> AsyncIterator[bytes]:
        body = bytes(whole.body)
        for index in range(len(body)):
            yield body[index : index + 1]
            await asyncio.sleep(every_s)

    return StreamingResponse(drops(), whole.status_code, dict(whole.headers))


def huge_reply(size: int, *, start: bytes, media_type: str | None) -> Response:
    """`size` bytes that begin well, made as they are sent."""

    async def chunks() -> AsyncIterator[bytes]:
        yield start[:size]
        left = max(0, size - len(start))
        while left:
            part = min(left, _CHUNK)
            yield b"x" * part
            left -= part

    return StreamingResponse(chunks(), 200, {"content-length": str(size)}, media_type=media_type)


def bomb_reply(size: int, *, media_type: str | None) -> Response:
    """A small gzip body that inflates to `size` bytes."""
    return Response(_bomb(size), 200, {"content-encoding": "gzip"}, media_type=media_type)


@lru_cache(maxsize=2)
def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros, parts, left = bytes(1_000_000), [], size
    while left > 0:
        parts.append(packer.compress(zeros[:left]))
        left -= len(zeros)
    return b"".join([*parts, packer.flush()])


async def _gone(receive: Receive) -> None:
    """Returns when the connection is lost."""
    while (await receive())["type"] != "http.disconnect":
        pass
