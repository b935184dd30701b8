"""Replies: the good JSON one, and those that break, stall or swell."""

import asyncio
import dataclasses
import json
import zlib
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from worker.simulator.faults import Strike
from worker.simulator.wire import Connection, Reply

_CHUNK = 65536
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_KNOWN = frozenset(HTTPStatus)
_PAGE = b"<!DOCTYPE html><html><head><title>Gateway</title></head><body><h1>Please wait...</h1></body></html>"


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """JSON as it goes over the wire."""
    return _ENCODER.encode(content).encode()


def json_reply(
    content: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Reply:
    """A JSON body."""
    return Reply(status=status, body=json_bytes(content), headers=headers or {})


def status_reply(status: int, *, headers: Mapping[str, str] | None = None) -> Reply:
    """A vendor-like JSON body under an HTTP status."""
    phrase = HTTPStatus(status).phrase if status in _KNOWN else "Error"
    return json_reply({"code": status, "message": phrase}, status=status, headers=headers)


def html_reply(status: int = 200) -> Reply:
    """A gateway's page."""
    return Reply(status=status, body=_PAGE, media_type="text/html")


def throttle_reply(strike: Strike, *, now_s: float) -> Reply:
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


def reset_reply() -> Reply:
    """No reply: the connection is reset."""
    return hang_reply(0)


def hang_reply(seconds: float) -> Reply:
    """No reply for some seconds, then the connection is reset."""

    async def sender(connection: Connection, _: Reply) -> None:
        await asyncio.sleep(seconds)
        connection.reset()

    return Reply(sender=sender)


def truncated_reply(whole: Reply) -> Reply:
    """Half of a good reply under the full Content-Length, then the connection closes."""

    async def sender(connection: Connection, reply: Reply) -> None:
        await connection.write(reply.head() + reply.body[: len(reply.body) // 2])
        connection.close()

    return dataclasses.replace(whole, sender=sender)


def drip_reply(whole: Reply, *, every_s: float) -> Reply:
    """A good reply, byte by byte."""

    async def sender(connection: Connection, reply: Reply) -> None:
        await connection.write(reply.head())
        for byte in reply.body:
            await connection.write(bytes([byte]))
            await asyncio.sleep(every_s)

    return dataclasses.replace(whole, sender=sender)


def huge_reply(whole: Reply, size: int) -> Reply:
    """`size` bytes that begin well, made as they are sent."""

    async def sender(connection: Connection, reply: Reply) -> None:
        await connection.write(reply.head(size) + reply.body[:size])
        left = max(0, size - len(reply.body))
        while left:
            part = min(left, _CHUNK)
            await connection.write(b"x" * part)
            left -= part

    return dataclasses.replace(whole, sender=sender)


def bomb_reply(size: int, *, media_type: str) -> Reply:
    """A small gzip body that inflates to `size` bytes."""
    return Reply(body=_bomb(size), headers={"content-encoding": "gzip"}, media_type=media_type)


@lru_cache(maxsize=2)
def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros, parts, left = bytes(1_000_000), [], size
    while left > 0:
        parts.append(packer.compress(zeros[:left]))
        left -= len(zeros)
    return b"".join([*parts, packer.flush()])
