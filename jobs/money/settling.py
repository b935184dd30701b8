"""The table in which persons say what they have found out about unknown rows: written as a template, and read again."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

from jobs.cells import plain_cell, safe_cell
from jobs.ledger import Ledger
from jobs.ledger.codec import UNREADABLE
from jobs.records import BatchId, Job, JobState, RequestId, SettledAs
from jobs.units import iso

COLUMNS: Final = ("row", "sku", "request_id", "posted_at", "outcome", "task_id")
#: What a person may write, and what it means; an empty cell with a task id means that it was bought.
_OUTCOMES: Final[dict[str, SettledAs]] = {
    "bought": "bought",
    "not bought": "not_bought",
    "not_bought": "not_bought",
    "leave": "leave",
}
#: The words of `_OUTCOMES` as a person is told them.
WORDS: Final = "bought (with its task_id), not bought, leave"
#: A task id is one word of plain letters, and no number that a spreadsheet has rounded.
_TASK: Final = re.compile(r"[!-~]{1,200}")
_ROUNDED: Final = re.compile(r"\d[.,]\d+E\+?\d+", re.IGNORECASE)
_ROW: Final = re.compile(r"\d{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownRow:
    """One row whose pair may have been bought."""

    row: int
    sku: str
    job: Job
    #: Which version of the row's picture it is.
    version: int = 1

    @property
    def name(self) -> str:
        """What it is called: `row 3`, `row 3 version 2`."""
        return f"row {self.row}" + (f" version {self.version}" if self.version > 1 else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person says of one row."""

    #: Where it stands, for words about it: `row 3`, `unknown.csv:4`.
    where: str
    #: One of the two.
    row: int | None = None
    request_id: RequestId | None = None
    outcome: SettledAs
    #: Of what was bought; empty for all else.
    task_id: str = ""
    #: Of which POST, ms; None: of its last one.
    posted_ms: int | None = None
    #: It stands in a table, which may be read once more after its rows were sent again.
    in_table: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """A line of a table whose row nothing is said of yet."""

    #: In the file, 1-based.
    line: int


def unknown_rows(ledger: Ledger, batch_id: BatchId) -> Iterator[UnknownRow]:
    """A batch's rows that may have been bought, in their order. Raises NotFoundError."""
    left = ledger.left_rows(batch_id)
    for rows in ledger.rows(batch_id):
        jobs = ledger.jobs(row.job for number, row in rows.items() if row.job and number not in left)
        for number, row in rows.items():
            job = None if number in left else jobs.get(row.job or "")
            if job is not None and job.state is JobState.UNKNOWN and not _unreadable(job):
                yield UnknownRow(row=row.of or number, sku=row.sku, job=job, version=row.version)


def _unreadable(job: Job) -> bool:
    """Its record says nothing, not even its state."""
    return job.failure is not None and job.failure.kind == UNREADABLE


def write_template(file: TextIO, rows: Iterable[UnknownRow]) -> None:
    """Writes the table of unknown rows, each job once; a person fills in outcome and task id."""
    table = csv.writer(file)
    table.writerow(COLUMNS)
    seen = set[str]()
    for one in rows:
        if one.job.request_id not in seen:
            seen.add(one.job.request_id)
            cells = (str(one.row), one.sku, one.job.request_id, iso(one.job.posted_ms) or "", "", "")
            table.writerow([safe_cell(cell) for cell in cells])


def task_fault(task_id: str) -> str:
    """Why a text can be no task id; empty when it can."""
    if _ROUNDED.fullmatch(task_id):
        return f"{task_id} is a number that a spreadsheet has rounded: copy the task id as text"
    return "" if _TASK.fullmatch(task_id) else f"{task_id[:40]!r} is no task id"


def read_decisions(path: Path) -> Iterator[Decision | Undecided | str]:
    """The decisions of a table as a spreadsheet has saved it; for a line that is none, why. Empty lines are passed over.

    Raises:
        OSError: it cannot be read. ValueError: it is no such table.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        head = file.readline()
        delimiter = max(",;\t", key=head.count)
        names = [name.strip().lower() for name in next(csv.reader([head], delimiter=delimiter), [])]
        if missing := {"posted_at", "outcome", "task_id"} - set(names) or (
            set() if {"row", "request_id"} & set(names) else {"request_id"}
        ):
            raise ValueError(f"it has no column {', '.join(sorted(missing))}; see vton settle --template")
        for number, cells in enumerate(csv.reader(file, delimiter=delimiter), start=2):
            given = {
                name: plain_cell(cell).strip()
                for name, cell in zip(names, cells, strict=False)
                if name in COLUMNS
            }
            if given.get("outcome") or given.get("task_id"):
                yield _decision(given, f"{path.name}:{number}")
            elif any(given.values()):
                yield Undecided(line=number)


def _decision(given: dict[str, str], where: str) -> Decision | str:
    words, task_id = given.get("outcome", "").lower(), given.get("task_id", "")
    outcome = _OUTCOMES.get(words) if words else "bought"
    row, request_id = given.get("row", ""), given.get("request_id", "")
    try:
        posted_ms = _ms(given.get("posted_at", ""))
    except (ValueError, OverflowError):
        return f"{where}: posted_at is no time as the template has it"
    if outcome is None:
        return f"{where}: outcome is none of {WORDS}"
    if not request_id and not _ROW.fullmatch(row):
        return f"{where}: it names no row"
    if (outcome == "bought") != bool(task_id):
        return f"{where}: {'bought needs a task id' if outcome == 'bought' else 'only what was bought has a task id'}"
    if task_id and (fault := task_fault(task_id)):
        return f"{where}: {fault}"
    return Decision(
        where=where,
        row=None if request_id else int(row),
        request_id=RequestId(request_id) if request_id else None,
        outcome=outcome,
        task_id=task_id,
        posted_ms=posted_ms,
        in_table=True,
    )


def _ms(text: str) -> int | None:
    return round(datetime.fromisoformat(text).timestamp() * 1000) if text else None
