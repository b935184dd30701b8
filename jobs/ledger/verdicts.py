"""What people have said of a batch's pictures. Verdicts are only added, each once, by any number of reviewers at once."""

from collections.abc import Iterable, Iterator
from itertools import islice
from operator import attrgetter

from jobs.ledger import Ledger
from jobs.ledger.codec import decode, encode
from jobs.records import BatchId, JobState, Verdict
from jobs.redis.client import translated

#: Verdicts in one round trip.
_CHUNK = 500


def add_verdicts(ledger: Ledger, batch_id: BatchId, verdicts: Iterable[Verdict]) -> int:
    """Adds verdicts; the same one again changes nothing.

    Returns:
        How many of them are new. Raises RedisDownError: some may have been added, and adding all again is safe.
    """
    added = 0
    rest = iter(verdicts)
    while some := list(islice(rest, _CHUNK)):
        pipeline = ledger.client.pipeline(transaction=False)
        for one in some:
            field = f"{one.picture_sha256} {one.at} {one.reviewer}"
            pipeline.hsetnx(ledger.key("review", batch_id), field, encode(one))
        with translated():
            added += sum(pipeline.execute())
    return added


def verdicts_of(ledger: Ledger, batch_id: BatchId) -> list[Verdict]:
    """All verdicts of a batch, the oldest first."""
    with translated():
        found = ledger.client.hvals(ledger.key("review", batch_id))
    # Of one moment in an order of their own: Redis keeps none.
    order = attrgetter("at", "reviewer", "picture_sha256", "row")
    return sorted((decode(text, Verdict) for text in found), key=order)


def count_verdicts(ledger: Ledger, batch_id: BatchId) -> int:
    """How many there are of a batch."""
    with translated():
        return int(ledger.client.hlen(ledger.key("review", batch_id)))


def pictures_of(ledger: Ledger, batch_id: BatchId) -> Iterator[str]:
    """The hashes of the pictures that a batch's rows have today. Raises NotFoundError."""
    left = ledger.left_rows(batch_id)
    for rows in ledger.rows(batch_id):
        jobs = ledger.jobs(row.job for number, row in rows.items() if row.job and number not in left)
        for job in jobs.values():
            if job.state is JobState.SUCCEEDED:
                yield from (picture.sha256 for picture in job.pictures)
