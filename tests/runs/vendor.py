"""The simulator as the account of a shop: every request is kept, and a test decides what happens to it."""

import dataclasses
import io
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from PIL import Image

from tests.simulator.serving import serving
from worker.simulator.app import RESULTS_PATH, SUBMIT_PATH
from worker.simulator.faults import Script, Strike
from worker.simulator.options import Options
from worker.simulator.pictures import plain
from worker.simulator.tasks import Task
from worker.simulator.wire import Request

#: An account that answers at once.
QUICK = Options(port=0, latency_s=0.05, latency_sigma=0, submit_delay_s=0, plain_pictures=True)


@dataclass(frozen=True)
class Submit:
    """One POST as it came."""

    body: bytes
    headers: dict[str, str]

    @property
    def asked(self) -> dict[str, str]:
        return json.loads(self.body)


class Vendor:
    """The whole account. `set` changes its switches at any time; `wait_for` waits until something holds."""

    def __init__(self) -> None:
        self.submits: list[Submit] = []
        #: Requests to other addresses than the documented ones.
        self.strangers: list[str] = []
        #: Headers of every picture's download.
        self.download_headers: list[dict[str, str]] = []
        #: The fault of an event, by its place and the body of its submit.
        self.fault: Callable[[str, dict[str, str]], Strike | None] = lambda _at, _asked: None
        self._stack = ExitStack()
        self._server = self._stack.enter_context(serving(QUICK))
        self.account = self._server.account
        self.account.script = _Faults(self)
        self._answer, self._server.app.answer = self._server.app.answer, self._heard

    def close(self) -> None:
        self._stack.close()

    def set(self, **switches: Any) -> None:
        """Changes what the simulator's command line would set."""
        self.account.options = dataclasses.replace(self.account.options, **switches)

    @property
    def url(self) -> str:
        return self._server.address

    @property
    def token(self) -> str:
        return self.account.options.token

    @token.setter
    def token(self, token: str) -> None:
        self.set(token=token)

    @property
    def tasks(self) -> dict[str, Task]:
        return dict(self.account.ledger.tasks)

    @property
    def most_in_flight(self) -> int:
        return self.account.ledger.counters["max_in_flight_seen"]

    def bought(self) -> dict[str, int]:
        """Request id → tasks made."""
        return dict(Counter(task.request_id for task in self.tasks.values()))

    def wait_for(self, holds: Callable[["Vendor"], Any], timeout_s: float = 30) -> None:
        until, pause = time.monotonic() + timeout_s, threading.Event()
        while not holds(self):
            assert time.monotonic() < until, "the vendor never saw it"
            pause.wait(0.01)

    def asked(self, request_id: str) -> dict[str, str]:
        """The latest body of a job."""
        return next(
            submit.asked for submit in reversed(self.submits) if submit.asked["request_id"] == request_id
        )

    def _heard(self, request: Request, body: bytes | None) -> Any:
        if request.path == SUBMIT_PATH:
            self.submits.append(Submit(body=body or b"", headers=dict(request.headers)))
        elif request.path.startswith("/image/"):
            self.download_headers.append(dict(request.headers))
        elif request.path != RESULTS_PATH:
            self.strangers.append(f"{request.method} {request.path}")
        return self._answer(request, body)


class _Faults(Script):
    """Asks the test what happens."""

    def __init__(self, vendor: Vendor) -> None:
        super().__init__()
        self._vendor = vendor

    def strikes(
        self, at: str, *, request_id: str = "", subject: str = "", most: int | None = None
    ) -> list[Strike]:
        strike = self._vendor.fault(at, self._vendor.asked(request_id))
        return [] if strike is None else [strike]


def picture(text: str) -> bytes:
    """A whole JPEG whose bytes no other text has."""
    out = io.BytesIO()
    Image.new("RGB", (96, 128), (len(text) * 40 % 256, 90, 120)).save(out, "JPEG", comment=text.encode())
    return out.getvalue()


def picture_of(task: Task) -> bytes:
    """What the account makes of a task."""
    return plain(task.sub_task_ids[0], "jpg")
