"""Callbacks by the vendor's rule: at most 3 requests 1 s apart, 5 s each, only HTTP 200 counts."""

import asyncio
from urllib.parse import urlsplit


async def call_back(address: str, body: bytes) -> bool:
    """POSTs the body to `http://host:port/path`; True when it was taken."""
    for attempt in range(3):
        if attempt:
            await asyncio.sleep(1)
        try:
            async with asyncio.timeout(5):
                if await _post(address, body):
                    return True
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
            continue
    return False


async def _post(address: str, body: bytes) -> bool:
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = (
            f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + body)
        status = await reader.readuntil(b"\r\n")
        return status.split(b" ", 2)[1] == b"200"
    finally:
        writer.close()
