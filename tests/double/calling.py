"""Callbacks by HiDream's rule: at most three requests a second apart, five seconds each, only HTTP 200 counts."""

import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

_REQUESTS, _PAUSE_S, _TIMEOUT_S = 3, 1.0, 5.0
_never = threading.Event()


def call_back(url: str, *, after_s: float, body: Callable[[], bytes], heard: Callable[[int], None]) -> None:
    """Calls an address when a task has ended; `heard` gets each status, 0 when there was none."""
    threading.Thread(target=_call, args=(url, after_s, body, heard), daemon=True).start()


def _call(url: str, after_s: float, body: Callable[[], bytes], heard: Callable[[int], None]) -> None:
    _never.wait(after_s)
    for _ in range(_REQUESTS):
        status = _post(url, body())
        heard(status)
        if status == 200:
            return
        _never.wait(_PAUSE_S)


def _post(url: str, body: bytes) -> int:
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    try:
        with socket.create_connection((parts.hostname, parts.port or 80), timeout=_TIMEOUT_S) as connection:
            connection.sendall(head.encode() + body)
            return int(connection.makefile("rb").readline().split(b" ")[1])
    except (OSError, ValueError, IndexError):
        return 0
