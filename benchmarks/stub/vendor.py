"""The vendor itself: submit, results, pictures, limits and callbacks over one ledger."""

import asyncio
import json
import random
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qs

from benchmarks.stub.callbacks import call_back
from benchmarks.stub.ledger import Ledger, Task
from benchmarks.stub.picture import make_picture, with_task
from benchmarks.stub.wire import Reply

_JSON = b"application/json"
_SUBMIT = b"/api-pub/ec/v3/image/vton/async"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the vendor behaves until the next reset. Times are seconds; 0 slots or pictures: no limit."""

    submit_delay_s: float = 0.05
    slots: int = 0
    pictures: int = 0
    #: The window that `pictures` are counted in: 1 or 60.
    window_s: float = 60
    #: Whether pictures over the limit are refused; else they are only counted.
    refuse: bool = True
    #: Median of the log-normal task latency.
    median_s: float = 2.0
    #: Sigma of its logarithm; 0 for a constant latency.
    sigma: float = 0.35
    seed: int = 1
    #: Whether `task_completion` tells how far a task is, in hundredths; else it says 0.5 until the end.
    progress: bool = False
    #: What a 429 says; empty: nothing.
    retry_after: str = "1"


class Vendor:
    """Answers requests; everything happens on one loop, so there is nothing to lock."""

    def __init__(self, base_url: str, clock: Callable[[], float]) -> None:
        self._base_url = base_url
        self._clock = clock
        self._picture = make_picture()
        self._pending: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._resets = 0
        self.reset(Rules())

    def reset(self, rules: Rules) -> None:
        """Forgets everything; tasks under way are dropped without a callback."""
        for timer in self._timers:
            timer.cancel()
        for job in self._pending:
            job.cancel()
        self._timers = set()
        # No task id comes twice: a reset is no new vendor, and a good client minds the same id for two jobs.
        self._resets += 1
        self.rules = rules
        self.ledger = Ledger()
        self._by_id: dict[str, Task] = {}
        self._accepted: deque[float] = deque()
        self._latencies = random.Random(rules.seed)
        #: Tasks from their POST's arrival to their end.
        self._parallel = 0

    def handle(self, method: bytes, target: bytes, body: bytes, reply: Reply, arrived: float) -> None:
        """Routes one request."""
        path, _, query = target.partition(b"?")
        if path == _SUBMIT and method == b"POST":
            self._submit(body, reply, arrived)
        elif path == _SUBMIT + b"/results":
            self._results(parse_qs(query.decode()).get("task_id", [""])[0], reply)
        elif path.startswith(b"/image/"):
            self._image(path[7:].decode().removesuffix(".jpg"), reply)
        elif path.startswith(b"/_stub/"):
            self._own(path[7:], body, reply)
        else:
            reply(404, b'{"code":404,"message":"no such address"}', _JSON, b"")

    def _submit(self, body: bytes, reply: Reply, arrived: float) -> None:
        rules = self.rules
        self.ledger.arrivals.append(arrived)
        try:
            asked = json.loads(body)
            asked["person"]
        except (ValueError, KeyError, TypeError):
            self.ledger.bad_requests += 1
            reply(400, b'{"code":400,"message":"bad body"}', _JSON, b"")
            return
        while self._accepted and self._accepted[0] <= arrived - rules.window_s:
            self._accepted.popleft()
        if rules.refuse and rules.pictures and len(self._accepted) >= rules.pictures:
            self.ledger.refused_rate += 1
            self._refuse(reply)
        elif rules.slots and self._parallel >= rules.slots:
            self.ledger.refused_parallel += 1
            self._refuse(reply)
        else:
            if rules.pictures:
                self._accepted.append(arrived)
            self._parallel += 1
            self.ledger.max_parallel = max(self.ledger.max_parallel, self._parallel)
            self._later(rules.submit_delay_s, lambda: self._create(asked, reply, arrived))

    def _refuse(self, reply: Reply) -> None:
        wait = self.rules.retry_after
        reply(
            429,
            b'{"code":429,"message":"too many"}',
            _JSON,
            f"Retry-After: {wait}\r\n".encode() if wait else b"",
        )

    def _create(self, asked: dict[str, Any], reply: Reply, arrived: float) -> None:
        """Makes the task; its latency depends only on its ordinal and the seed."""
        rules, number = self.rules, len(self.ledger.tasks)
        task = Task(
            number=number,
            task_id=f"t{self._resets}-{number}",
            request_id=str(asked.get("request_id", "")),
            latency_s=rules.median_s * 2.718281828459045 ** self._latencies.gauss(0, rules.sigma),
            arrived=arrived,
            created=self._clock(),
            notify_url=str(asked.get("notify_url") or ""),
        )
        self.ledger.tasks.append(task)
        self._by_id[task.task_id] = task
        self._later(task.latency_s, lambda: self._end(task))
        result = {"task_id": task.task_id, "sub_task_ids": [f"{task.task_id}-0"]}
        reply(200, _envelope(task.request_id, result), _JSON, b"")

    def _end(self, task: Task) -> None:
        task.ended = self._clock()
        self._parallel -= 1
        if task.notify_url:
            job = asyncio.get_running_loop().create_task(self._call_back(task))
            self._pending.add(job)
            job.add_done_callback(self._pending.discard)

    async def _call_back(self, task: Task) -> None:
        if await call_back(task.notify_url, self._result(task)):
            task.called_back = self._clock()

    def _results(self, task_id: str, reply: Reply) -> None:
        task = self._by_id.get(task_id)
        if task is None:
            self.ledger.unknown_polls += 1
            reply(404, b'{"code":404,"message":"no such task"}', _JSON, b"")
            return
        task.polls += 1
        if task.ended is not None and task.told is None:
            task.told = self._clock()
        reply(200, self._result(task), _JSON, b"")

    def _result(self, task: Task) -> bytes:
        done = task.ended is not None
        sub = {
            "sub_task_id": f"{task.task_id}-0",
            "task_status": 1 if done else 2,
            "task_completion": 1.0 if done else self._progress(task),
            "image": f"{self._base_url}/image/{task.task_id}.jpg" if done else "",
            "description": "",
        }
        return _envelope(task.request_id, {"task_id": task.task_id, "sub_task_results": [sub]})

    def _progress(self, task: Task) -> float:
        if not self.rules.progress:
            return 0.5
        return min(0.99, int(100 * (self._clock() - task.created) / task.latency_s) / 100)

    def _image(self, task_id: str, reply: Reply) -> None:
        task = self._by_id.get(task_id)
        if task is None or task.ended is None:
            reply(404, b"no such picture", b"text/plain", b"")
            return
        reply(200, with_task(self._picture, task_id), b"image/jpeg", b"")
        task.downloads += 1
        task.downloaded = task.downloaded or self._clock()

    def _own(self, name: bytes, body: bytes, reply: Reply) -> None:
        """The harness's own addresses: reset, progress, report."""
        rules = self.rules
        if name == b"reset":
            self.reset(Rules(**(json.loads(body) if body else {})))
            answer: dict[str, Any] = asdict(self.rules)
        elif name == b"progress":
            tasks = self.ledger.tasks
            answer = {"created": len(tasks), "downloaded": sum(task.downloaded is not None for task in tasks)}
        else:
            answer = self.ledger.report(slots=rules.slots, limit=rules.pictures, window_s=rules.window_s)
        reply(200, json.dumps(answer).encode(), _JSON, b"")

    def _later(self, delay_s: float, do: Callable[[], None]) -> None:
        """`do()` after the delay, unless a reset comes first."""

        def fire() -> None:
            self._timers.discard(timer)
            do()

        timer = asyncio.get_running_loop().call_later(delay_s, fire)
        self._timers.add(timer)


def _envelope(request_id: str, result: dict[str, Any]) -> bytes:
    return json.dumps({"code": 0, "message": "Success", "request_id": request_id, "result": result}).encode()
