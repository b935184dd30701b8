"""Forgetting what has long ended: batches with their rows, and jobs that nobody wants any more.

Of a job that HiDream ever took a memory stays, `memory:<xxx>`: how it ended, when, and its tasks. admit.lua asks it, so that
nothing is bought twice because it was forgotten. Each step is one script; whoever is killed between them is finished by the
next `vton prune`, or by the producer that wants the batch again.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import Any, TypeVar

from jobs.failpoints import reach
from jobs.ledger import Ledger
from jobs.ledger.script import Call, script
from jobs.records import BatchId
from jobs.redis.client import translated

#: Rows, or jobs, in one call: some 10 ms of Redis' time.
CHUNK = 500

T = TypeVar("T")


class Begun(StrEnum):
    """What became of a batch that shall go."""

    BEGUN = "begun"
    #: No such batch.
    GONE = "gone"
    #: It has rows that have not ended, or has not been read to its end.
    OPEN = "open"
    #: It has ended, or was last given, less long ago.
    YOUNG = "young"
    #: Its files are not written.
    UNEXPORTED = "unexported"
    #: It has unknown rows, and nobody has said that they may go.
    UNKNOWN = "unknown"
    #: It has paid losses, and nobody has said that they may go; jobs.results.pruning finds them before it begins.
    LOST = "lost"


def begin(batch_id: BatchId, older_than_ms: int, let_go: str = "") -> Call[Begun]:
    """Takes a batch out of all lists if it may go. `let_go`: `unknown`, `lost` or both, a person's words."""
    return Call(script("jobs.ledger", "prune_begin"), (batch_id, older_than_ms, let_go), Begun)


def forget_rows(batch_id: BatchId, numbers: Sequence[int]) -> Call[int]:
    """Removes rows of a batch that is being pruned, and the jobs that nobody else wants; returns how many jobs."""
    return Call(script("jobs.ledger", "forget"), (batch_id, 0, "", *numbers), int)


def forget_nobodys(older_than_ms: int, let_go: str, request_ids: Sequence[str]) -> Call[int]:
    """Removes jobs that no row wants and that have ended long ago; returns how many."""
    return Call(script("jobs.ledger", "forget"), ("", older_than_ms, let_go, *request_ids), int)


def end(batch_id: BatchId) -> Call[bool]:
    """Removes what is left of a batch without rows."""
    return Call(script("jobs.ledger", "prune_end"), (batch_id,), bool)


def begun(ledger: Ledger) -> list[BatchId]:
    """Batches that are being pruned: somebody was killed meanwhile, or is at it."""
    with translated():
        return sorted(ledger.client.smembers(ledger.key("pruning")))


def finish(ledger: Ledger, batch_id: BatchId) -> int:
    """Removes all of a batch that is being pruned; returns how many jobs went. Any number may do so at once."""
    forgotten = 0
    for numbers in _chunks(_row_numbers(ledger, batch_id)):
        forgotten += ledger.run(forget_rows(batch_id, numbers))
        reach("prune_rows")
    reach("prune_rest")
    ledger.run(end(batch_id))
    return forgotten


def _row_numbers(ledger: Ledger, batch_id: BatchId) -> Iterator[int]:
    """Of the rows that are left. HSCAN misses none that is there all the time, and those that go meanwhile are gone."""
    cursor: Any = 0
    while True:
        with translated():
            cursor, fields = ledger.client.hscan(ledger.key("rows", batch_id), cursor, count=CHUNK)
        yield from map(int, fields)
        if not cursor:
            return


def finish_if_begun(ledger: Ledger, batch_id: BatchId) -> None:
    """For whoever wants the batch again."""
    with translated():
        pruning = ledger.client.sismember(ledger.key("pruning"), batch_id)
    if pruning:
        finish(ledger, batch_id)


def job_ids(ledger: Ledger) -> Iterator[list[str]]:
    """Every job's id, some hundred at a time; one that comes or goes meanwhile may be missed, and one may come twice."""
    begins = ledger.key("job") + ":"
    with translated():
        yield from _chunks(name[len(begins) :] for name in ledger.client.scan_iter(begins + "*", count=1000))


def forget_all_of_nobody(ledger: Ledger, older_than_ms: int, let_go: str) -> int:
    """Removes every job that no row wants: rows have got other pictures, or were never brought in again."""
    forgotten = 0
    for ids in job_ids(ledger):
        pipeline = ledger.client.pipeline(transaction=False)
        for each in ids:
            pipeline.hget(ledger.key("job", each), "refs")
        with translated():
            found = pipeline.execute()
        nobodys = [each for each, refs in zip(ids, found, strict=True) if refs == ""]
        if nobodys:
            forgotten += ledger.run(forget_nobodys(older_than_ms, let_go, nobodys))
    return forgotten


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, CHUNK)):
        yield some
