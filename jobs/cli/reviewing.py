"""What `vton review` does."""

import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from jobs.cli.advice import command, is_simulated
from jobs.cli.output import print_json
from jobs.cli.session import Session
from jobs.errors import NotFoundError, UsageError
from jobs.ledger import Ledger
from jobs.ledger.verdicts import add_verdicts, pictures_of, verdicts_of
from jobs.ledger.versions import counting_version, versions_at
from jobs.records import BatchId, JobState, Verdict
from jobs.results.review import BadLine, Review, batch_of, read_review, write_review
from jobs.units import counted

#: Lines of a file that are named one by one; the rest is counted.
_NAMED = 20


def apply_reviews(opened: Session, files: Iterable[Path], *, batch: str, reviewer: str) -> bool:
    """Takes in what holds for today's pictures, and says of all else why it does not; whether all of it does.

    Raises:
        NotFoundError: no such file or batch. UsageError: a file is none, has bad lines only, or its batch is not clear.
    """
    paths = tuple(files)
    found = [one for path in paths for one in _read(path, reviewer)]
    verdicts = [one for one in found if isinstance(one, Verdict)]
    if not verdicts:
        raise UsageError("review apply: no verdict in these files; nothing was applied")
    batch_id = BatchId(batch) if batch else _batch(opened.ledger, verdicts, paths)
    today = set(pictures_of(opened.ledger, batch_id))
    good = [one for one in verdicts if one.picture_sha256 in today]
    added = add_verdicts(opened.ledger, batch_id, good)
    _say_replaced([one for one in verdicts if one.picture_sha256 not in today])
    known, refused = len(good) - added, len(found) - len(verdicts)
    sys.stdout.write(
        f"{batch_id}: {counted(added, 'verdict')} applied, {known} known before,"
        f" {len(verdicts) - len(good)} on replaced pictures"
        + (f", {counted(refused, 'line')} refused" if refused else "")
        + "\n"
    )
    if added and (opened.settings.output_dir / batch_id).is_dir():
        exported = opened.exporter.export(batch_id, tables=True, rest=False)
        again = command(f"results {batch_id}", simulated=is_simulated(opened.ledger))
        sys.stdout.write(
            f"files: {exported.folder}\n" if exported else f"{again} writes them into the batch's files\n"
        )
    return len(good) == len(found)


def print_review(ledger: Ledger, batch_id: BatchId, *, as_json: bool) -> None:
    """How far a batch has been judged. Raises NotFoundError."""
    review = Review(verdicts_of(ledger, batch_id))
    found = review.counts(_counting(ledger, batch_id, review), pictures_of(ledger, batch_id))
    if as_json:
        print_json({"batch": batch_id, **found})
        return
    out = sys.stdout.write
    out(f"{batch_id}: {counted(found['pictures'], 'picture')}\n")
    for name in ("approved", "rejected", "to_judge"):
        out(f"  {found[name]:>7} {name.replace('_', ' ')}\n")
    if found["other_versions"]:
        out(f"  {found['other_versions']:>7} of versions beside the one that counts\n")
    if found["reasons"]:
        out(
            "rejected for: " + ", ".join(f"{name} {count}" for name, count in found["reasons"].items()) + "\n"
        )
    if found["reviewers"]:
        out("judged by: " + ", ".join(f"{name} {count}" for name, count in found["reviewers"].items()) + "\n")
    if found["disagreed"]:
        out(f"reviewers disagree about {counted(found['disagreed'], 'picture')}: the last word counts\n")
    if found["of_replaced_pictures"]:
        out(f"verdicts on {counted(found['of_replaced_pictures'], 'replaced picture')} do not count\n")


def export_review(ledger: Ledger, batch_id: BatchId, file: TextIO) -> None:
    """Writes each reviewer's last word on each picture as a review.csv. Raises NotFoundError."""
    skus = {number: row.sku for rows in ledger.rows(batch_id) for number, row in rows.items()}
    write_review(file, Review(verdicts_of(ledger, batch_id)).latest(), skus)


def _read(path: Path, reviewer: str) -> list[Verdict | BadLine]:
    try:
        found = list(read_review(path, reviewer=reviewer))
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no such file") from None
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{path}: {error}") from None
    bad = [one for one in found if isinstance(one, BadLine)]
    for one in bad[:_NAMED]:
        sys.stderr.write(f"{path}:{one.line}: {one.why}\n")
    if len(bad) > _NAMED:
        sys.stderr.write(f"{path}: {len(bad) - _NAMED} more lines are no verdicts\n")
    return found


def _batch(ledger: Ledger, verdicts: list[Verdict], paths: Iterable[Path]) -> BatchId:
    jobs = ledger.jobs({one.request_id for one in verdicts if one.request_id})
    first = {
        batch: {number: row for row, later in ledger.later_rows(BatchId(batch)).items() for number in later}
        for batch in {batch for job in jobs.values() for batch in job.refs}
    }
    # The sheet has a later version at the row whose version it is.
    refs = {
        request_id: {
            batch: tuple(first[batch].get(number, number) for number in rows)
            for batch, rows in job.refs.items()
        }
        for request_id, job in jobs.items()
    }
    found = batch_of(verdicts, refs)
    if not found:
        raise NotFoundError("review apply: no batch has these rows; name it with --batch")
    if len(found) > 1:
        # Pictures that are reused are in several; a sheet gives its table the name of its batch.
        named = {batch for batch in found for path in paths if path.name.startswith(f"review-{batch}-")}
        if len(named) == 1:
            return BatchId(named.pop())
        raise UsageError(f"review apply: {', '.join(found[:5])} have these rows; say which with --batch")
    return BatchId(found[0])


def _counting(ledger: Ledger, batch_id: BatchId, review: Review) -> Iterator[str]:
    """The hashes of the pictures that count: of a row with several versions those of one."""
    later, left = ledger.later_rows(batch_id), ledger.left_rows(batch_id)
    for chunk in ledger.rows(batch_id):
        rows = {number: row for number, row in chunk.items() if not row.of and number not in left}
        versions = versions_at(ledger, batch_id, rows, later, left)
        for each in versions.values():
            yield from counting_version(each, review.standing).pictures
        jobs = ledger.jobs(row.job for number, row in rows.items() if row.job and number not in versions)
        for job in jobs.values():
            if job.state is JobState.SUCCEEDED:
                yield from (picture.sha256 for picture in job.pictures)


def _say_replaced(verdicts: list[Verdict]) -> None:
    for one in verdicts[:_NAMED]:
        sys.stderr.write(
            f"row {one.row}: {one.verdict} by {one.reviewer} is not applied: its picture {one.picture_sha256[:12]}…"
            " is none of this batch's any more\n"
        )
    if len(verdicts) > _NAMED:
        sys.stderr.write(f"{len(verdicts) - _NAMED} more verdicts on replaced pictures are not applied\n")
