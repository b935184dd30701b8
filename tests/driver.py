"""Short ways to bring a job where a test wants it, over the real ledger and the gate's real scripts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any
from uuid import uuid4

from jobs.identity import request_id
from jobs.ledger import Admission, Admitted, Ledger, steps
from jobs.ledger.codec import encode, encode_pair
from jobs.ledger.records import BadCell, RowRecord
from jobs.ledger.script import Call, script
from jobs.records import BatchId, Failure, Job, JobState, Owner, Pair, Picture, RequestId, TaskId, Url

LEASE_MS = steps.LEASE_MS


def pair(name: str) -> Pair:
    """A pair that is this name's own."""
    return Pair(
        person=Url(url=f"https://shop.example/{name}.jpg"), dress=Url(url="https://shop.example/d.jpg")
    )


def rid(name: str) -> RequestId:
    """The job's id of a name."""
    return request_id(pair(name))


def row(number: int, name: str | None) -> Admission:
    """A row that wants the pair of a name; None: a bad row."""
    if name is None:
        cell = BadCell(column="dress", why="no such file")
        bad = encode(RowRecord(line=number, sku="", fields={}, bad=cell))
        return Admission(number=number, request_id="", row=bad, pair="")
    text = encode(RowRecord(job=rid(name), line=number + 1, sku=name, fields={}))
    return Admission(number=number, request_id=rid(name), row=text, pair=encode_pair(pair(name)))


def failure(*, retryable: bool = True, kind: str = "task_failed") -> Failure:
    """Some failure."""
    return Failure(kind=kind, message="it did not work", retryable=retryable, owner=Owner.VENDOR)


def picture(name: str = "a") -> Picture:
    """Some picture; it is on no disk."""
    return Picture(name=f"{name}.jpg", url=f"https://x/{name}", sha256=name, width=8, height=9, bytes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the permit script said."""

    kind: str
    #: granted: the job; else None.
    request_id: RequestId | None = None
    claim: str = ""
    go_ms: int = 0
    now_ms: int = 0
    probe: bool = False
    #: wait: its reason, time in ms and detail.
    reason: str = ""
    wait_ms: int = 0
    detail: str = ""


@dataclass
class Driver:
    """A ledger and what tests do to it."""

    ledger: Ledger
    _tasks: Any = field(default_factory=lambda: count(1))

    # -- the producer's side

    def admit(
        self, batch: str, names: Sequence[str | None], first: int = 1, *, seal: bool = False
    ) -> Admitted:
        """Opens the batch if need be and admits one chunk."""
        self.ledger.open_batch(BatchId(batch))
        rows = [row(number, name) for number, name in enumerate(names, first)]
        admitted = self.ledger.admit(BatchId(batch), rows)
        if seal:
            self.ledger.seal(BatchId(batch))
        return admitted

    def counts(self, batch: str) -> dict[str, int]:
        return dict(self.ledger.status(BatchId(batch)).counts)

    # -- the gate's side

    def ask_call(
        self,
        token: str,
        *,
        in_flight: int = 1000,
        interval_us: float = 1,
        batch_budget: int = 0,
        day_budget: int = 0,
        reservation_ms: int = 10**9,
        window_ms: int = 60_000,
        grace_ms: int = 20_000,
        ledger_id: str = "",
        seen_orders: int = 0,
    ) -> Call[Answer]:
        """The permit script with everything generous, but what is named."""
        args = (
            token,
            ledger_id,
            in_flight,
            f"{interval_us:.3f}",
            batch_budget,
            day_budget,
            LEASE_MS,
            reservation_ms,
            window_ms,
            grace_ms,
            seen_orders,
        )
        return Call(script("jobs.gate", "permit"), args, lambda reply: _answer(reply, token))

    def ask(self, token: str | None = None, **limits: Any) -> Answer:
        return self.ledger.run(self.ask_call(token or uuid4().hex, **limits))

    def begin_call(
        self,
        request_id: str,
        claim: str,
        ledger_id: str | None = None,
        *,
        go_ms: int = 10**15,
        interval_us: float = 1,
    ) -> Call[list[Any]]:
        """The begin script; nobody is late, unless `go_ms` says so."""
        known = (self.ledger.ledger_id() or "") if ledger_id is None else ledger_id
        args = (request_id, claim, 80_000, known, go_ms, interval_us, 60_000)
        return Call(script("jobs.gate", "begin"), args, list)

    def begin(self, request_id: str, claim: str, **late: float) -> str:
        """`go`, `closed`, `fenced` or `lost`."""
        reply = self.ledger.run(self.begin_call(request_id, claim, **late))
        return "go" if reply[0] == 1 else str(reply[1])

    def give_back_call(
        self, request_id: str, claim: str, effect: str = "none", why: str = "", ms: tuple[int, int] = (0, 0)
    ) -> Call[list[int]]:
        args = (request_id, uuid4().hex, claim, effect, why, *ms, 60_000, "")
        return Call(script("jobs.gate", "give_back"), args, list)

    # -- a job's way

    def granted(self, **limits: Any) -> Answer:
        answer = self.ask(**limits)
        assert answer.kind == "granted", answer
        return answer

    def submitting(self, **limits: Any) -> Answer:
        """The next job, its intent written."""
        permit = self.granted(**limits)
        assert self.begin(permit.request_id, permit.claim) == "go"
        return permit

    def submitted(self, *, task: str | None = None, subs: Sequence[str] = ("s1",), **limits: Any) -> Job:
        """The next job, its task under way."""
        permit = self.submitting(**limits)
        task = task or f"task-{next(self._tasks)}"
        accept = steps.accept(permit.request_id, permit.claim, TaskId(task), subs, first_poll_ms=60_000)
        assert self.ledger.run(accept).recorded
        return self.job(permit.request_id)

    def failed(self, *, retryable: bool) -> Job:
        """The next job, failed after it was bought."""
        found = self.submitted()
        assert self.ledger.run(steps.fail(found.request_id, failure(retryable=retryable)))
        return self.job(found.request_id)

    def succeeded(self) -> Job:
        """The next job, its picture recorded."""
        found = self.submitted()
        task = found.task_id or TaskId("")
        assert self.ledger.run(steps.ended(found.request_id, task, ["https://x/a.jpg"], "poll", 12_000))
        assert self.ledger.run(steps.succeed(found.request_id, [picture()], None))
        return self.job(found.request_id)

    def unknown(self) -> Answer:
        """The next job, held after a POST without an answer."""
        permit = self.submitting()
        assert self.ledger.run(steps.hold(permit.request_id, permit.claim, failure()))
        return permit

    # -- looking

    def job(self, request_id: str | None) -> Job:
        return self.ledger.jobs([request_id or ""])[request_id or ""]

    def state(self, request_id: str | None) -> JobState:
        return self.job(request_id).state

    def raw(self, request_id: str | None) -> dict[str, str]:
        found: dict[str, str] = self.ledger.client.hgetall(self.ledger.key("job", request_id))
        return found

    def members(self, kind: str) -> dict[str, float]:
        """A sorted set: member → score."""
        return dict(self.ledger.client.zrange(self.ledger.key(kind), 0, -1, withscores=True))

    def score(self, kind: str, request_id: str | None, score: float) -> None:
        """Makes a time come true: 0 has passed."""
        self.ledger.client.zadd(self.ledger.key(kind), {request_id: score}, xx=True)

    def line(self, batch: str) -> list[str]:
        """A batch's waiting jobs."""
        found: list[str] = self.ledger.client.lrange(self.ledger.key("queued", batch), 0, -1)
        return found

    def spent(self, batch: str) -> int:
        return int(self.ledger.client.hget(self.ledger.key("batch", batch), "spent") or 0)

    def spent_on(self, day: str | None = None) -> int:
        """Pictures counted on a UTC day; None: on all days."""
        spent = self.ledger.client.hgetall(self.ledger.key("spent"))
        return sum(int(number) for name, number in spent.items() if day in {None, name})

    def time_is(self, iso: str) -> None:
        """Sets the ledger's time; it goes on from there."""
        ahead = (datetime.fromisoformat(iso).timestamp() - time.time()) * 1000
        clock = {"server": int(time.time() * 1000), "ahead": int(ahead)}
        self.ledger.client.hset(self.ledger.key("clock"), mapping=clock)

    def gate(self, **fields: Any) -> dict[str, str]:
        """The gate's hash, after these fields were written into it."""
        if fields:
            self.ledger.client.hset(self.ledger.key("gate"), mapping=fields)
        found: dict[str, str] = self.ledger.client.hgetall(self.ledger.key("gate"))
        return found

    def at_rest(self) -> dict[str, Any]:
        """The same without what says when a batch was last given."""
        found = {key: content for key, content in self.snapshot().items() if key != "active"}
        for key, content in found.items():
            if key.startswith("batch:"):
                content.pop("opened_ms", None)
        return found

    def snapshot(self) -> dict[str, Any]:
        """Every key of this ledger but its clock, without the prefix, with its content; in one round trip.

        Without what any script may note of the server that it runs on.
        """
        found = self.ledger.client.eval(_SNAPSHOT, 1, self.ledger.prefix)
        keys = {key: _content(kind, content) for key, kind, content in found if key != "clock"}
        for noted in ("history", "run"):
            keys.get("meta", {}).pop(noted, None)
        return keys


_SNAPSHOT = """
local found = {}
local read = { hash = { 'HGETALL' }, string = { 'GET' }, list = { 'LRANGE', 0, -1 }, stream = { 'XRANGE', '-', '+' },
  zset = { 'ZRANGE', 0, -1, 'WITHSCORES' }, set = { 'SMEMBERS' } }
for _, key in ipairs(redis.call('KEYS', KEYS[1] .. ':*')) do
  local kind = redis.call('TYPE', key).ok
  local command = read[kind]
  local content = redis.call(command[1], key, unpack(command, 2))
  if string.find(key, ':memory:', 1, true) then
    -- Binary.
    for at, text in ipairs(content) do
      content[at] = string.gsub(text, '.', function(one) return string.format('%02x', string.byte(one)) end)
    end
  end
  found[#found + 1] = { string.sub(key, #KEYS[1] + 2), kind, content }
end
return found
"""


def _content(kind: str, content: Any) -> Any:
    match kind:
        case "hash":
            return dict(zip(content[::2], content[1::2], strict=True))
        case "zset":
            return {member: float(score) for member, score in zip(content[::2], content[1::2], strict=True)}
        case "set":
            return set(content)
        case "stream":
            return [(entry_id, dict(zip(flat[::2], flat[1::2], strict=True))) for entry_id, flat in content]
        case _:
            return content


def _answer(reply: list[Any], token: str) -> Answer:
    match reply[0]:
        case "granted":
            return Answer(
                kind="granted",
                request_id=RequestId(reply[1]),
                claim=token,
                go_ms=int(reply[2]),
                now_ms=int(reply[3]),
                probe=str(reply[4]) == "1",
            )
        case "wait":
            return Answer(kind="wait", reason=reply[1], wait_ms=int(reply[2]), detail=reply[3])
        case kind:
            return Answer(kind=str(kind))
