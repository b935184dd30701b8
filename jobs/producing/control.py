"""What a person changes while batches run: retry, cancel, pause, resume."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice

import structlog

from jobs.ledger import Admission, Ledger, steps
from jobs.ledger.codec import encode, encode_pair
from jobs.producing.producer import CHUNK, send_missing_messages
from jobs.producing.queue import Queue
from jobs.records import BatchId, Job, JobState, RequestId, shown
from jobs.redis.client import translated

log = structlog.get_logger()

#: In the gate's hash: the breaker's next probe is due, and nobody has sent it yet.
PROBE_AT_ONCE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which ended jobs of a batch a person wants once more."""

    #: Failed ones worth another try, and cancelled ones. A paid loss has its old task asked again: that buys nothing.
    failed: bool = False
    #: Those that nobody knows of: they may be bought a second time.
    unknown: bool = False
    #: Those that moderation has rejected.
    rejected: bool = False
    #: Paid losses, and what was bought before and is no longer kept: bought anew.
    lost: bool = False

    def includes(self, job: Job) -> bool:
        """Whether the job is one of them."""
        match job.state:
            case JobState.FAILED:
                retryable = job.failure is not None and job.failure.retryable
                return self._anew(job) or (self.failed and (retryable or job.paid_loss))
            case JobState.CANCELLED:
                return self.failed
            case JobState.UNKNOWN:
                return self.unknown
            case JobState.REJECTED:
                return self.rejected
            case _:
                return False

    def buys(self, job: Job) -> bool:
        """Whether something is bought for it."""
        return self.includes(job) and (self._anew(job) or not job.paid_loss)

    def _anew(self, job: Job) -> bool:
        return self.lost and (job.paid_loss or job.bought_before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What a retry does."""

    #: Jobs that wait to be bought, or to be bought again.
    queued: int = 0
    #: Jobs whose old task is asked again; nothing is bought for them.
    asked: int = 0
    #: Pictures that may be charged because of it.
    pictures: int = 0

    @property
    def jobs(self) -> int:
        """All of them."""
        return self.queued + self.asked


def foresee_retry(ledger: Ledger, batch_id: BatchId, wanted: Wanted) -> Retried:
    """What `retry` would do now; changes nothing. Raises NotFoundError."""
    left = len(ledger.left_rows(batch_id)) if wanted.failed else 0
    return _retried(ledger, batch_id, wanted, left, reopens=lambda _: True)


def retry(ledger: Ledger, queue: Queue, batch_id: BatchId, wanted: Wanted) -> Retried:
    """Puts ended jobs of a batch back into the line, or asks their old tasks again. Raises NotFoundError."""
    joined = _join_again(ledger, batch_id) if wanted.failed else 0

    def reopens(job: Job) -> bool:
        return ledger.run(steps.reopen(job.request_id, job.state, batch_id, anew=wanted.buys(job)))

    retried = _retried(ledger, batch_id, wanted, joined, reopens=reopens)
    send_missing_messages(ledger, queue)
    if retried.jobs:
        log.info("batch.retried", batch=batch_id, jobs=retried.jobs, asked=retried.asked, **asdict(wanted))
    return retried


def _retried(
    ledger: Ledger, batch_id: BatchId, wanted: Wanted, left: int, *, reopens: Callable[[Job], bool]
) -> Retried:
    """Counts the jobs that are wanted and that `reopens` lets go on; `left`: rows that want a shared job again."""
    queued = pictures = left
    asked = 0
    for job in _jobs(ledger, batch_id):
        if wanted.includes(job) and reopens(job):
            buys = wanted.buys(job)
            queued += buys
            asked += not buys
            pictures += buys * max(1, len(job.sub_task_ids))
    return Retried(queued=queued, asked=asked, pictures=pictures)


def retry_failed(ledger: Ledger, queue: Queue, batch_id: BatchId) -> int:
    """What giving the same manifest once more means for failures worth another try; unknown ones wait for a person.

    Returns how many jobs go on; the old tasks of paid losses are asked again, nothing is bought for them.
    """
    counts = ledger.status(batch_id).counts
    if not counts.get("failed") and not counts.get("cancelled"):
        return 0
    if ledger.batch(batch_id).cancelled:
        return 0  # by a person, since the producer began
    return retry(ledger, queue, batch_id, Wanted(failed=True)).jobs


def _join_again(ledger: Ledger, batch_id: BatchId) -> int:
    """Rows that left a shared job when their batch was cancelled want it again; returns how many."""
    left = iter(ledger.left_rows(batch_id))
    count = 0
    while numbers := list(islice(left, CHUNK)):
        rows = ledger.rows_at(batch_id, numbers)
        jobs = ledger.jobs(row.job or "" for row in rows.values())
        wanted = [
            Admission(number=number, request_id=job.request_id, row=encode(row), pair=encode_pair(job.pair))
            for number, row in rows.items()
            if (job := jobs.get(row.job or "")) is not None
        ]
        ledger.open_batch(batch_id)
        ledger.admit(batch_id, wanted)
        count += len(wanted)
    return count


def cancel(ledger: Ledger, queue: Queue, batch_id: BatchId) -> int:
    """Takes a batch's waiting jobs out of the line; returns how many. Raises NotFoundError."""
    ledger.batch(batch_id)
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
    """Opens the gate, forgets an open breaker and what is left of a Retry-After; waiters are notified."""
    with translated():
        ledger.client.hdel(
            ledger.key("gate"), "paused", "closed_until", "closed_at", "closed_by", "closed_why", "breaker", "breaker_why",
            "breaker_by", "breaker_asked", "breaker_since", "probe", "probe_at", "probe_wait", "streak", "busy",
        )  # fmt: skip
        ledger.client.rpush(ledger.key("wakeups"), *("1" for _ in range(32)))
        ledger.client.ltrim(ledger.key("wakeups"), -64, -1)


def probe_at_once(ledger: Ledger) -> None:
    """Somebody has come and may have fixed the account: an open breaker lets its next probe go now."""
    with translated():
        if ledger.client.hexists(ledger.key("gate"), "breaker"):
            ledger.client.hset(ledger.key("gate"), "probe_at", PROBE_AT_ONCE)


def _jobs(ledger: Ledger, batch_id: BatchId) -> Iterator[Job]:
    seen: set[RequestId] = set()
    for rows in ledger.rows(batch_id):
        wanted = {row.job for row in rows.values() if row.job} - seen
        seen |= wanted
        yield from ledger.jobs(wanted).values()
