"""HTTP/1.1 over sockets: one thread a connection, and answers that may be late, cut, reset or followed by more."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

_never = threading.Event()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, whole."""

    method: str
    #: Path and query as sent.
    target: str
    #: Names in lower case.
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back, and how."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    #: Seconds before the first byte.
    delay_s: float = 0.0
    #: Bytes of the body that go out before the connection is closed; None: all.
    cut_at: int | None = None
    #: Bytes behind the answer, on the same connection.
    surplus: bytes = b""
    #: The connection is reset instead of an answer.
    reset: bool = False
    #: Called once every byte of the answer has been handed to the system.
    sent: Callable[[], None] = lambda: None


Answerer = Callable[[Request], Answer]


def serve(listener: socket.socket, answerer: Answerer) -> None:
    """Answers every connection until the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_converse, args=(connection, answerer), daemon=True).start()


def _converse(connection: socket.socket, answerer: Answerer) -> None:
    rest = b""
    # A client that dies in the middle is no trouble of ours.
    with connection, suppress(OSError):
        while True:
            request, rest = _read(connection, rest)
            if request is None or not _write(connection, answerer(request)):
                return


def _read(connection: socket.socket, rest: bytes) -> tuple[Request | None, bytes]:
    """The next request and what came after it; no request: the client has gone."""
    while b"\r\n\r\n" not in rest:
        part = connection.recv(65536)
        if not part:
            return None, b""
        rest += part
    head, _, rest = rest.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    missing = int(headers.get("content-length", "0")) - len(rest)
    parts = [rest]
    while missing > 0:
        part = connection.recv(min(missing, 1 << 20))
        if not part:
            return None, b""
        parts.append(part)
        missing -= len(part)
    content = b"".join(parts)
    length = int(headers.get("content-length", "0"))
    return Request(method=method, target=target, headers=headers, body=content[:length]), content[length:]


def _write(connection: socket.socket, answer: Answer) -> bool:
    """Sends an answer; False when the connection is over."""
    if answer.delay_s:
        _never.wait(answer.delay_s)
    if answer.reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    headers = {"Content-Length": str(len(answer.body)), **answer.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    body = answer.body[: answer.cut_at]
    connection.sendall(f"HTTP/1.1 {answer.status} Answer\r\n{head}\r\n".encode() + body + answer.surplus)
    answer.sent()
    return answer.cut_at is None
