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


def under_way(ledger: Ledger, batch_id: BatchId) -> UnderWay:
    """Counts by the ledger's own sets, in two round trips. Raises RedisDownError."""
    tasks = downloads = requests = 0
    with translated():
        pipeline = ledger.client.pipeline(transaction=False)
        for kind in ("posting", "due"):
            pipeline.zrange(ledger.key(kind), 0, _AT_MOST - 1)
        names = dict.fromkeys(name for found in pipeline.execute() for name in found)
        for name in names:
            pipeline.hmget(ledger.key("job", name), "state", "ended_ms", "refs")
        for state, ended_ms, refs in pipeline.execute():
            if batch_id not in decode_refs(refs or ""):
                continue
            if state == JobState.SUBMITTED and ended_ms is not None:
                downloads += 1
            elif state in {JobState.SUBMITTING, JobState.SUBMITTED}:
                tasks += 1
                requests += state == JobState.SUBMITTING
    return UnderWay(tasks=tasks, downloads=downloads, requests=requests)
