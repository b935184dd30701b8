"""A server made of bytes: a test says what the wire does for each request, a reset or half a reply too."""

import contextlib
import json
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Heard:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    #: Which connection it came on, from 0.
    connection: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One connection, from the server's side."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number
        self._rest = b""

    def hear(self) -> Heard | None:
        """The next request, whole; None when the client has gone."""
        head = self.hear_head()
        if head is None:
            return None
        length = int(head.headers.get("content-length", "0"))
        while len(self._rest) < length:
            if not self._more():
                return None
        body, self._rest = self._rest[:length], self._rest[length:]
        return Heard(head.method, head.target, head.headers, body, self.number)

    def hear_head(self) -> Heard | None:
        while b"\r\n\r\n" not in self._rest:
            if not self._more():
                return None
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Heard(method, target, headers, b"", self.number)

    def say(self, raw: bytes) -> None:
        with contextlib.suppress(OSError):
            self.sock.sendall(raw)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        named = {"Content-Length": str(len(body)), **{k.replace("_", "-"): v for k, v in headers.items()}}
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)
        self.say(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body)

    def answer_json(self, content: Any, status: int = 200, **headers: str) -> None:
        self.answer(status, json.dumps(content).encode(), **headers)

    def reset(self) -> None:
        """RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()

    def hang(self) -> None:
        """Says nothing until the client gives up."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass

    def drip(self, part: bytes, every_s: float = 0.02) -> None:
        """Says the same part again and again until the client gives up."""
        with contextlib.suppress(OSError):
            while not select.select([self.sock], [], [], every_s)[0]:
                self.sock.sendall(part)

    def _more(self) -> bool:
        try:
            part = self.sock.recv(1_000_000)
        except OSError:
            return False
        self._rest += part
        return bool(part)


Answer = Callable[[Wire, Heard], None]


class RawServer:
    """Answers the requests in order with `answers`, the last one for ever; every one heard is kept."""

    def __init__(
        self,
        *answers: Answer,
        on_connect: Callable[[Wire], bool] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.answers = list(answers)
        self.heard: list[Heard] = []
        self.connections = 0
        self._on_connect = on_connect
        self._tls = tls
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._wires: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for sock in self._wires:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in self._wires:
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._wires.append(sock)
            number = self.connections
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        if self._tls is not None:
            try:
                sock = self._tls.wrap_socket(sock, server_side=True)
            except OSError:
                return
            self._wires.append(sock)
        wire = Wire(sock, number)
        with contextlib.suppress(OSError, ValueError):
            if self._on_connect is not None and not self._on_connect(wire):
                return
            while (heard := wire.hear()) is not None:
                with self._lock:
                    self.heard.append(heard)
                    answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                answer(wire, heard)


def says(content: Any, status: int = 200, **headers: str) -> Answer:
    return lambda wire, _heard: wire.answer_json(content, status, **headers)


def raw(status: int, body: bytes = b"", **headers: str) -> Answer:
    return lambda wire, _heard: wire.answer(status, body, **headers)


def accepted(task_id: str = "t-1", *subs: str) -> Answer:
    return says({"code": 0, "message": "ok", "result": {"task_id": task_id, "sub_task_ids": list(subs)}})
