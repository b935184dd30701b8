"""A vendor to the letter of HiDream's documentation, kept apart from the simulator so that no mistake is shared.

Every body received is kept verbatim, with its tasks, polls, downloads and callbacks; tests read them under no lock
because a list only grows.
"""

import io
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

SUBMIT = "/api-pub/ec/v3/image/vton/async"
#: How often and how far apart HiDream repeats a callback that was not answered 200.
CALLBACKS, CALLBACK_PAUSE_S, CALLBACK_TIMEOUT_S = 3, 1.0, 5.0


@dataclass
class Submit:
    """One POST as it came."""

    body: bytes
    headers: dict[str, str]
    arrived: float
    #: The task it made; None when it was refused.
    task_id: str | None = None

    @property
    def asked(self) -> dict[str, str]:
        return json.loads(self.body)


@dataclass
class Task:
    """One task bought."""

    task_id: str
    request_id: str
    notify_url: str
    #: Monotonic seconds.
    ends: float
    #: `task_status` at its end: 1 done, 3 failed, 4 moderated.
    end_status: int
    polls: int = 0
    downloads: int = 0
    #: HTTP statuses that its callbacks were answered with.
    called_back: list[int] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.ends


@dataclass(frozen=True)
class Answer:
    """An answer in place of the usual one."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def refusal(status: int, code: int, message: str) -> Answer:
    return Answer(status, json.dumps({"code": code, "message": message, "request_id": ""}).encode())


class Vendor:
    """The whole account. Change its attributes at any time; `wait_for` waits until something holds."""

    def __init__(self) -> None:
        self.submits: list[Submit] = []
        self.tasks: dict[str, Task] = {}
        self.strangers: list[str] = []
        #: Headers of every picture's download.
        self.download_headers: list[dict[str, str]] = []
        self.latency_s = 0.05
        #: How long an answer to a submit takes; what it buys is bought at once. Shortened, it is over at once.
        self.answer_s = 0.0
        self.in_flight = 0
        self.most_in_flight = 0
        self.token = ""
        #: Pictures that may still be bought; None: no end.
        self.credits: int | None = None
        self.end_status: Callable[[dict[str, str]], int] = lambda _asked: 1
        #: An answer in place of the usual one; None for the usual one.
        self.instead: Callable[[dict[str, str]], Answer | None] = lambda _asked: None
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._callers: list[threading.Thread] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.vendor = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._server.server_close()
        self._thread.join()
        for caller in self._callers:
            caller.join()

    def bought(self) -> dict[str, int]:
        """Request id → tasks made."""
        counts: dict[str, int] = {}
        for task in self.tasks.values():
            counts[task.request_id] = counts.get(task.request_id, 0) + 1
        return counts

    def wait_for(self, holds: Callable[["Vendor"], bool], timeout_s: float = 30) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: holds(self), timeout_s), "the vendor never saw it"

    # -- what the handler calls ------------------------------------------------------------------------------

    def submit(self, body: bytes, headers: dict[str, str]) -> Answer:
        with self._changed:
            submit = Submit(body=body, headers=headers, arrived=time.monotonic())
            self.submits.append(submit)
            self._changed.notify_all()
            if headers.get("authorization") != f"Bearer {self.token}":
                return refusal(401, 401, "token invalid")
            asked = submit.asked
            if (instead := self.instead(asked)) is not None:
                return instead
            if (wrong := _wrong(asked)) is not None:
                return refusal(200, 1001, wrong)
            if self.credits is not None and len(self.tasks) >= self.credits:
                return refusal(200, 2007, "No credits available")
            under_way = sum(not task.over for task in self.tasks.values())
            if self.in_flight and under_way >= self.in_flight:
                return refusal(429, 429, "too many")
            self.most_in_flight = max(self.most_in_flight, under_way + 1)
            task = self._make(asked)
            submit.task_id = task.task_id
        result = {"task_id": task.task_id, "sub_task_ids": [f"{task.task_id}-0"]}
        return _envelope("请求成功", task.request_id, result)

    def take_time(self) -> None:
        """Lets the time of an answer pass."""
        begun, pause = time.monotonic(), threading.Event()
        while time.monotonic() - begun < self.answer_s:
            pause.wait(0.02)

    def results(self, task_id: str, headers: dict[str, str]) -> Answer:
        if headers.get("authorization") != f"Bearer {self.token}":
            return refusal(401, 401, "token invalid")
        with self._changed:
            task = self.tasks.get(task_id)
            if task is None:
                return refusal(404, 404, "no such task")
            task.polls += 1
            self._changed.notify_all()
        return _envelope("Success", task.request_id, self._result(task))

    def image(self, name: str, headers: dict[str, str]) -> Answer:
        task = self.tasks.get(name.removesuffix(".jpg"))
        self.download_headers.append(headers)
        if task is None or not task.over or task.end_status != 1:
            return Answer(404, b"no such picture")
        with self._changed:
            task.downloads += 1
            self._changed.notify_all()
        return Answer(200, picture(task.task_id), {"Content-Type": "image/jpeg"})

    def make_unanswered(self, asked: dict[str, str]) -> Answer:
        """Buys the task and says nothing of it that could be understood."""
        self._make(asked)
        return Answer(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"})

    def _make(self, asked: dict[str, str]) -> Task:
        task = Task(
            task_id=f"t{len(self.tasks) + 1}",
            request_id=asked.get("request_id", ""),
            notify_url=asked.get("notify_url", ""),
            ends=time.monotonic() + self.latency_s,
            end_status=self.end_status(asked),
        )
        self.tasks[task.task_id] = task
        self._changed.notify_all()
        if task.notify_url:
            caller = threading.Thread(target=self._call_back, args=(task,), daemon=True)
            self._callers.append(caller)
            caller.start()
        return task

    def _result(self, task: Task) -> dict[str, Any]:
        over = task.over
        done = over and task.end_status == 1
        sub = {
            "sub_task_id": f"{task.task_id}-0",
            "task_status": task.end_status if over else 2,
            "task_completion": 1.0 if over else 0.5,
            "image": f"{self.url}/image/{task.task_id}.jpg" if done else "",
            "description": "",
        }
        return {"task_id": task.task_id, "sub_task_results": [sub]}

    def _call_back(self, task: Task) -> None:
        pause = threading.Event()
        pause.wait(max(0.0, task.ends - time.monotonic()))
        body = _envelope("Success", task.request_id, self._result(task)).body
        for _ in range(CALLBACKS):
            request = urllib.request.Request(task.notify_url, body, {"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=CALLBACK_TIMEOUT_S) as response:
                    status = response.status
            except urllib.error.HTTPError as error:
                status = error.code
                error.close()
            except OSError:
                status = 0
            task.called_back.append(status)
            if status == 200:
                return
            pause.wait(CALLBACK_PAUSE_S)


def picture(task_id: str) -> bytes:
    """A whole JPEG whose bytes no other task has."""
    out = io.BytesIO()
    Image.new("RGB", (96, 128), (len(task_id) * 40 % 256, 90, 120)).save(
        out, "JPEG", comment=task_id.encode()
    )
    return out.getvalue()


def _wrong(asked: dict[str, str]) -> str | None:
    """What the documentation says against a body; None when it is good."""
    known = {"person", "upper_clothes", "lower_clothes", "dress", "request_id", "notify_url"}
    garments = {"upper_clothes", "lower_clothes", "dress"} & asked.keys()
    if not asked.keys() <= known:
        return f"unknown fields {sorted(asked.keys() - known)}"
    if not asked.get("person") or not garments:
        return "person and a garment are required"
    if "dress" in garments and len(garments) > 1:
        return "dress excludes the others"
    if any(text.startswith("data:") for text in asked.values()):
        return "base64 comes without a prefix"
    return None


def _envelope(message: str, request_id: str, result: dict[str, Any]) -> Answer:
    content = {"code": 0, "message": message, "request_id": request_id, "result": result}
    return Answer(200, json.dumps(content, ensure_ascii=False).encode(), {"Content-Type": "application/json"})


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64
    vendor: Vendor

    def get_request(self):
        connection, address = super().get_request()
        self.vendor._open.add(connection)
        return connection, address

    def shutdown_request(self, request):
        self.vendor._open.discard(request)
        super().shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            # The client was killed in the middle.
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            return

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        if self.path == SUBMIT:
            answer = self.server.vendor.submit(body, self._headers())
            self.server.vendor.take_time()
            self._answer(answer)
        else:
            self._lost()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == f"{SUBMIT}/results":
            task_id = parse_qs(parts.query).get("task_id", [""])[0]
            self._answer(self.server.vendor.results(task_id, self._headers()))
        elif parts.path.startswith("/image/"):
            self._answer(self.server.vendor.image(parts.path.removeprefix("/image/"), self._headers()))
        else:
            self._lost()

    def _headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _lost(self) -> None:
        self.server.vendor.strangers.append(f"{self.command} {self.path}")
        self._answer(refusal(404, 404, "no such address"))

    def _answer(self, answer: Answer) -> None:
        headers = {"Content-Length": str(len(answer.body)), **answer.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.wfile.write(f"HTTP/1.1 {answer.status} X\r\n{head}\r\n".encode() + answer.body)

    def log_message(self, *args: object) -> None:
        """Says nothing."""
