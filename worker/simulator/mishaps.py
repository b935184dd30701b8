"""What each fault makes of a good reply: it breaks, stalls or swells. One table for every place."""

import asyncio
import dataclasses
import time
import zlib
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache

from worker.simulator.faults import Strike
from worker.simulator.replies import json_reply, status_reply
from worker.simulator.wire import Connection, Reply

_Maker = Callable[[Strike, Reply], Reply]

#: Length of the longest of the magic numbers of JPEG and PNG.
_MAGIC = 8
_CHUNK = 65536
_PAGE = b"<!DOCTYPE html><html><head><title>Gateway</title></head><body><h1>Please wait...</h1></body></html>"


def broken(strike: Strike | None, good: Reply) -> Reply:
    """The reply that the caller gets; a fault that does not concern the reply leaves it as it is."""
    maker = _MAKERS.get(strike.do) if strike is not None else None
    return good if strike is None or maker is None else maker(strike, good)


def _throttle(strike: Strike, _: Reply) -> Reply:
    """HTTP 429 with the Retry-After that the strike asks for."""
    given = strike.params["retry_after"]
    headers = {"retry-after": f"{given:g}" if isinstance(given, int | float) else given}
    if given == "date":
        headers["retry-after"] = formatdate(time.time() + strike.number("seconds"), usegmt=True)
    elif given == "absurd":
        headers["retry-after"] = "999999999999"
    elif given == "missing":
        headers = {}
    return status_reply(429, headers=headers)


def _reset(_: Strike, good: Reply) -> Reply:
    """No reply: the connection is reset."""
    return _stalled(good, 0)


def _hang(strike: Strike, good: Reply) -> Reply:
    """No reply for some seconds, then the connection is reset."""
    return _stalled(good, strike.number("seconds"))


def _stalled(good: Reply, seconds: float) -> Reply:
    async def sender(connection: Connection, _: Reply) -> None:
        await asyncio.sleep(seconds)
        connection.reset()

    return dataclasses.replace(good, sender=sender)


def _truncated(_: Strike, good: Reply) -> Reply:
    """Half of the reply under the full Content-Length, then the connection closes."""

    async def sender(connection: Connection, reply: Reply) -> None:
        await connection.write(reply.head() + reply.body[: len(reply.body) // 2])
        connection.close()

    return dataclasses.replace(good, sender=sender)


def _drip(strike: Strike, good: Reply) -> Reply:
    """The reply, byte by byte."""

    async def sender(connection: Connection, reply: Reply) -> None:
        await connection.write(reply.head())
        for byte in reply.body:
            await connection.write(bytes([byte]))
            await asyncio.sleep(strike.number("every_s"))

    return dataclasses.replace(good, sender=sender)


def _huge(strike: Strike, good: Reply) -> Reply:
    """So many bytes that begin well, made as they are sent."""

    async def sender(connection: Connection, reply: Reply) -> None:
        size = strike.count("bytes")
        await connection.write(reply.head(size) + reply.body[:size])
        left = max(0, size - len(reply.body))
        while left:
            part = min(left, _CHUNK)
            await connection.write(b"x" * part)
            left -= part

    return dataclasses.replace(good, sender=sender)


def _corrupt(_: Strike, good: Reply) -> Reply:
    """The picture with all after its magic number inverted: it begins right, and no decoder takes it."""
    body = good.body[:_MAGIC] + bytes(255 - byte for byte in good.body[_MAGIC:])
    return dataclasses.replace(good, body=body)


def _bomb(strike: Strike, good: Reply) -> Reply:
    """A small gzip body that inflates to so many bytes."""
    headers = {"content-encoding": "gzip"}
    return Reply(body=_gzipped_zeros(strike.count("bytes")), headers=headers, media_type=good.media_type)


@lru_cache(maxsize=2)
def _gzipped_zeros(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros, parts, left = bytes(1_000_000), [], size
    while left > 0:
        parts.append(packer.compress(zeros[:left]))
        left -= len(zeros)
    return b"".join([*parts, packer.flush()])


def _page(strike: Strike, _: Reply) -> Reply:
    """A gateway's page."""
    return Reply(status=int(strike.params.get("status", 200)), body=_PAGE, media_type="text/html")


_MAKERS: dict[str, _Maker] = {
    **dict.fromkeys(("reset", "reset-before", "reset-after"), _reset),
    **dict.fromkeys(("hang", "hang-before", "hang-after", "timeout"), _hang),
    **dict.fromkeys(
        ("status", "status-before", "status-after", "unauthorized"),
        lambda strike, _: status_reply(strike.count("status")),
    ),
    **dict.fromkeys(("403", "404"), lambda strike, _: status_reply(int(strike.do))),
    **dict.fromkeys(("empty", "zero"), lambda _, good: Reply(media_type=good.media_type)),
    **dict.fromkeys(("slow-loris", "drip"), _drip),
    "429": _throttle,
    "code": lambda strike, _: json_reply({"code": strike.count("code"), "message": strike.text("message")}),
    "no-result": lambda _, __: json_reply({"code": 0, "message": "Success"}),
    "html": _page,
    "truncated": _truncated,
    "half": lambda _, good: dataclasses.replace(good, body=good.body[: len(good.body) // 2]),
    "huge": _huge,
    "corrupt": _corrupt,
    "gzip-bomb": _bomb,
    "redirect": lambda strike, _: Reply(status=302, headers={"location": strike.text("location")}),
}
