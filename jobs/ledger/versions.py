"""Versions of a row's picture: the pair's own job, and the jobs by which people have had the pair bought once more.

A later version is a row behind those of the manifest, with a job of its own; so it is counted, budgeted, retried, cancelled
and reported like any other row, and nothing of the version before it is touched.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from jobs.identity import version_id
from jobs.ledger import Admission, Admitted, Ledger
from jobs.ledger.codec import encode, encode_pair
from jobs.ledger.records import RowRecord
from jobs.records import BatchId, BatchStatus, Job, JobState, Pair, RequestId, Verdict, counting


@dataclass(frozen=True, slots=True, kw_only=True)
class RowVersion:
    """One version of a row."""

    #: 1, 2 …
    version: int
    request_id: RequestId
    #: None when the row has left it.
    job: Job | None
    #: The status of a row that has left its job.
    left: str | None

    @property
    def pictures(self) -> tuple[str, ...]:
        """SHA-256 of its pictures; empty while it has none."""
        if self.job is None or self.job.state is not JobState.SUCCEEDED:
            return ()
        return tuple(picture.sha256 for picture in self.job.pictures)


def versions_at(
    ledger: Ledger,
    batch_id: BatchId,
    rows: Mapping[int, RowRecord],
    later: Mapping[int, Collection[int]],
    left: Mapping[int, str],
) -> dict[int, list[RowVersion]]:
    """The versions of those rows that have more than one, by the row's number, the oldest first.

    Versions of a pair that the row had before its picture was changed are left out.

    Args:
        ledger: where the rows stand.
        batch_id: their batch.
        rows: rows of the manifest.
        later: see Ledger.later_rows.
        left: rows that have left their job: number → status.
    """
    if later.keys().isdisjoint(rows):
        return {}
    behind = ledger.rows_at(
        batch_id, chain.from_iterable(later[number] for number in rows if number in later)
    )
    found: dict[int, list[tuple[int, int, RequestId]]] = {}
    for number, row in rows.items():
        if number not in later or row.job is None:
            continue
        same = [(1, number, row.job)]
        for place in later[number]:
            one = behind.get(place)
            if one is not None and one.job == version_id(row.job, one.version):
                same.append((one.version, place, one.job))
        if len(same) > 1:
            found[number] = same
    jobs = ledger.jobs(name for each in found.values() for _, _, name in each)
    return {
        number: [
            RowVersion(
                version=version,
                request_id=name,
                job=None if place in left else jobs.get(name),
                left=left.get(place),
            )
            for version, place, name in each
        ]
        for number, each in found.items()
    }


def counting_version(versions: Sequence[RowVersion], said: Callable[[str], Verdict | None]) -> RowVersion:
    """The one that counts, see jobs.records.counting."""
    return versions[counting([each.pictures for each in versions], said)]


def second_takes(ledger: Ledger, status: BatchStatus) -> Counter[str]:
    """A batch's later versions of rows by their status; they are none of its rows."""
    if not status.retakes:
        return Counter()
    left = ledger.left_rows(status.batch_id)
    behind = chain.from_iterable(ledger.later_rows(status.batch_id).values())
    rows = ledger.rows_at(status.batch_id, behind)
    jobs = ledger.jobs(row.job for row in rows.values() if row.job)
    found = ((left.get(number), jobs.get(row.job or "")) for number, row in rows.items())
    return Counter(gone or (job.state.value if job else "cancelled") for gone, job in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retake:
    """A version that is to be bought."""

    #: The row of which it is one.
    row: int
    #: 2 at least.
    version: int
    #: The job of version 1.
    first: RequestId
    pair: Pair
    line: int
    sku: str

    @property
    def admission(self) -> Admission:
        """As the ledger takes it, or is asked what would become of it."""
        name = version_id(self.first, self.version)
        row = RowRecord(job=name, line=self.line, sku=self.sku, fields={}, of=self.row, version=self.version)
        return Admission(number=self.row, request_id=name, row=encode(row), pair=encode_pair(self.pair))


def admit_retakes(ledger: Ledger, batch_id: BatchId, retakes: Sequence[Retake]) -> Admitted:
    """Puts them into the line; one that somebody has asked for already is not asked for again. Raises NotFoundError."""
    return ledger.retake(batch_id, [each.admission for each in retakes], [each.version for each in retakes])
