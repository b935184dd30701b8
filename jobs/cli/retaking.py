"""What `vton retake` does: finds the rows whose picture is to be made once more, and puts these versions into the line."""

import csv
import shlex
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog

from jobs.cells import plain_cell
from jobs.cli.advice import command
from jobs.errors import NotFoundError, UsageError
from jobs.ledger import Ledger, RowFate
from jobs.ledger.verdicts import verdicts_of
from jobs.ledger.versions import Retake, RowVersion, admit_retakes, counting_version, versions_at
from jobs.producing.producer import CHUNK, send_missing_messages
from jobs.producing.queue import Queue
from jobs.records import BatchId, Job, Url
from jobs.results.review import Review
from jobs.signed_addresses import ends_at

log = structlog.get_logger()

#: SKUs that are named one by one when no row has them.
_NAMED = 5


class Passed(StrEnum):
    """Why a row that was asked for gets no second take now."""

    NO_PICTURE = "without a picture yet, or whose second take has failed (vton retry)"
    NOT_JUDGED = "whose newest version nobody has judged"
    ENDED = "whose pictures' addresses have ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What a retake would do now."""

    retakes: tuple[Retake, ...]
    #: Rows that were asked for and get none.
    passed: Counter[Passed]
    #: Pictures that are bought for them.
    pictures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row of the manifest with a job."""

    number: int
    line: int
    sku: str
    versions: Sequence[RowVersion]
    #: Which version comes next.
    next: int

    def rejected(self, review: Review) -> bool:
        """Whether the version that counts is."""
        counts = counting_version(self.versions, review.standing)
        words = map(review.standing, counts.pictures)
        return any(word is not None and word.verdict == "reject" for word in words)

    def why_not(self, review: Review) -> Passed | None:
        """What keeps it from a further version; None: nothing.

        Only a judged version is followed by another, but for the first: so the same command twice buys once, whatever
        was made between the two.
        """
        newest, first = self.versions[-1], self.versions[0].job
        if not newest.pictures or first is None:
            return Passed.NO_PICTURE
        if newest.version > 1 and not any(map(review.standing, newest.pictures)):
            return Passed.NOT_JUDGED
        addresses = (source.url for _, source in first.pair.slots() if isinstance(source, Url))
        ends = [end for url in addresses if (end := ends_at(url)) is not None]
        return Passed.ENDED if ends and min(ends) <= time.time() else None

    def retake(self, first: Job) -> Retake:
        """Its next version."""
        return Retake(
            row=self.number,
            version=self.next,
            first=first.request_id,
            pair=first.pair,
            line=self.line,
            sku=self.sku,
        )


def foresee_retakes(ledger: Ledger, batch_id: BatchId, skus: frozenset[str] | None) -> Foreseen:
    """Which second takes are due; changes nothing.

    Args:
        ledger: where the rows stand.
        batch_id: their batch.
        skus: those of the rows; None: the rows whose picture is rejected.

    Raises:
        NotFoundError: no such batch.
        UsageError: the batch is still being read, or a SKU is no row's.
    """
    if not ledger.batch(batch_id).sealed:
        raise UsageError(f"{batch_id}: its manifest is not in whole yet: run it first")
    review = Review(verdicts_of(ledger, batch_id))
    passed: Counter[Passed] = Counter()
    found: list[tuple[Retake, int]] = []
    unseen = set(skus or ())
    for row in _rows(ledger, batch_id):
        unseen.discard(row.sku)
        if row.sku not in skus if skus is not None else not row.rejected(review):
            continue
        why, first = row.why_not(review), row.versions[0].job
        if why is not None or first is None:
            passed[why or Passed.NO_PICTURE] += 1
        else:
            found.append((row.retake(first), max(1, len(first.sub_task_ids))))
    if unseen:
        some = ", ".join(sorted(unseen)[:_NAMED]) + (", …" if len(unseen) > _NAMED else "")
        raise UsageError(f"{batch_id}: no row with a job has the SKU {some}; nothing is bought")
    retakes = tuple(retake for retake, _ in found)
    bought = (found[place][1] for place in _bought(ledger, batch_id, retakes))
    return Foreseen(retakes=retakes, passed=passed, pictures=sum(bought))


def retake(ledger: Ledger, queue: Queue, batch_id: BatchId, retakes: Sequence[Retake]) -> int:
    """Puts second takes into the line; returns how many rows have one that they had not. Cut off, it can be said again."""
    rows = 0
    for some in _chunks(retakes):
        rows += admit_retakes(ledger, batch_id, some).rows
    send_missing_messages(ledger, queue)
    # What has its picture already, bought by another batch, only stands to be written.
    queue.export(batch_id)
    if rows:
        log.info("batch.retaken", batch=batch_id, rows=rows)
    return rows


def read_skus(path: Path, *, simulated: bool = False) -> frozenset[str]:
    """The SKUs of a file: one a line, or those of a table's column `sku`; `simulated`: whose advice is given.

    Raises:
        NotFoundError: no such file.
        UsageError: it holds none, or is a review.csv, in which approved ones stand too.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no such file") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    lines = [line for line in text.splitlines() if line.strip()]
    head = lines[0] if lines else ""
    delimiter = max(",;\t", key=head.count)
    names = [name.strip().lower() for name in next(csv.reader([head], delimiter=delimiter), [])]
    if {"verdict", "picture_sha256"} <= set(names):
        apply = command(f"review apply {shlex.quote(str(path))}", simulated=simulated)
        raise UsageError(
            f"{path}: these are verdicts: {apply}, then {command('retake BATCH', simulated=simulated)}"
        )
    if "sku" in names:
        table = csv.reader(lines[1:], delimiter=delimiter)
        skus = {plain_cell(cells[names.index("sku")]) for cells in table if len(cells) > names.index("sku")}
    else:
        skus = {line.strip() for line in lines}
    if not (skus := skus - {""}):
        raise UsageError(f"{path}: no SKU in it")
    return frozenset(skus)


def _rows(ledger: Ledger, batch_id: BatchId) -> Iterator[_Row]:
    later, left = ledger.later_rows(batch_id), ledger.left_rows(batch_id)
    for chunk in ledger.rows(batch_id):
        rows = {number: row for number, row in chunk.items() if row.job and not row.of}
        versions = versions_at(ledger, batch_id, rows, later, left)
        jobs = ledger.jobs(row.job for row in rows.values() if row.job)
        for number, row in rows.items():
            job = None if number in left else jobs.get(row.job or "")
            only = (
                None if job is None else RowVersion(version=1, request_id=job.request_id, job=job, left=None)
            )
            if found := versions.get(number) or (only and [only]):
                behind = len(later.get(number, ()))
                yield _Row(number=number, line=row.line, sku=row.sku, versions=found, next=behind + 2)


def _bought(ledger: Ledger, batch_id: BatchId, retakes: Sequence[Retake]) -> Iterator[int]:
    """The places of those for which something is bought."""
    seen: set[str] = set()
    place = 0
    for some in _chunks(retakes):
        asked = [each.admission for each in some]
        for fate in ledger.fates(batch_id, asked, seen):
            if fate in {RowFate.NEW, RowFate.AGAIN}:
                yield place
            place += 1
        seen |= {each.request_id for each in asked}


def _chunks(retakes: Sequence[Retake]) -> Iterator[Sequence[Retake]]:
    return (retakes[first : first + CHUNK] for first in range(0, len(retakes), CHUNK))
