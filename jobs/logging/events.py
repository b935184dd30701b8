"""Every event that is logged: its level and what it means. `docs/logs.md` shows the same catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of the catalogue."""

    #: The level it is logged at.
    level: Level
    #: A sentence for whoever reads the log at night.
    meaning: str


def _event(level: Level, meaning: str) -> Event:
    return Event(level=level, meaning=meaning)


#: Name (`noun.verb`) → entry, in the order of a batch's life.
EVENTS: Mapping[str, Event] = MappingProxyType(
    {
        "column.suspected_typo": _event(
            "warning", "A column is not read, though its name looks like a misspelt one of ours."
        ),
        "row.invalid": _event("warning", "A manifest row cannot become a job; the others go on."),
        "batch.created": _event("info", "A batch was opened for a manifest seen for the first time."),
        "batch.resumed": _event("info", "The same manifest came again: its batch goes on where it stood."),
        "batch.sealed": _event("info", "The producer has admitted the batch's last row."),
        "batch.progress": _event("info", "How many rows of the batch stand in which status."),
        "batch.completed": _event("info", "Every row of the batch has ended and its files are written."),
        "batch.retried": _event(
            "info", "Ended jobs were put back into the line, by a person or by running their manifest again."
        ),
        "submit.accepted": _event("info", "HiDream accepted the job and named its task."),
        "submit.refused": _event("warning", "HiDream refused the job for good; nothing was bought."),
        "submit.busy": _event("info", "HiDream had no room for the job; it comes back with the same id."),
        "submit.not_sent": _event("warning", "The request surely never reached HiDream; it is sent again."),
        "submit.unknown": _event(
            "error", "No answer after the body was sent: the picture may have been bought."
        ),
        "answer.adopted": _event(
            "warning",
            "An accepted answer that lay on disk was recorded: its worker had ended, or Redis was away.",
        ),
        "answer.unsaved": _event(
            "error",
            "An accepted answer could not be kept on disk, or cannot be brought into this ledger; `why` says it.",
        ),
        "gate.waiting": _event("warning", "Submitting waits: after a throttling, or for an open breaker."),
        "gate.throttled": _event("warning", "HiDream said 429: the whole account waits, the rate shrinks."),
        "gate.paused": _event("warning", "Submitting was paused."),
        "gate.resumed": _event("info", "Submitting goes on."),
        "breaker.opened": _event(
            "error",
            "Nothing is submitted but one probe at a time; token, credits and module wait for a person.",
        ),
        "breaker.probing": _event(
            "info", "One submit is let through to see whether the account works again."
        ),
        "breaker.closed": _event("info", "The probe went through: the account works again."),
        "budget.reached": _event("warning", "The budget in pictures is spent; the other jobs stay queued."),
        "task.polled": _event("debug", "A task was asked for and is still under way."),
        "task.succeeded": _event("info", "HiDream finished a task and gave its picture addresses."),
        "task.failed": _event("warning", "HiDream could not make the picture."),
        "task.rejected": _event(
            "warning", "Moderation rejected the pictures; it is not tried again by itself."
        ),
        "task.retried": _event("info", "A failed task is replaced by a new one within the allowed attempts."),
        "task.odd": _event(
            "warning",
            "HiDream says a status that nobody has documented: the task is asked for on; several at once stop the buying.",
        ),
        "task.lost": _event(
            "error",
            "A paid task is given up for now: HiDream does not know it, never ended it, or its picture cannot be had.",
        ),
        "poll.failed": _event("warning", "A poll brought no usable answer; it is repeated."),
        "callback.received": _event("info", "A callback with a valid address was kept as a hint."),
        "callback.refused": _event(
            "warning", "A request to the receiver was answered 404; `reason` says why."
        ),
        "image.saved": _event("info", "A result picture is whole, on disk and recorded."),
        "image.failed": _event("warning", "A result picture could not be fetched or proven whole this time."),
        "image.restored": _event(
            "warning", "The picture store got back from a batch's own copy a picture that it had lost."
        ),
        "export.written": _event("info", "The files of a batch were brought up to date."),
        "export.refused": _event(
            "error",
            "A batch folder holds results that this ledger does not have; it is left as it is. Logged once a process.",
        ),
        "export.failed": _event(
            "error",
            "The files of a batch cannot be written; `why` names path and cause. Tried again, logged once until they are.",
        ),
        "export.kept": _event(
            "warning",
            "Earlier results in a batch folder were given other names before new ones were written.",
        ),
        "reconcile.redriven": _event("warning", "A job whose message or holder was gone was sent again."),
        "reconcile.unknown": _event(
            "error", "A holder died while submitting: the picture may have been bought."
        ),
        "reconcile.resubmitted": _event("warning", "An unknown job was bought again after its quiet period."),
        "job.unreadable": _event(
            "error", "The ledger's record of a job cannot be read by this version: it is left alone."
        ),
        "lease.lost": _event("warning", "A parallel-task lease ran out while its task was under way."),
        "ledger.lost": _event(
            "error", "The ledger is empty, another one or older: nothing is bought until a person looks."
        ),
        "ledger.unnoted": _event(
            "warning", "How many orders the ledger counts could not be noted in the data folder."
        ),
        "token.renewed": _event(
            "info", "A new token is in use: exchanged for the api-key, or read again from its file."
        ),
        "token.failed": _event("error", "The api-key could not be exchanged for a token."),
        "message.unknown": _event(
            "warning", "A message of another version's actor was dropped; the ledger brings its job back."
        ),
        "redis.ended": _event("warning", "Our own Redis has ended by itself; `why` is its last word."),
        "redis.restarted": _event("warning", "Our own Redis runs again."),
        "redis.down": _event("error", "Our own Redis does not start; it is tried again."),
        "redis.evicts": _event("error", "Redis would throw keys away when it is full: nothing is taken in."),
        "redis.not_durable": _event(
            "warning", "A restart or a crash of Redis would lose what it was told; `why` says how much."
        ),
        "redis.untold": _event(
            "warning", "Redis does not say how it keeps these settings; look at them there."
        ),
        "redis.waiting": _event("warning", "Redis does not answer; work stands still and waits."),
        "redis.back": _event("info", "Redis answers again."),
        "worker.started": _event("info", "A worker process is ready."),
        "setting.binds": _event(
            "warning",
            "A number set by hand is lower than the account's limits need: it, not they, sets the pace.",
        ),
        "worker.stopped": _event("info", "A worker process ended in order."),
        "worker.cut": _event(
            "error",
            "A worker that was told to end had not after `seconds`, and ended without its threads: Redis or a disk hangs.",
        ),
        "actor.failed": _event(
            "error", "An actor raised something nobody expected; the reconciler sends it again."
        ),
        "process.restarted": _event("warning", "The supervisor started a dead worker process again."),
        "metrics.served": _event("info", "The process tells Prometheus of itself on this port."),
        "metrics.unserved": _event(
            "warning", "No port is free for the metrics of this process; it works on without."
        ),
        "disk.full": _event("error", "No room for pictures or results: buying pauses until there is."),
    }
)
