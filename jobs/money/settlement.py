"""One settlement: what a person has found out about an unknown row goes into the ledger, or why it does not."""

import structlog

from jobs.ledger import Ledger, steps
from jobs.money.settling import Decision
from jobs.records import BatchId, Job, RequestId
from jobs.units import iso

log = structlog.get_logger()


def settle_one(
    ledger: Ledger,
    batch_id: BatchId,
    one: Decision,
    request_id: RequestId | None,
    job: Job | None,
    *,
    by: str,
    force: bool,
) -> tuple[str, str]:
    """What became of a decision: its outcome, `known` or `refused`, and why it was refused. Raises RedisDownError."""
    if request_id is None or job is None:
        return "refused", "the batch has no such row"
    if one.in_table and one.posted_ms is None and job.posted_ms is not None:
        return "refused", "it does not say of which POST: posted_at is empty"
    call = steps.settle(
        request_id, batch_id, one.outcome,
        by=by, task_id=one.task_id, posted_ms=one.posted_ms, force=force,
    )  # fmt: skip
    reply = ledger.run(call)
    if reply.kind == "settled":
        log.info(
            "job.settled", batch=batch_id, request_id=request_id, outcome=one.outcome,
            task_id=one.task_id or None, by=by,
        )  # fmt: skip
        return one.outcome, ""
    return ("known", "") if reply.kind == "known" else ("refused", _why(reply, one, request_id))


def _why(reply: steps.SettleReply, one: Decision, request_id: RequestId) -> str:
    """Why a decision changes nothing."""
    match reply.kind:
        case "state":
            return f"it is {reply.state}, not unknown"
        case "post":
            when = iso(reply.posted_ms) or "?"
            return f"it was sent again at {when}: that POST is not the one that this speaks of"
        case "differs" if reply.former is not None:
            former = reply.former
            said = f"{former.outcome.replace('_', ' ')} by {former.by} at {iso(former.at_ms)}"
            return f"it was settled as {said}; another word needs --force"
        case "moved":
            return f"it is {reply.state} by now: what followed cannot be taken back"
        case "taken":
            own = reply.owner == request_id
            return f"{one.task_id} is known as {'an earlier task of this row' if own else f'the task of {reply.owner}'}"
        case _:
            return "the batch has no such row"
