"""Messages and hashes that another version of the product left behind, and one that no version can read."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from redis.client import Pipeline

from jobs.ledger.codec import UNREADABLE
from jobs.producing import control
from jobs.producing.queue import COLLECT, EXPORT, SUBMIT
from jobs.records import ENDED_STATES, BatchId, Job, JobState, RequestId
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.rig import PREFIX, Rig, Setup
from tests.faults.verdict import judge

#: What no version of ours has ever written into a job, a batch or the gate.
STRANGE = {"shade": "navy", "plan_v9": '{"steps":[1,2]}', "score_ms": "0.5"}
#: What an older version has not written into a job: all of it can be done without.
NEWER_IN_JOBS = (
    "attempts", "begun_ms", "fetches", "predicted_ms", "hinted", "hint_task", "op", "passed", "polled_ms", "polls",
    "queued_ms", "source", "turned_away", "turned_ms", "unanswered", "unanswered_ms", "was",
)  # fmt: skip
NEWER_IN_GATE = (
    "factor", "factor_ms", "last_accept", "lat_mean", "lat_n", "lat_var", "off_mean", "off_n", "off_var", "tat", "told",
    "told_n",
)  # fmt: skip
#: Rounds of strange messages, one a second.
ROUNDS = 5


def strange_messages(request_id: str, batch_id: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Queue, redis id and envelope of messages that this version does not send."""

    def message(queue: str, actor: str, args: list[Any], **more: Any) -> tuple[str, str, dict[str, Any]]:
        ident = uuid4().hex
        whole = {
            "queue_name": queue,
            "actor_name": actor,
            "args": args,
            "kwargs": more.pop("kwargs", {}),
            "options": {"redis_message_id": ident} | more.pop("options", {}),
            "message_id": ident,
            "message_timestamp": int(time.time() * 1000),
        }
        return queue, ident, whole | more

    yield message(
        SUBMIT, SUBMIT, [request_id], options={"max_retries": 9, "trace": {"id": "x"}, "colour": None}
    )
    yield message(SUBMIT, SUBMIT, [request_id], options={"eta": int(time.time() * 1000) - 5000})
    yield message(SUBMIT, SUBMIT, [request_id, "a second argument"], kwargs={"attempt": 2})
    yield message(SUBMIT, SUBMIT, [])
    yield message(SUBMIT, "submit_many", [[request_id]])
    yield message(COLLECT, "poll", [request_id], options={"delay": 3})
    yield message(COLLECT, EXPORT, [batch_id], options={"retries": 3, "traceback": "x"})
    yield message(COLLECT, EXPORT, ["no-such-batch"])


def send(rig: Rig, messages: Iterator[tuple[str, str, Mapping[str, Any]]]) -> int:
    """Puts messages into the queues as they are; returns how many."""
    sent = 0
    with rig.redis.client(0) as client:
        for queue, ident, message in messages:
            client.hset(f"{PREFIX}:{queue}.msgs", ident, json.dumps(message))
            client.rpush(f"{PREFIX}:{queue}", ident)
            sent += 1
    return sent


def left_in_queues(rig: Rig) -> dict[str, int]:
    """Dead letters and messages that nobody has finished, by key."""
    with rig.redis.client(0) as client:
        dead = {key: client.zcard(key) for key in client.scan_iter(f"{PREFIX}:*.XQ")}
        kept = {
            f"{PREFIX}:{queue}.msgs": client.hlen(f"{PREFIX}:{queue}.msgs") for queue in (SUBMIT, COLLECT)
        }
    return {key: n for key, n in (dead | kept).items() if n}


@scenario("versions", "messages of another version: strange options, arguments and actors")
def _messages(folder: Path) -> Outcome:
    with Rig(folder, Setup(in_flight=10)) as rig:
        batch = rig.enqueue("batch", range(200))
        first = next(iter(rig.jobs(batch)))
        sent = 0
        for _ in range(ROUNDS):
            sent += send(rig, strange_messages(first, batch))
            pause(1)
            rig.processes.poll()
        took = rig.finish(batch)
        rig.until(lambda: not waiting(rig), "the queues are empty")
        rig.processes.stop()
        left = left_in_queues(rig)
        starts = {worker.name: worker.starts for worker in rig.processes.workers if worker.starts > 1}
        broken = [f"left in the queues: {left}"] if left else []
        broken += [f"processes ended by a message: {starts}"] if starts else []
        return Outcome(
            verdict=judge(rig, batch),
            faults=sent,
            broken=broken,
            note=f"{sent} strange messages among 200 jobs; {took:.0f} s after the last of them",
        )


def waiting(rig: Rig) -> int:
    """Messages in the queues and in the hands of workers, who give them back when they are stopped."""
    with rig.redis.client(0) as client:
        return sum(client.hlen(f"{PREFIX}:{queue}.msgs") for queue in (SUBMIT, COLLECT))


@scenario("versions", "a ledger of another version: fields it does not know, fields it lacks")
def _ledger(folder: Path) -> Outcome:
    """Waiting, submitted and ended jobs, the gate and the batch are changed under the workers' hands, five times."""
    with Rig(folder, Setup(in_flight=10, latency_s=1.0)) as rig:
        batch = rig.enqueue("batch", range(100))
        changed = 0
        for round_ in range(5):
            rig.until(partial(rig.arrived, 15 * round_ + 10), "submits go on", step_s=0.01)
            changed += _as_of_another_version(rig, batch)
        took = rig.finish(batch)
        polled = [job for job in rig.jobs(batch).values() if job.state is not JobState.SUCCEEDED]
        starts = {worker.name: worker.starts for worker in rig.processes.workers if worker.starts > 1}
        broken = [f"processes ended: {starts}"] if starts else []
        broken += [f"{len(polled)} jobs did not succeed"] if polled else []
        broken += [f"{rig.logged('actor.failed')} errors logged"] if rig.logged("actor.failed") else []
        return Outcome(
            verdict=judge(rig, batch),
            faults=changed,
            broken=broken,
            note=f"{changed} hashes changed in five rounds; {took:.0f} s after the last",
        )


def _as_of_another_version(rig: Rig, batch: BatchId) -> int:
    """Strange fields into every hash, and out of every other job what an older version lacks."""
    client, key = rig.ledger.client, rig.ledger.key
    ids = list(rig.jobs(batch))
    pipeline = client.pipeline(transaction=True)
    for number, request_id in enumerate(ids):
        pipeline.hset(key("job", request_id), mapping=STRANGE)
        if number % 2:
            pipeline.hdel(key("job", request_id), *NEWER_IN_JOBS)
    for name in (key("batch", batch), key("gate")):
        pipeline.hset(name, mapping=STRANGE)
    pipeline.hdel(key("gate"), *NEWER_IN_GATE)
    pipeline.delete(key("clock"))
    pipeline.execute()
    return len(ids) + 2


#: What is done to a hash so that nobody can read it: field → nonsense; None: the field is gone.
SPOILT: tuple[Mapping[str, str | None], ...] = (
    {"pair": "{not json"},
    {"pair": None},
    {"state": "marvellous"},
    {"pair": '{"sleeve":"https://shop.example/s.jpg"}'},
    {"urls": "["},
    {"v": "three"},
)


@scenario("versions", "job hashes that cannot be read at all, fixed after a while")
def _unreadable(folder: Path) -> Outcome:
    """All others go on, no process ends, the log names the spoilt ones.

    Those under way wait until they are fixed and then end well; nothing was bought of those that waited in line, so they
    may end at once, with that reason.
    """
    with Rig(folder, Setup(in_flight=20, latency_s=1.5)) as rig:
        batch = rig.enqueue("batch", range(80))
        rig.until(lambda: rig.arrived(30), "submits have begun", step_s=0.01)
        control.pause(rig.ledger, "hashes are spoilt")
        pause(0.3)
        by_state = {
            state: [rid for rid, job in rig.jobs(batch).items() if job.state is state]
            for state in (JobState.QUEUED, JobState.SUBMITTED)
        }
        # A waiting job whose state cannot be read is no longer in any line: that is judged of those under way only.
        waiting = [spoil for spoil in SPOILT if "state" not in spoil and "urls" not in spoil]
        victims = {
            **dict(zip(by_state[JobState.SUBMITTED], SPOILT, strict=False)),
            **dict(zip(by_state[JobState.QUEUED], waiting, strict=False)),
        }
        tried = {rid: _spoil(rig, rid, spoil) for rid, spoil in victims.items()}
        # One that has ended meanwhile is nobody's to attend to: it stays as it is.
        kept = {rid: fields for rid, fields in tried.items() if fields is not None}
        control.resume(rig.ledger)
        others = rig.status(batch).rows - len(kept)
        went_on = rig.until(
            lambda: rig.status(batch).counts.get("succeeded", 0) >= others,
            "all other jobs have their picture",
            within_s=90,
        )
        starts = {worker.name: worker.starts for worker in rig.processes.workers if worker.starts > 1}
        # What somebody attended to when it was spoilt is looked at again when its hold is over.
        # One that was just being recorded was written over, and ended well.
        rig.until(
            lambda: all(_named(rig, rid) or _succeeded(rig, rid) for rid in kept),
            "the log names every one",
            within_s=60,
        )
        for rid, fields in kept.items():
            _put_right(rig, rid, fields)
        fixed = rig.finish(batch, within_s=120)
        broken = [f"processes ended by a hash: {starts}"] if starts else []
        ends = Counter(_end(job) for rid, job in rig.jobs(batch).items() if rid in kept)
        allowed = {"succeeded", f"failed: {UNREADABLE}"}
        broken += [f"spoilt jobs ended as {dict(ends)}"] if set(ends) - allowed else []
        bought = [job for rid, job in rig.jobs(batch).items() if rid in by_state[JobState.SUBMITTED]]
        broken += (
            [] if all(job.state is JobState.SUCCEEDED for job in bought) else ["a bought one is no success"]
        )
        return Outcome(
            verdict=judge(rig, batch),
            faults=len(kept),
            recovery_s=fixed,
            broken=broken,
            note=f"the other {others} had their picture {went_on:.0f} s later; spoilt ones ended as"
            f" {', '.join(f'{n} {end}' for end, n in ends.items())}; recovery: from fixing them to the end of the batch",
        )


def _end(job: Job) -> str:
    return f"{job.state}: {job.failure.kind}" if job.failure else str(job.state)


def _spoil(rig: Rig, request_id: RequestId, spoil: Mapping[str, str | None]) -> dict[str, str | None] | None:
    """Spoils a hash; returns what was there, or None for a job that has ended: in one step, since it may end now."""
    name = rig.ledger.key("job", request_id)

    def open_one(pipeline: Pipeline) -> dict[str, str | None] | None:
        before = {field: pipeline.hget(name, field) for field in spoil}
        ended = pipeline.hget(name, "state") in ENDED_STATES
        pipeline.multi()
        if ended:
            return None
        for field, value in spoil.items():
            if value is None:
                pipeline.hdel(name, field)
            else:
                pipeline.hset(name, field, value)
        return before

    return rig.ledger.client.transaction(open_one, name, value_from_callable=True)


def _put_right(rig: Rig, request_id: RequestId, fields: Mapping[str, str | None]) -> None:
    client, name = rig.ledger.client, rig.ledger.key("job", request_id)
    for field, value in fields.items():
        if value is None:
            client.hdel(name, field)
        else:
            client.hset(name, field, value)


def _succeeded(rig: Rig, request_id: RequestId) -> bool:
    return bool(rig.ledger.client.hget(rig.ledger.key("job", request_id), "state") == JobState.SUCCEEDED)


def _named(rig: Rig, request_id: RequestId) -> bool:
    """Whether an error or a warning is about the job; that it was put back into the line does not say why."""
    for log in (rig.folder / "logs").glob("*.log"):
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if (
                f'"request_id":"{request_id}"' in line
                and ('"level":"error"' in line or '"level":"warning"' in line)
                and '"event":"reconcile.' not in line
            ):
                return True
    return False
