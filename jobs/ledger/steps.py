"""The steps of a job, each one idempotent script call; see docs/architecture.md for the arrows.

Every function returns a Call. Steps answer True when the job stands where the caller wants it and False when the
caller is fenced: somebody else has moved the job, and what the caller knows is out of date. `claim` fences a permit's
holder, `task_id` whoever speaks of one task: a job bought again has another one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Any, Literal
from uuid import uuid4

from jobs.ledger.codec import decode, decode_job, decode_latency, decode_values, encode, job_fields
from jobs.ledger.records import Heard, Heartbeat
from jobs.ledger.script import Call, script
from jobs.records import (
    BatchId,
    Failure,
    Job,
    JobState,
    Latency,
    Picture,
    RequestId,
    SettledAs,
    Settlement,
    TaskId,
)

#: A process that has fallen silent is listed for this long, ms.
SILENT_MS = 3_600_000
#: A task's slot is ours for this long after the last sign of life of a collect process, ms.
LEASE_MS = 120_000
#: What is handed out as due is hidden from other processes for this long, ms.
HOLD_MS = 30_000
#: The same while pictures are downloaded, ms.
COLLECT_HOLD_MS = 45_000


def _step(name: str, request_id: str, *args: Any) -> Call[bool]:
    """A step of a job, with a token by which the script knows it when it is sent again.

    The job keeps its last one, hence a short one: 72 random bits.
    """
    return Call(script("jobs.ledger", name), (request_id, token_urlsafe(9), *args), bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """How the ledger took an accepted task."""

    #: False: fenced, or the task id is another job's.
    recorded: bool
    #: The other job that has the same task id.
    shared_with: RequestId | None
    #: The breaker closed with this answer.
    breaker_closed: bool


def accept(
    request_id: RequestId, claim: str, task_id: TaskId, sub_task_ids: Iterable[str], *, first_poll_ms: int
) -> Call[Accepted]:
    """submitting | unknown → submitted, the task due for its first poll after `first_poll_ms`."""

    def read(reply: list[Any]) -> Accepted:
        return Accepted(
            recorded=reply[0] == 1,
            shared_with=RequestId(reply[1]) if reply[0] == 2 else None,  # noqa: PLR2004 the script's third answer
            breaker_closed=reply[2] == 1,
        )

    args = (request_id, uuid4().hex, claim, task_id, encode(list(sub_task_ids)), first_poll_ms, LEASE_MS)
    return Call(script("jobs.ledger", "accept"), args, read)


def keep_task(
    request_id: RequestId, task_id: TaskId, sub_task_ids: Iterable[str], *, ledger_id: str
) -> Call[Literal["task", "past", ""]]:
    """An accepted task whose worker comes too late for `accept`.

    `task`: the job has it, and is asked for by it; `past`: its id is kept, the job went another way; empty: this is
    another ledger than `ledger_id`, or it does not know the job.
    """
    args = (request_id, task_id, encode(list(sub_task_ids)), ledger_id)

    return Call(script("jobs.ledger", "keep_task"), args, _one_of_three)


def _one_of_three(reply: Any) -> Literal["task", "past", ""]:
    return reply  # type: ignore[no-any-return]


def refuse(request_id: RequestId, claim: str, failure: Failure, *, answered: bool) -> Call[bool]:
    """submitting | queued → failed; nothing was bought, so the budgets get it back.

    `answered`: HiDream said so, hence the account works; else we found out ourselves.
    """
    means = "release refund answered" if answered else "release refund"
    allowed = "submitting,queued,unknown"
    return _transition(request_id, allowed, JobState.FAILED, means, claim=claim, failure=failure)


def hold(request_id: RequestId, claim: str, failure: Failure) -> Call[bool]:
    """submitting → unknown: it may have been bought; it stays counted as spent."""
    return _transition(request_id, "submitting", JobState.UNKNOWN, claim=claim, failure=failure)


def defer(
    request_id: RequestId,
    wait_ms: int,
    *,
    answered: bool = True,
    task_id: TaskId | None = None,
    predicted_ms: float | None = None,
    odd: str = "",
    incomplete: str = "",
    missing_since_ms: int | None = None,
    runs: bool = True,
) -> Call[bool]:
    """The task is not over, or nobody said whether it is: ask again in `wait_ms`; its lease is renewed while it `runs`.

    Args:
        request_id: the job's.
        wait_ms: until it is due again.
        answered: HiDream has answered; else `missing_since_ms` says since when it has not known the task.
        task_id: fences who speaks of another task.
        predicted_ms: the task's whole time as its progress predicts it; compared with its true time in the end.
        odd: a status that nobody has documented.
        incomplete: what the result lists, when it lists fewer sub-tasks than were bought.
        missing_since_ms: see `Job.missing_ms`; None: HiDream has not said that it does not know the task.
        runs: as far as anybody knows.
    """
    predicted = "" if predicted_ms is None else f"{predicted_ms:.0f}"
    missing = "" if missing_since_ms is None else missing_since_ms
    lease_ms = LEASE_MS if runs else 0
    asked = (wait_ms, lease_ms, task_id or "", int(answered))
    return _step("defer", request_id, *asked, predicted, odd, incomplete, missing)


def ended(
    request_id: RequestId,
    task_id: TaskId,
    picture_urls: Iterable[str],
    source: str,
    latency_ms: float | None,
    *,
    partial: Failure | None = None,
) -> Call[bool]:
    """The task is over at HiDream: lease released, its latency learnt, its pictures to be fetched.

    `partial`: tells of sub-tasks that brought no picture.
    """
    latency = "" if latency_ms is None else f"{latency_ms:.1f}"
    failure = encode(partial) if partial else ""
    urls = encode(list(picture_urls))
    return _step("ended", request_id, task_id, urls, source, latency, COLLECT_HOLD_MS, failure)


def again(request_id: RequestId, task_id: TaskId, wait_ms: int) -> Call[bool]:
    """submitted → queued: HiDream failed the task, another one is worth it after `wait_ms`."""
    return _step("again", request_id, task_id, wait_ms)


def postpone(
    request_id: RequestId, due_ms: int, *, task_id: TaskId | None = None, refused_ms: int | None = None
) -> Call[bool]:
    """The pictures cannot be fetched now: they are due again at `due_ms`.

    `refused_ms`: since when our own settings refuse it.
    """
    return _transition(request_id, "submitted", task=task_id, due_ms=due_ms, refused_ms=refused_ms)


def ask_again(
    request_id: RequestId, due_ms: int, *, task_id: TaskId | None = None, fetches: int, failed_ms: int
) -> Call[bool]:
    """A download has failed: the result is asked for again at `due_ms`, which brings fresh addresses.

    `fetches`: failed ones so far, the first at `failed_ms`.
    """
    return _transition(
        request_id, "submitted", None, "fetch",
        task=task_id, due_ms=due_ms, fetches=fetches, fetch_failed_ms=failed_ms,
    )  # fmt: skip


def stumble(
    request_id: RequestId, due_ms: int, *, task_id: TaskId | None, errors: int, over: bool
) -> Call[bool]:
    """An error of ours, the `errors`-th in a row: the job is due again at `due_ms`.

    `over`: its task has ended, so its slot is free.
    """
    means = "release" if over else ""
    return _transition(request_id, "submitted", None, means, task=task_id, due_ms=due_ms, errors=errors)


def succeed(
    request_id: RequestId,
    pictures: Iterable[Picture],
    failure: Failure | None,
    *,
    task_id: TaskId | None = None,
) -> Call[bool]:
    """submitted → succeeded; `failure` tells of sub-tasks that brought no picture."""
    means, found = "release over", tuple(pictures)
    return _transition(
        request_id, "submitted", JobState.SUCCEEDED, means, task=task_id, pictures=found, failure=failure
    )


def fail(
    request_id: RequestId,
    failure: Failure,
    state: JobState = JobState.FAILED,
    *,
    task_id: TaskId | None = None,
) -> Call[bool]:
    """submitted → failed | rejected."""
    return _transition(request_id, "submitted", state, "release over", task=task_id, failure=failure)


def hint(request_id: str, task_id: str | None) -> Call[bool]:
    """A callback came: the job is due now. False when the job is not known."""
    return _step("hint", request_id, task_id or "")


def reopen(request_id: RequestId, state: JobState, batch_id: str = "", *, anew: bool = False) -> Call[bool]:
    """failed | rejected | unknown | cancelled → queued, because a person wants it, for a batch that still refers to it.

    A paid loss becomes submitted instead, its old task asked again, unless a person wants it bought `anew`.
    """
    return _step("reopen", request_id, state.value, batch_id, int(anew))


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleReply:
    """What the ledger says to a settlement; only `settled` has changed anything."""

    #: settled: as it says; known: it was settled so; none: the batch has no such job; state: it is not unknown; post: its
    #: last POST is another one; differs: it was settled otherwise; moved: so much has followed that it cannot be taken
    #: back; taken: the task is another job's, or an earlier one of its own.
    kind: Literal["settled", "known", "none", "state", "post", "differs", "moved", "taken"]
    #: settled, known, state, moved: the job's; else None.
    state: JobState | None = None
    #: post: when it began, ms; None: not known.
    posted_ms: int | None = None
    #: differs: what it was settled as.
    former: Settlement | None = None
    #: taken: the job that has the task.
    owner: RequestId | None = None


def settle(
    request_id: RequestId,
    batch_id: str,
    outcome: SettledAs,
    *,
    by: str,
    task_id: str = "",
    posted_ms: int | None = None,
    force: bool = False,
) -> Call[SettleReply]:
    """unknown → submitted | queued | unknown, as a person has found out; see settle.lua.

    Args:
        request_id: the job's.
        batch_id: a batch that wants it.
        outcome: what became of its POST.
        by: who says it.
        task_id: HiDream's task, of what was bought.
        posted_ms: when that POST began; None: its last one.
        force: instead of what was settled before.
    """

    def read(reply: list[Any]) -> SettleReply:
        kind, said = reply[0], "".join(reply[1:])
        return SettleReply(
            kind=kind,
            state=JobState(said) if kind in {"settled", "known", "state", "moved"} else None,
            posted_ms=int(said) if kind == "post" and said else None,
            former=decode(said, Settlement) if kind == "differs" else None,
            owner=RequestId(said) if kind == "taken" else None,
        )

    posted = "" if posted_ms is None else posted_ms
    args = (request_id, uuid4().hex, batch_id, outcome, task_id, posted, int(force), by)
    return Call(script("jobs.ledger", "settle"), args, read)


def cancel(batch_id: str, request_id: RequestId) -> Call[bool]:
    """queued → cancelled, unless another batch wants it."""
    return _step("cancel", request_id, batch_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is due now, and what the account's latency has been."""

    now_ms: int
    #: When the next one will be due; None when nothing is under way.
    next_ms: int | None
    #: The account's task times; None before the first.
    latency: Latency | None
    heard: Heard
    jobs: tuple[Job, ...]


def take_due(at_most: int) -> Call[Due]:
    """Hands out jobs to poll or to collect and hides them from others for HOLD_MS."""

    def read(reply: list[Any]) -> Due:
        pairs = (dict(zip(flat[::2], flat[1::2], strict=True)) for flat in reply[4:])
        return Due(
            now_ms=reply[0],
            next_ms=reply[1] if reply[1] >= 0 else None,
            latency=decode_latency(reply[2]),
            heard=decode_values(reply[3], Heard),
            jobs=tuple(decode_job(fields["request_id"], fields) for fields in pairs),
        )

    return Call(script("jobs.ledger", "take_due"), (at_most, HOLD_MS, LEASE_MS, uuid4().hex), read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What time alone has moved."""

    #: Jobs waiting in all batches.
    queued: int
    redriven: tuple[RequestId, ...]
    unknown: tuple[RequestId, ...]
    resubmitted: tuple[RequestId, ...]
    #: A job was found that is gone, or does not know who wants it.
    broken: bool
    #: Why the account is paused; empty when it is not.
    paused: str


def reconcile(*, policy: str, quiet_s: float) -> Call[Reconciled]:
    """Dead holders' jobs go back or become unknown, due retries are queued, the unknown policy is applied."""

    def read(reply: list[Any]) -> Reconciled:
        return Reconciled(
            queued=reply[0],
            redriven=tuple(reply[1]),
            unknown=tuple(reply[2]),
            resubmitted=tuple(reply[3]),
            broken=reply[4] == 1,
            paused=reply[5],
        )

    return Call(script("jobs.ledger", "reconcile"), (500, policy, int(quiet_s * 1000), uuid4().hex), read)


#: Of each batch with something to export: the last entry of its outbox, and when it was complete; empty: none, not yet.
News = dict[BatchId, tuple[str, str]]


def lead(token: str, lease_ms: int) -> Call[News | None]:
    """Takes the reconciler's lease, or renews it, and tells what is new; None: another one has it."""

    def read(reply: list[Any] | None) -> News | None:
        return None if reply is None else {batch: (entry, done) for batch, entry, done in reply}

    return Call(script("jobs.ledger", "lead"), (token, lease_ms), read)


def _transition(
    request_id: RequestId,
    allowed: str,
    to: JobState | None = None,
    means: str = "",
    *,
    claim: str = "",
    task: TaskId | None = None,
    due_ms: int | None = None,
    **changed: Any,
) -> Call[bool]:
    """See transition.lua; `means`: any of its words, `changed`: fields of Job."""
    due = "" if due_ms is None else due_ms
    flat = [text for pair in job_fields(**changed).items() for text in pair]
    args = (allowed, claim, task or "", to.value if to else "", means, due)
    return _step("transition", request_id, *args, *flat)


def heartbeat(process_id: str, said: Heartbeat) -> Call[bool]:
    """Says that a process lives; whether journals of orders are awaited. Once more it says the same a moment later."""
    return Call(script("jobs.ledger", "heartbeat"), (process_id, encode(said), SILENT_MS), bool)
