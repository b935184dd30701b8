"""What a person changes in a running night: retry, cancel, pause, resume."""

from collections.abc import Iterator
from itertools import islice

import structlog

from jobs.ledger import Admission, Ledger, steps
from jobs.ledger.codec import encode, encode_pair
from jobs.producer import CHUNK, send_missing_tickets
from jobs.queue import Queue
from jobs.records import PAID_LOSSES, BatchId, Job, JobState, RequestId, shown
from jobs.redis_client import translated

log = structlog.get_logger()

#: In the gate's hash: the breaker's next probe is due, and nobody has sent it yet.
PROBE_AT_ONCE = "0"


def retry(
    ledger: Ledger, queue: Queue, batch_id: BatchId, *, failed: bool, unknown: bool, rejected: bool
) -> int:
    """Puts ended jobs of a batch back into the line; returns how many. Raises NotFoundError."""
    count = _join_again(ledger, batch_id) if failed else 0
    for job in _jobs(ledger, batch_id):
        wanted = (
            (failed and job.state is JobState.FAILED and _may_be_bought_again(job))
            or (failed and job.state is JobState.CANCELLED)
            or (unknown and job.state is JobState.UNKNOWN)
            or (rejected and job.state is JobState.REJECTED)
        )
        if wanted:
            count += ledger.run(steps.reopen(job.request_id, job.state, batch_id))
    send_missing_tickets(ledger, queue)
    if count:
        log.info(
            "batch.retried", batch=batch_id, jobs=count, failed=failed, unknown=unknown, rejected=rejected
        )
    return count


def retry_failed(ledger: Ledger, queue: Queue, batch_id: BatchId) -> int:
    """What giving the same manifest once more means for failures worth another try; unknown ones wait for a person."""
    counts = ledger.status(batch_id).counts
    if not counts.get("failed") and not counts.get("cancelled"):
        return 0
    if "cancelled" in ledger.batch_fields(batch_id):
        return 0  # by a person, since the producer began
    return retry(ledger, queue, batch_id, failed=True, unknown=False, rejected=False)


def _may_be_bought_again(job: Job) -> bool:
    return job.failure is not None and job.failure.retryable and job.failure.kind not in PAID_LOSSES


def _join_again(ledger: Ledger, batch_id: BatchId) -> int:
    """Rows that left a shared job when their batch was cancelled want it again; returns how many."""
    left = iter(ledger.left_rows(batch_id))
    count = 0
    while numbers := list(islice(left, CHUNK)):
        rows = ledger.rows_at(batch_id, numbers)
        jobs = ledger.jobs(row["job"] for row in rows.values())
        wanted = [
            Admission(number=number, request_id=job.request_id, row=encode(row), pair=encode_pair(job.pair))
            for number, row in rows.items()
            if (job := jobs.get(row["job"])) is not None
        ]
        ledger.open_batch(batch_id)
        ledger.admit(batch_id, wanted)
        count += len(wanted)
    return count


def cancel(ledger: Ledger, queue: Queue, batch_id: BatchId) -> int:
    """Takes a batch's waiting jobs out of the line; returns how many. Raises NotFoundError."""
    ledger.batch_fields(batch_id)
    with translated():
        # From here on nothing that was under way comes back into its line.
        ledger.client.hset(ledger.key("batch", batch_id), "cancelled", 1)
    queued = [job.request_id for job in _jobs(ledger, batch_id) if job.state is JobState.QUEUED]
    count = sum(ledger.run(steps.cancel(batch_id, request_id)) for request_id in queued)
    queue.export(batch_id)
    return count


def pause(ledger: Ledger, why: str) -> None:
    """Closes the account's gate until somebody opens it."""
    with translated():
        ledger.client.hset(ledger.key("gate"), "paused", shown(why))


def resume(ledger: Ledger) -> None:
    """Opens the gate, forgets an open breaker and what is left of a Retry-After; waiters are rung."""
    with translated():
        ledger.client.hdel(
            ledger.key("gate"), "paused", "closed_until", "closed_at", "closed_by", "closed_why", "breaker", "breaker_why",
            "breaker_since", "probe", "probe_at", "probe_wait", "streak", "busy",
        )  # fmt: skip
        ledger.client.rpush(ledger.key("bell"), *("1" for _ in range(32)))
        ledger.client.ltrim(ledger.key("bell"), -64, -1)


def probe_at_once(ledger: Ledger) -> None:
    """Somebody has come and may have mended the account: an open breaker lets its next probe go now."""
    with translated():
        if ledger.client.hexists(ledger.key("gate"), "breaker"):
            ledger.client.hset(ledger.key("gate"), "probe_at", PROBE_AT_ONCE)


def _jobs(ledger: Ledger, batch_id: BatchId) -> Iterator[Job]:
    seen: set[RequestId] = set()
    for rows in ledger.rows(batch_id):
        wanted = {row["job"] for row in rows.values() if "job" in row} - seen
        seen |= wanted
        yield from ledger.jobs(wanted).values()
