"""Bodies of requests, within bounds of size and time."""

import asyncio

from starlette.requests import Request


class BodyError(Exception):
    """A body beyond its bounds. `reason`: `too_big` or `too_slow`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def bounded_body(request: Request, *, most: int, seconds: float) -> bytes:
    """The whole body. Raises BodyError: it has more bytes than `most`, or takes longer than `seconds`."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise BodyError("too_big")
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise BodyError("too_big")
    except TimeoutError:
        raise BodyError("too_slow") from None
    return bytes(body)
