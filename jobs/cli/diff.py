"""`vton diff`: what is different between two batches."""

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from jobs.cells import safe_cell
from jobs.cli.options import ConfigOpt, JsonOpt, OutputOpt, SimulateOpt
from jobs.cli.output import print_json
from jobs.cli.session import Session, command_settings, open_session
from jobs.delivery.selection import lines_of
from jobs.errors import UsageError
from jobs.ledger.verdicts import verdicts_of
from jobs.ledger.versions import RowVersion, versions_at
from jobs.records import BatchId, RequestId, ResultLine
from jobs.results.checkpoint import RESULTS
from jobs.results.difference import Change, Difference, differences
from jobs.results.lines import result_line
from jobs.results.review import Review
from jobs.results.versions import as_counted, with_versions
from jobs.units import counted

#: Rows of each kind that the text names.
_SHOWN = 10
_WORDS = {
    Change.NEW: "new",
    Change.CHANGED_PICTURE: "with a changed picture",
    Change.REMOVED: "removed",
    Change.NEWLY_FAILING: "newly failing",
    Change.STILL_FAILING: "still failing",
    Change.NEWLY_APPROVED: "newly approved",
}
_COLUMNS = ("changes", "sku", "row_before", "row_after", "status_before", "status_after", "reason")

SideArg = Annotated[str, typer.Argument(help="Batch id, or a batch's folder.")]


def diff(
    before: SideArg,
    after: SideArg,
    *,
    as_json: JsonOpt = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A table with a line for each row.")] = False,
    output: OutputOpt = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Say what is different: rows that are new, changed, removed, newly or still failing, newly approved."""
    if as_json and as_csv:
        raise UsageError("--json or --csv, not both")
    settings = command_settings(config, output=output, simulate=simulate)
    with open_session(settings) as opened:
        found = list(differences(_lines(opened, before), _lines(opened, after)))
    if as_json:
        print_json(
            {"before": before, "after": after, "counts": _counts(found), "rows": list(map(_row, found))}
        )
    elif as_csv:
        table = csv.writer(sys.stdout, lineterminator="\n")
        table.writerow(_COLUMNS)
        for row in map(_row, found):
            cells = (" ".join(row["changes"]), *(row[name] for name in _COLUMNS[1:]))
            table.writerow(["" if cell is None else safe_cell(str(cell)) for cell in cells])
    else:
        for line in _text(found):
            sys.stdout.write(line + "\n")


def _lines(opened: Session, name: str) -> list[ResultLine]:
    """The rows of a folder with results, of a batch of the ledger, or of a batch's folder whose rows were pruned.

    Raises:
        NotFoundError: none of these.
    """
    batch_id = BatchId(name)
    if "/" in name or not name.isascii() or not opened.ledger.exists(batch_id):
        for folder in (Path(name), opened.settings.output_dir / name):
            if (folder / RESULTS).is_file():
                return lines_of(folder)
    return list(_of_ledger(opened, batch_id))


def _of_ledger(opened: Session, batch_id: BatchId) -> Iterator[ResultLine]:
    ledger = opened.ledger
    created_ms, left = ledger.batch(batch_id).created_ms, ledger.left_rows(batch_id)
    review, later = Review(verdicts_of(ledger, batch_id)), ledger.later_rows(batch_id)
    for chunk in ledger.rows(batch_id):
        # Second takes stand behind the rows of the manifest, and are told of with them.
        rows = {number: row for number, row in chunk.items() if not row.of}
        several = versions_at(ledger, batch_id, rows, later, left)
        jobs = ledger.jobs(row.job for number, row in rows.items() if row.job and number not in left)
        for number, row in rows.items():
            job = None if number in left else jobs.get(row.job or "")
            only = RowVersion(version=1, request_id=row.job or RequestId(""), job=job, left=left.get(number))
            lines = [
                result_line(
                    batch_id, number, row, one.job, left=one.left, created_ms=created_ms, version=one.version
                )
                for one in several.get(number, [only])
            ]
            line = as_counted(with_versions(lines, review.on), review.standing) if lines[1:] else lines[0]
            yield replace(line, review=review.of(line))


def _row(one: Difference) -> dict[str, Any]:
    line = one.after
    return {
        "changes": [change.value for change in one.changes],
        "sku": one.sku,
        "row_before": one.before.row if one.before else None,
        "row_after": line.row if line else None,
        "status_before": one.before.status if one.before else None,
        "status_after": line.status if line else None,
        "reason": f"{line.error.kind}: {line.error.message}" if line and line.error else None,
    }


def _counts(found: list[Difference]) -> dict[str, int]:
    counts = Counter(change for one in found for change in one.changes)
    return {change.value: counts[change] for change in Change}


def _text(found: list[Difference]) -> Iterator[str]:
    if not found:
        yield "no difference"
    for change, words in _WORDS.items():
        rows = [one for one in found if change in one.changes]
        if not rows:
            continue
        yield f"{counted(len(rows), 'row')} {words}"
        for one in rows[:_SHOWN]:
            row = one.after or one.before
            reason = f": {one.after.error.kind}" if one.after and one.after.error else ""
            yield f"    {one.sku or '-'} (row {row.row if row else ''}){reason}"
        if len(rows) > _SHOWN:
            yield f"    and {len(rows) - _SHOWN} more; --csv has all of them"
