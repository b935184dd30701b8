"""What of a batch is under way: tasks at HiDream, and pictures on their way here. Jobs, not rows."""

from dataclasses import dataclass

from jobs.ledger import Ledger
from jobs.ledger.codec import decode_refs
from jobs.records import BatchId, JobState
from jobs.redis.client import translated

#: Members of a set that are looked at; an account's parallel tasks are far fewer.
_AT_MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """One moment of a batch."""

    #: Jobs being sent, or whose task HiDream works on: what the account's parallel tasks are used for.
    tasks: int
    #: Jobs whose task is over and whose pictures are not yet stored.
    downloads: int
    #: Of the tasks those whose request has not been answered yet.
    requests: int = 0
    #: What has been under way for longest, in words: `row 3 waits for its task t-1`; empty when nothing is.
    oldest: str = ""


def under_way(ledger: Ledger, batch_id: BatchId) -> UnderWay:
    """Counts by the ledger's own sets, in three round trips. Raises RedisDownError."""
    tasks = downloads = requests = 0
    waits: list[tuple[int, int, str]] = []
    with translated():
        pipeline = ledger.client.pipeline(transaction=False)
        for kind in ("posting", "due"):
            pipeline.zrange(ledger.key(kind), 0, _AT_MOST - 1)
        names = dict.fromkeys(name for found in pipeline.execute() for name in found)
        for name in names:
            pipeline.hmget(ledger.key("job", name), "state", "ended_ms", "refs", "begun_ms", "task_id")
        for state, ended_ms, refs, begun_ms, task_id in pipeline.execute():
            rows = decode_refs(refs or "").get(batch_id)
            if not rows or state not in {JobState.SUBMITTING, JobState.SUBMITTED}:
                continue
            downloading = state == JobState.SUBMITTED and ended_ms is not None
            downloads += downloading
            tasks += not downloading
            requests += state == JobState.SUBMITTING
            what = "the answer to its request" if state == JobState.SUBMITTING else f"its task {task_id}"
            waits.append((int(begun_ms or 0), rows[0], f"{'the picture of ' if downloading else ''}{what}"))
    return UnderWay(
        tasks=tasks,
        downloads=downloads,
        requests=requests,
        oldest=_words(ledger, batch_id, min(waits, default=None)),
    )


def _words(ledger: Ledger, batch_id: BatchId, oldest: tuple[int, int, str] | None) -> str:
    if oldest is None:
        return ""
    _, number, what = oldest
    # A second take is that of its row.
    first = next((row for row, later in ledger.later_rows(batch_id).items() if number in later), number)
    return f"row {first} waits for {what}"
