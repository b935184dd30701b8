"""Reads what HiDream says of a task, in every shape and spelling met."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from jobs.records import Failure, Owner
from worker.hidream.outcomes import Ended, Pending, SubFailure, SubFailureKind
from worker.hidream.wire import Envelope, identifier, whole_number, words

_DONE = 1
_PROCESSING = 2
#: 0 is the documented one, the negatives were seen in older replies.
_WAITING = frozenset({0, -1, -2, -3, -4, -5})
_FAILED = {
    3: SubFailureKind.FAILED,
    4: SubFailureKind.MODERATED,
    1004: SubFailureKind.NOTHING,
    1005: SubFailureKind.NOTHING,
    1006: SubFailureKind.NOTHING,
}
#: The gravest first: a task of several sub-tasks without a picture is named by its gravest.
_GRAVITY = (
    SubFailureKind.MODERATED,
    SubFailureKind.MISSING,
    SubFailureKind.NOTHING,
    SubFailureKind.FAILED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    begun: bool
    progress: float | None
    #: A status that nobody has documented; empty for the known ones.
    odd: str = ""


_SubTask = str | SubFailure | _Running


def task_outcome(envelope: Envelope, *, expected: int = 1, secret: str = "") -> Pending | Ended | None:
    """Judges a task by its sub-tasks.

    Args:
        envelope: a reply's object; the sub-tasks stand in `result` or beside it.
        expected: sub-tasks the submit reply named; with fewer listed the task is not over yet.
        secret: kept out of the words.

    Returns:
        None when no sub-tasks are listed at all (an empty list is `Pending`).
    """
    listed = _listed(envelope)
    if listed is None:
        return None
    told = [_sub_task(entry, secret) for entry in listed if isinstance(entry, Mapping)]
    running = [sub for sub in told if isinstance(sub, _Running)]
    final = Ended(
        pictures=tuple(sub for sub in told if isinstance(sub, str)),
        failures=tuple(sub for sub in told if isinstance(sub, SubFailure)),
    )
    if running or len(told) < max(expected, 1):
        return _pending(told, running, final)
    return final


def job_failure(failures: Sequence[SubFailure]) -> Failure:
    """Tells why a task that ended without any picture failed, by the gravest of its sub-tasks.

    `retryable` says that a new task may help; how many are tried is said by `after_task` in worker.collect.schedule.
    """
    if not failures:
        return Failure(
            kind="no_result",
            message="HiDream ended the task without a picture",
            retryable=True,
            owner=Owner.VENDOR,
        )
    worst = min(failures, key=lambda sub: _GRAVITY.index(sub.kind))
    code = whole_number(worst.status)
    match worst.kind:
        case SubFailureKind.MODERATED:
            kind, said, retryable, owner = "moderated", "rejected by HiDream's moderation", False, Owner.MERCH
        case SubFailureKind.MISSING:
            kind, said = "task_lost", "HiDream's result does not list every picture that was ordered"
            retryable, owner = True, Owner.VENDOR
        case SubFailureKind.NOTHING:
            said = "HiDream's algorithm produced nothing for this pair"
            kind, retryable, owner = "no_result", True, Owner.VENDOR
        case SubFailureKind.FAILED:
            kind, said, retryable, owner = "task_failed", "HiDream failed the task", True, Owner.VENDOR
        case _:
            assert_never(worst.kind)
    message = f"{said}: {worst.message}" if worst.message else said
    return Failure(kind=kind, code=code, message=message, retryable=retryable, owner=owner)


def _listed(envelope: Envelope) -> list[Any] | None:
    for place in (envelope.result, envelope.content):
        listed = place.get("sub_task_results")
        if isinstance(listed, list):
            return listed
        if "task_status" in place:
            return [place]
    return None


def _sub_task(entry: Mapping[str, Any], secret: str) -> _SubTask:
    raw = entry.get("task_status")
    status = whole_number(raw)
    if raw is None or status in _WAITING or status == _PROCESSING:
        return _Running(begun=status == _PROCESSING, progress=_progress(entry))
    if status == _DONE:
        # Done without a picture has been seen, and the picture came a moment later.
        return _picture(entry) or _Running(begun=True, progress=_progress(entry))
    said = words(raw if isinstance(raw, str) else str(raw), secret)[:40]
    kind = None if status is None else _FAILED.get(status)
    if kind is None:
        # What nobody has documented says nothing of the end.
        return _Running(begun=True, progress=_progress(entry), odd=said or "?")
    return SubFailure(
        kind=kind,
        status=said,
        message=words(entry.get("description") or entry.get("error_msg"), secret),
        sub_task_id=identifier(entry.get("sub_task_id")) or "",
    )


def _picture(entry: Mapping[str, Any]) -> str:
    for key in ("image", "url"):
        value = entry.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def _progress(entry: Mapping[str, Any]) -> float | None:
    value = entry.get("task_completion")
    if isinstance(value, bool):
        return None
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(number) else min(1.0, max(0.0, number))


def _pending(told: list[_SubTask], running: list[_Running], final: Ended) -> Pending:
    known = [sub.progress for sub in running if sub.progress is not None]
    known += [1.0] * (len(told) - len(running))
    queued = len(running) == len(told) and not any(sub.begun for sub in running)
    return Pending(
        progress=sum(known) / len(known) if known else None,
        queued=queued,
        odd=next((sub.odd for sub in running if sub.odd), ""),
        so_far=final if final != Ended() else None,
        incomplete=bool(told) and not running,
    )
