"""The account: takes pairs, makes tasks, charges for them, answers about them, as HiDream's documentation says.

Settings in the script's `account`:
  tokens             accepted ones; empty: every one
  in_flight, per_minute   limits, answered with 429; 0: none
  latency_s          of a task; submit_delay_s: of an answer
  credits            pictures that may still be bought; null: no end
  picture_host       the host that picture addresses name; empty: the double's own
Rules:
  at submit   status (status, body, after) · code (code, message) · reset (after) · delay (seconds, the task is made first) ·
              surplus (a whole refusal behind the answer) · surrogate (2007 whose message has half a character)
  at task     made (latency_s, subs, end_status)
  at poll     status (status, body) · task_status (task_status) · other (another task's result) · fewer (one sub-task less) ·
              surrogate (place: description or image) · surplus
  at download status (status, body) · reset
`body` is one of html, empty, truncated, envelope, bare, task (an envelope that names the task).
"""

import io
import json
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from tests.double.books import Books, Entry
from tests.double.calling import call_back
from tests.double.script import Script
from tests.double.wire import Answer, Request

SUBMIT = "/api-pub/ec/v3/image/vton/async"
_GARMENTS = ("upper_clothes", "lower_clothes", "dress")
_WINDOW_S = 60.0
_DONE = 1
_WORKING = 2
#: What is not JSON's and yet in its escapes: half of a character of two.
_HALF = "\\ud83d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task made, and charged unless it ends without a picture."""

    task_id: str
    request_id: str
    sub_task_ids: list[str]
    #: The addresses that its pair names, for rules.
    text: str
    #: Epoch, s.
    at: float
    latency_s: float
    end_status: int
    notify_url: str

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return time.time() >= self.at + self.latency_s


class Account:
    """Answers requests; every method is called from many threads."""

    def __init__(self, books: Books, script: Script, address: str, earlier: list[Entry]) -> None:
        self._books = books
        self._script = script
        self._address = address
        fields = Task.__dataclass_fields__
        self._tasks: dict[str, Task] = {
            entry["task_id"]: Task(**{name: entry[name] for name in fields})
            for entry in earlier
            if entry["kind"] == "task"
        }
        self._arrivals: deque[float] = deque()
        self._lock = threading.RLock()

    def answer(self, request: Request) -> Answer:
        """The answer to any request."""
        parts = urlsplit(request.target)
        if request.method == "POST" and parts.path == SUBMIT:
            return self._submit(request)
        if request.method == "GET" and parts.path == f"{SUBMIT}/results":
            return self._results(request, parse_qs(parts.query).get("task_id", [""])[0])
        if request.method in {"GET", "HEAD"} and parts.path.startswith("/image/"):
            return self._image(parts.path.removeprefix("/image/").rpartition(".")[0])
        self._books.write("refused", why="address", target=request.target)
        return _envelope(404, 404, "no such address")

    # -- submits -----------------------------------------------------------------------------------------------

    def _submit(self, request: Request) -> Answer:
        asked, account = _asked(request.body), self._script.account()
        request_id = str(asked.get("request_id", ""))
        self._books.write("submit", request_id=request_id, bytes=len(request.body))
        if not self._known(request):
            self._books.write("refused", why="token", request_id=request_id)
            return _envelope(401, 401, "token invalid", request_id)
        with self._lock:
            if (refusal := self._refusal(asked, account)) is not None:
                return refusal
            text = " ".join(str(asked.get(name, "")) for name in ("person", *_GARMENTS))
            rule = self._script.struck("submit", request_id or text, text, len(self._tasks))
            if rule is not None:
                self._books.write("fault", place="submit", do=rule["do"], request_id=request_id)
                if not _makes_a_task(rule):
                    return _instead(rule, request_id, None)
            task = self._make(asked, text, account)
        delay_s = account.get("submit_delay_s", 0.0)
        return self._named(task, rule or {"do": "delay", "seconds": delay_s})

    def _refusal(self, asked: dict[str, Any], account: dict[str, Any]) -> Answer | None:
        """What the documentation says against a submit."""
        request_id = str(asked.get("request_id", ""))
        now = time.time()
        while self._arrivals and self._arrivals[0] <= now - _WINDOW_S:
            self._arrivals.popleft()
        under_way = sum(not task.over for task in self._tasks.values())
        code, why, status = 0, "", 200
        if (wrong := _wrong(asked)) is not None:
            code, why = 1001, wrong
        elif account.get("per_minute") and len(self._arrivals) >= account["per_minute"]:
            code, why, status = 429, "rate", 429
        elif account.get("in_flight") and under_way >= account["in_flight"]:
            code, why, status = 429, "parallel", 429
        elif account.get("credits") is not None and len(self._tasks) >= account["credits"]:
            code, why = 2007, "credits"
        self._arrivals.append(now)
        if not why:
            return None
        self._books.write("refused", why=why, request_id=request_id)
        words = "No credits available" if why == "credits" else f"refused: {why}"
        return _envelope(status, code, words, request_id, retry_after="1" if status == 429 else "")

    def _make(self, asked: dict[str, Any], text: str, account: dict[str, Any]) -> Task:
        task_id = f"task-{uuid.uuid4().hex[:16]}"
        rule = self._script.struck("task", task_id, text, len(self._tasks) + 1) or {}
        task = Task(
            task_id=task_id,
            request_id=str(asked.get("request_id", "")),
            sub_task_ids=[f"{task_id}-{number}" for number in range(rule.get("subs", 1))],
            text=text,
            at=time.time(),
            latency_s=rule.get("latency_s", account.get("latency_s", 0.3)),
            end_status=rule.get("end_status", _DONE),
            notify_url=str(asked.get("notify_url", "")),
        )
        self._tasks[task_id] = task
        # The line is written before anything is said of it.
        self._books.write(
            "task", **{name: getattr(task, name) for name in Task.__dataclass_fields__ if name != "at"}
        )
        if task.notify_url:
            self._call_back(task)
        return task

    def _named(self, task: Task, rule: dict[str, Any]) -> Answer:
        """The answer to a submit whose task was made."""
        answer = _instead(rule, task.request_id, task)
        whole = answer.cut_at is None and not answer.reset
        if not whole or task.task_id.encode() not in answer.body:
            return answer
        return _with(answer, sent=lambda: self._books.write("named", task_id=task.task_id))

    # -- results and pictures ----------------------------------------------------------------------------------

    def _results(self, request: Request, task_id: str) -> Answer:
        if not self._known(request):
            self._books.write("poll", task_id=task_id, status=401)
            return _envelope(401, 401, "token invalid")
        task = self._tasks.get(task_id)
        if task is None:
            self._books.write("poll", task_id=task_id, status=404)
            return _envelope(404, 404, "no such task")
        rule = self._script.struck("poll", task_id, f"{task.text} {task_id}", len(self._tasks))
        answer = self._polled(task, rule)
        self._books.write("poll", task_id=task_id, status=answer.status)
        return answer

    def _polled(self, task: Task, rule: dict[str, Any] | None) -> Answer:
        if rule is None:
            return self._state(task)
        if rule["do"] == "other":
            others = [other for other in self._tasks.values() if other.over and other is not task]
            if not others:
                return self._state(task)
            self._strike("poll", rule, task)
            return self._state(others[-1])
        self._strike("poll", rule, task)
        if rule["do"] == "status":
            return _instead(rule, task.request_id, None)
        return self._state(
            task, **{name: value for name, value in rule.items() if name not in {"at", "when"}}
        )

    def _state(self, task: Task, do: str = "", **more: Any) -> Answer:
        """What is known of a task, as it should be reported or with one thing wrong in it."""
        listed = task.sub_task_ids[:-1] if do == "fewer" else task.sub_task_ids
        host = self._script.account().get("picture_host") or self._address
        done = task.over and task.end_status == _DONE
        subs = [
            {
                "sub_task_id": name,
                "task_status": more.get("task_status", task.end_status if task.over else _WORKING),
                "task_completion": 1.0 if task.over else 0.5,
                "image": f"{host}/image/{name}.jpg" if done else "",
                "description": "",
            }
            for name in listed
        ]
        if do == "surrogate":
            for sub in subs:
                sub[more["place"]] = f"{sub[more['place']]}HALF"
        content = {
            "code": 0,
            "message": "Success",
            "request_id": task.request_id,
            "result": {"task_id": task.task_id, "sub_task_results": subs},
        }
        body = json.dumps(content).replace("HALF", _HALF).encode()
        surplus = _raw(self._state(task)) if do == "surplus" else b""
        return Answer(body=body, headers={"Content-Type": "application/json"}, surplus=surplus)

    def _image(self, name: str) -> Answer:
        task_id = name.rpartition("-")[0]
        task = self._tasks.get(task_id)
        if task is None or not task.over:
            self._books.write("download", task_id=task_id, status=404)
            return Answer(status=404, body=b"no such picture")
        rule = self._script.struck("download", task_id, f"{task.text} {task_id}", len(self._tasks))
        if rule is not None:
            self._strike("download", rule, task)
            answer = _instead(rule, task.request_id, None)
        else:
            answer = Answer(body=picture(name), headers={"Content-Type": "image/jpeg"})
        self._books.write("download", task_id=task_id, status=0 if answer.reset else answer.status)
        return answer

    def _strike(self, place: str, rule: dict[str, Any], task: Task) -> None:
        self._books.write(
            "fault", place=place, do=rule["do"], request_id=task.request_id, task_id=task.task_id
        )

    def _known(self, request: Request) -> bool:
        tokens = self._script.account().get("tokens", [])
        return not tokens or request.headers.get("authorization", "").removeprefix("Bearer ") in tokens

    def _call_back(self, task: Task) -> None:
        call_back(
            task.notify_url,
            after_s=task.latency_s,
            body=lambda: self._state(task).body,
            heard=lambda status: self._books.write("called_back", task_id=task.task_id, status=status),
        )


def _makes_a_task(rule: dict[str, Any]) -> bool:
    return bool(
        rule["do"] in {"delay", "surplus"} or (rule["do"] in {"status", "reset"} and rule.get("after"))
    )


def _instead(rule: dict[str, Any], request_id: str, task: Task | None) -> Answer:
    """The answer that a rule wants; of a task when one was made."""
    kind = rule["do"]
    if kind == "reset":
        return Answer(reset=True)
    if kind == "code":
        return _envelope(200, rule["code"], rule.get("message", "refused"), request_id)
    if kind == "surrogate":
        content = json.dumps({"code": 2007, "message": "No credits HALF", "request_id": request_id})
        return Answer(
            body=content.replace("HALF", _HALF).encode(), headers={"Content-Type": "application/json"}
        )
    if kind in {"delay", "surplus"}:
        assert task is not None
        answer = _accepted(task)
        surplus = _raw(_envelope(200, 1051, "picture invalid", request_id)) if kind == "surplus" else b""
        return _with(answer, delay_s=rule.get("seconds", 0.0), surplus=surplus)
    return _garbled(rule["status"], rule.get("body", "html"), request_id, task)


def _garbled(status: int, body: str, request_id: str, task: Task | None) -> Answer:
    if body == "task":
        assert task is not None
        content = json.loads(_accepted(task).body) | {"code": status, "message": "upstream error"}
        return _with(_accepted(task), status=status, body=json.dumps(content).encode())
    if body == "envelope":
        return _envelope(status, status, "upstream error", request_id)
    if body == "truncated":
        whole = _accepted(task).body if task is not None else b'{"code": 0, "message": "Succ'
        return Answer(status=status, body=whole, cut_at=20)
    words = {"html": b"<html><body><h1>nginx</h1></body></html>", "bare": b"upstream error"}.get(body, b"")
    return Answer(status=status, body=words, headers={"Content-Type": "text/html"})


def _accepted(task: Task) -> Answer:
    result = {"task_id": task.task_id, "sub_task_ids": task.sub_task_ids}
    content = {"code": 0, "message": "请求成功", "request_id": task.request_id, "result": result}
    return Answer(
        body=json.dumps(content, ensure_ascii=False).encode(), headers={"Content-Type": "application/json"}
    )


def _envelope(status: int, code: int, message: str, request_id: str = "", *, retry_after: str = "") -> Answer:
    headers = {"Content-Type": "application/json"} | ({"Retry-After": retry_after} if retry_after else {})
    content = {"code": code, "message": message, "request_id": request_id}
    return Answer(status=status, body=json.dumps(content).encode(), headers=headers)


def _raw(answer: Answer) -> bytes:
    """An answer as its bytes."""
    head = f"HTTP/1.1 {answer.status} Answer\r\nContent-Type: application/json\r\nContent-Length: {len(answer.body)}\r\n\r\n"
    return head.encode() + answer.body


def _with(answer: Answer, **more: Any) -> Answer:
    fields = {name: getattr(answer, name) for name in Answer.__dataclass_fields__}
    return Answer(**(fields | more))


def _asked(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _wrong(asked: dict[str, Any]) -> str | None:
    """What is wrong with a submit's body; None when it is good."""
    strange = asked.keys() - {"person", *_GARMENTS, "request_id", "notify_url"}
    garments = [name for name in _GARMENTS if asked.get(name)]
    if strange:
        return f"unknown fields {sorted(strange)}"
    if not asked.get("person") or not garments:
        return "person and a garment are required"
    if "dress" in garments and len(garments) > 1:
        return "dress excludes the others"
    if any(str(asked[name]).startswith("data:") for name in ("person", *garments)):
        return "base64 comes without a prefix"
    return None


def picture(name: str) -> bytes:
    """A whole JPEG whose bytes no other sub-task has."""
    out = io.BytesIO()
    Image.new("RGB", (96, 128), (len(name) * 7 % 256, 90, 120)).save(out, "JPEG", comment=name.encode())
    return out.getvalue()
