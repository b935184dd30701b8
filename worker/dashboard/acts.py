"""What a person can do: each act says first what it will touch, and is done only as it was shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from jobs.errors import NotFoundError, UsageError
from jobs.health.account import shut_words
from jobs.money.settlement import settle_one
from jobs.money.settling import Decision, task_fault
from jobs.producing import control
from jobs.producing.producer import send_missing_messages
from jobs.records import BatchId, Job, JobState, SettledAs
from jobs.redis.client import translated
from jobs.units import counted, iso
from worker.dashboard.look import Shop

#: What a form sends, or an address names.
Given = Mapping[str, str]

#: Which ended jobs a retry is of, in words; the names are those of `control.Wanted`.
RETRIES: Final[Mapping[str, str]] = {
    "failed": "Failed ones that are worth another try, and cancelled ones",
    "unknown": "Unknown ones: HiDream may charge them twice",
    "rejected": "Those that moderation has rejected",
    "lost": "Paid ones whose picture never came, or was pruned: bought anew",
}
OUTCOMES: Final[Mapping[str, SettledAs]] = {"bought": "bought", "not_bought": "not_bought", "leave": "leave"}
#: Letters of a reason or a name at most.
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An act before it is confirmed."""

    act: str
    title: str
    #: What it will touch, a sentence each.
    touches: tuple[str, ...]
    #: On the button; empty: there is nothing to do.
    label: str = ""
    #: What is sent with it, so that only what was shown is done.
    shown: Given = field(default_factory=dict)
    #: Further questions that this one leads to: words → what their address names.
    choices: Mapping[str, Given] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Act:
    ask: Callable[[Shop, Given], Question]
    #: Does it, and says what became of it.
    do: Callable[[Shop, Given], str]


def ask(shop: Shop, act: str, given: Given) -> Question:
    """What an act would touch now; changes nothing. Raises NotFoundError, RedisDownError."""
    return _act(act).ask(shop, given)


def do(shop: Shop, act: str, given: Given) -> str:
    """Does it, and says what became of it.

    Raises:
        UsageError: it was not done, and why. NotFoundError: there is no such thing. RedisDownError: nobody knows.
    """
    return _act(act).do(shop, given)


def _act(name: str) -> _Act:
    if name not in ACTS:
        raise NotFoundError("no such act")
    return ACTS[name]


def _batch(shop: Shop, given: Given) -> BatchId:
    """A batch that the ledger has; its name goes into messages as it is."""
    return shop.ledger.status(BatchId(given.get("batch", ""))).batch_id


def _cost(shop: Shop, pictures: int) -> str:
    """Pictures, with what they cost when a price is known."""
    price = shop.settings.limits.price
    return counted(pictures, "picture") + (f", {price.words(pictures)}" if price else "")


def _ask_pause(shop: Shop, _given: Given) -> Question:
    waiting, tasks = shop.ledger.queued_total(), _under_way(shop)
    return Question(
        act="pause",
        title="Pause the account",
        touches=(
            f"{counted(waiting, 'job')} waiting ({_cost(shop, waiting)}), of every batch: not sent until somebody resumes.",
            f"{counted(tasks, 'task')} under way: still collected.",
        ),
        label="Pause",
    )


def _pause(shop: Shop, given: Given) -> str:
    why = given.get("why", "").strip()[:_LONGEST] or "paused by a person"
    control.pause(shop.ledger, why)
    return f"paused: {why}"


def _ask_resume(shop: Shop, _given: Given) -> Question:
    waiting = shop.ledger.queued_total()
    shut = shut_words(shop.ledger.gate(), simulated=shop.simulated).rpartition(" (")[0]
    return Question(
        act="resume",
        title="Resume",
        touches=(
            f"Nothing goes out: {shut}." if shut else "The gate is open; this changes nothing.",
            f"{counted(waiting, 'job')} waiting: up to {_cost(shop, waiting)}, may be bought from then on.",
        ),
        label="Resume" if shut else "",
    )


def _resume(shop: Shop, _given: Given) -> str:
    control.resume(shop.ledger)
    return "resumed"


def _ask_cancel(shop: Shop, given: Given) -> Question:
    status = shop.ledger.status(_batch(shop, given))
    queued = status.counts.get(JobState.QUEUED, 0)
    reading = (
        ()
        if status.sealed
        else ("Its manifest is still being read: what comes in later is not cancelled by this.",)
    )
    return Question(
        act="cancel",
        title=f"Cancel what waits of {status.batch_id}",
        touches=(
            f"{counted(queued, 'row')} waiting: at most {_cost(shop, queued)}, not bought for this batch.",
            f"{counted(status.open - queued, 'row')} under way: finished and paid for as ordered.",
            "What other batches want of it stays.",
            *reading,
        ),
        label="Cancel these rows" if status.open or not status.sealed else "",
        shown={"batch": status.batch_id},
    )


def _cancel(shop: Shop, given: Given) -> str:
    batch = _batch(shop, given)
    return f"{batch}: {counted(control.cancel(shop.ledger, shop.queue, batch), 'job')} cancelled"


def _ask_retry(shop: Shop, given: Given) -> Question:
    batch, which = _batch(shop, given), given.get("which", "")
    if which not in RETRIES:
        return Question(
            act="retry",
            title=f"Retry jobs of {batch}",
            touches=("Which ones? What each would touch is shown before anything is done.",),
            choices={words: {"batch": batch, "which": name} for name, words in RETRIES.items()},
        )
    found = control.foresee_retry(shop.ledger, batch, _wanted(which))
    touches = [
        f"{counted(found.queued, 'job')} would wait again: up to {_cost(shop, found.pictures)}, to buy."
    ]
    if found.asked:
        touches.append(
            f"{counted(found.asked, 'old task')} would be asked again: nothing is bought for them."
        )
    if which in {"unknown", "lost"} and found.pictures:
        touches.append("HiDream may already have charged these: they may be paid for twice.")
    return Question(
        act="retry",
        title=f"Retry jobs of {batch}",
        touches=(f"{RETRIES[which]}.", *touches),
        label=f"Retry {counted(found.jobs, 'job')}" if found.jobs else "",
        shown={"batch": batch, "which": which, "pictures": str(found.pictures)},
    )


def _retry(shop: Shop, given: Given) -> str:
    batch, which, shown = _batch(shop, given), given.get("which", ""), given.get("pictures", "")
    if which not in RETRIES or not shown.isdecimal():
        raise UsageError("nothing was retried: the form was not whole")
    pictures = control.foresee_retry(shop.ledger, batch, _wanted(which)).pictures
    if pictures > int(shown):
        raise UsageError(
            f"nothing was retried: it would be {counted(pictures, 'picture')} by now, {shown} were shown; look again"
        )
    done = control.retry(shop.ledger, shop.queue, batch, _wanted(which))
    asked = f", {counted(done.asked, 'old task')} asked again" if done.asked else ""
    return f"{batch}: {counted(done.queued, 'job')} waiting again{asked}"


def _wanted(which: str) -> control.Wanted:
    return control.Wanted(**{which: True})


def _ask_settle(shop: Shop, given: Given) -> Question:
    batch = _batch(shop, given)
    job = _job(shop, batch, given)
    numbers = job.refs[batch]
    row = shop.ledger.rows_at(batch, numbers[:1])[numbers[0]]
    others = f" and {counted(len(numbers) - 1, 'more row')}" if len(numbers) > 1 else ""
    open_ = job.state is JobState.UNKNOWN
    return Question(
        act="settle",
        title=f"Settle row {numbers[0]} of {batch}",
        touches=(
            f"SKU {row.sku}{others}, request id {job.request_id}.",
            f"Sent at {iso(job.posted_ms) or '?'}, without a clear answer: look for that time on HiDream's bill.",
            *(
                f"{each.by} said at {iso(each.at_ms)}: {each.outcome.replace('_', ' ')}."
                for each in job.settled
            ),
            *(() if open_ else (f"It is {job.state} by now: there is nothing to settle.",)),
            f"Not bought: it is sent once more, {_cost(shop, 1)}; and charged twice if HiDream has it after all.",
        ),
        label="Settle" if open_ else "",
        shown={"batch": batch, "job": job.request_id, "posted": str(job.posted_ms or "")},
    )


def _settle(shop: Shop, given: Given) -> str:
    batch, task_id = _batch(shop, given), given.get("task_id", "").strip()
    outcome, by = OUTCOMES.get(given.get("outcome", "")), given.get("by", "").strip()[:_LONGEST]
    job = _job(shop, batch, given)
    if outcome is None or not by:
        raise UsageError("nothing was settled: say what became of it, and who says so")
    if (outcome == "bought") != bool(task_id):
        raise UsageError("nothing was settled: what was bought has a task id, and nothing else has")
    if task_id and (fault := task_fault(task_id)):
        raise UsageError(f"nothing was settled: {fault}")
    posted = given.get("posted", "")
    decision = Decision(
        where=job.request_id,
        request_id=job.request_id,
        outcome=outcome,
        task_id=task_id,
        posted_ms=int(posted) if posted.isdecimal() else None,
        in_table=True,
    )
    word, refused = settle_one(shop.ledger, batch, decision, job.request_id, job, by=by, force=False)
    if refused:
        raise UsageError(f"nothing was settled: {refused}")
    send_missing_messages(shop.ledger, shop.queue)
    shop.queue.export(batch)
    said = {"bought": "bought, fetched by its task", "not_bought": "not bought, waits again"}
    return f"{job.request_id}: {said.get(word, 'left as it is' if word == 'leave' else 'settled so before')}"


def _job(shop: Shop, batch: BatchId, given: Given) -> Job:
    name = given.get("job", "")
    job = shop.ledger.jobs([name]).get(name)
    if job is None or not job.refs.get(batch):
        raise NotFoundError("no such row")
    return job


def _under_way(shop: Shop) -> int:
    """Tasks whose end is waited for."""
    with translated():
        return int(shop.ledger.client.zcard(shop.ledger.key("due")))


ACTS: Final[Mapping[str, _Act]] = {
    "pause": _Act(ask=_ask_pause, do=_pause),
    "resume": _Act(ask=_ask_resume, do=_resume),
    "cancel": _Act(ask=_ask_cancel, do=_cancel),
    "retry": _Act(ask=_ask_retry, do=_retry),
    "settle": _Act(ask=_ask_settle, do=_settle),
}
