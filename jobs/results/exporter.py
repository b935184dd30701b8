"""The exporter: brings a batch's files up to date from the ledger. One at a time per batch, by lease."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from jobs.failpoints import reach
from jobs.ledger import Ledger, OutboxEntry
from jobs.records import BatchId, BatchStatus, Dialect, Job
from jobs.report import Thumbnails, write_report
from jobs.results.files import replacement, sweep
from jobs.results.jsonl import ResultsFile
from jobs.results.lease import LEASE_MS, Lease, LeaseLostError
from jobs.results.lines import ResultLine, result_line, written
from jobs.results.pictures import BatchPictures
from jobs.results.tables import summary, write_json, write_tables

__all__ = ["LEASE_MS", "Exported", "Exporter"]

log = structlog.get_logger()

#: Rows in one round trip.
CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export has written."""

    folder: Path
    #: Lines added to results.jsonl.
    lines: int
    #: results.csv and the other tables were written too.
    tables: bool


class Exporter:
    """Writes `<output_dir>/<batch>/…`; pictures are linked from the picture store, not copied where that is possible."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        output_dir: Path,
        picture_store: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock`: seconds, for the times between renewals of a lease."""
        self._ledger = ledger
        self._clock = clock
        self._output_dir = output_dir
        self._store = picture_store

    def export(self, batch_id: BatchId, *, tables: bool = False) -> Exported | None:
        """Brings the files up to date; the tables too when the batch is complete or `tables` asks for them.

        Returns:
            None when another exporter has the batch, or has taken it over meanwhile.

        Raises:
            NotFoundError: no such batch.
            RedisDownError: the files are as they were.
            OSError: the disk is full; results.jsonl is mended by the next export.
        """
        fields = self._ledger.batch_fields(batch_id)
        lease = Lease(self._ledger, batch_id, self._clock)
        if not lease.take():
            return None
        try:
            return self._export(batch_id, fields, lease, tables=tables)
        except LeaseLostError:
            return None
        except FileNotFoundError:
            # Whoever takes a batch over removes our temporary files.
            if lease.held():
                raise
            return None
        finally:
            lease.drop()

    def _export(self, batch_id: BatchId, fields: dict[str, str], lease: Lease, *, tables: bool) -> Exported:
        folder = self._output_dir / batch_id
        (folder / "images").mkdir(parents=True, exist_ok=True, mode=0o700)
        sweep(folder, lease.renew)
        pictures = BatchPictures(self._store, folder)
        status = self._ledger.status(batch_id)
        file = ResultsFile(folder / "results.jsonl", self._ledger.ledger_id() or "")
        lines = self._bring_up(file, pictures, status, lease)
        tables = tables or status.complete
        if tables:
            self._write_tables(folder, pictures, fields, status, lease)
        if lines or tables:
            log.info("export.written", batch=batch_id, lines=lines, tables=tables)
        if status.complete and self._ledger.deactivate(batch_id, file.checkpoint() or "0"):
            log.info("batch.completed", batch=batch_id, rows=status.rows, **status.counts)
        elif lines:
            log.info("batch.progress", batch=batch_id, rows=status.rows, open=status.open, **status.counts)
        return Exported(folder=folder, lines=lines, tables=tables)

    def _write_tables(
        self,
        folder: Path,
        pictures: BatchPictures,
        fields: dict[str, str],
        status: BatchStatus,
        lease: Lease,
    ) -> None:
        """Everything but results.jsonl, from the rows as they stand now."""
        columns = self._columns(status.batch_id, fields)
        lines = pictures.linked(lease.kept(self._all_lines(status)))
        dialect = Dialect(delimiter=fields.get("delimiter", ","), bom=bool(fields.get("bom")))
        counts = write_tables(folder, columns, lines, lease.renew, dialect)
        told = summary(status, counts, self._ledger.batch_fields(status.batch_id))
        write_json(folder / "summary.json", told, lease.renew)
        with replacement(folder / "report.html", lease.renew) as page:
            write_report(
                page,
                summary=told,
                lines=pictures.linked(lease.kept(self._all_lines(status))),
                batch_folder=folder,
                pictures=_local_file,
                thumbnails=_KeepingThumbnails(lease),
            )

    def _bring_up(self, file: ResultsFile, pictures: BatchPictures, status: BatchStatus, lease: Lease) -> int:
        """Adds what has ended since the checkpoint; a file without one is made anew."""
        checkpoint = file.checkpoint()
        if checkpoint is None:
            file.write_anew([], "0", lease.renew)
            checkpoint = "0"
        added = 0
        while entries := self._ledger.outbox(status.batch_id, checkpoint, at_most=CHUNK):
            lines = list(pictures.linked(lease.kept(self._ended_lines(entries, status))))
            lease.renew()
            reach("exporting")
            file.append((written(line) for line in lines), entries[-1].entry_id, after=checkpoint)
            checkpoint = entries[-1].entry_id
            added += len(lines)
        return added

    def _ended_lines(self, entries: Sequence[OutboxEntry], status: BatchStatus) -> Iterator[ResultLine]:
        """The lines of outbox entries that still hold: an older version of a job will be told by its newer entry."""
        batch_id = status.batch_id
        jobs = self._ledger.jobs(entry.request_id for entry in entries if entry.request_id)
        if any(entry.request_id and entry.request_id not in jobs for entry in entries):
            # Gone from the ledger: its rows are told by a newer entry, with that reason.
            self._ledger.mend(batch_id)
        left = self._ledger.left_rows(batch_id) if any(entry.row for entry in entries) else {}
        wanted: dict[int, Job | None] = {}
        for entry in entries:
            if entry.row is not None:
                wanted[entry.row] = None
            elif (
                entry.request_id
                and (ended := jobs.get(entry.request_id)) is not None
                and ended.version == entry.version
            ):
                wanted.update(dict.fromkeys(entry.rows or ended.refs.get(batch_id, ()), ended))
        rows = self._ledger.rows_at(batch_id, wanted)
        for number, job in wanted.items():
            created_ms = status.created_ms
            yield result_line(
                batch_id, number, rows[number], job, left=left.get(number), created_ms=created_ms
            )

    def _all_lines(self, status: BatchStatus) -> Iterator[ResultLine]:
        """Every row in order, as it stands now."""
        batch_id, created_ms = status.batch_id, status.created_ms
        left = self._ledger.left_rows(batch_id)
        for rows in self._ledger.rows(batch_id):
            jobs = self._ledger.jobs(
                row["job"] for number, row in rows.items() if "job" in row and number not in left
            )
            for number, row in rows.items():
                job = None if number in left else jobs.get(row.get("job", ""))
                yield result_line(batch_id, number, row, job, left=left.get(number), created_ms=created_ms)

    def _columns(self, batch_id: BatchId, fields: dict[str, str]) -> list[str]:
        """The manifest's columns in their order; those of its rows in order of first sight when it has no header."""
        columns: list[str] = json.loads(fields.get("columns", "[]"))
        if columns:
            return columns
        seen: dict[str, None] = {}
        for rows in self._ledger.rows(batch_id):
            for row in rows.values():
                seen.update(dict.fromkeys([*row["fields"], *row.get("inputs", ())]))
        return list(seen)


class _KeepingThumbnails(Thumbnails):
    """Thumbnails that keep the lease: those of a page together may take longer than it lasts."""

    def __init__(self, lease: Lease) -> None:
        super().__init__()
        self._lease = lease

    def of(self, path: Path, side: int) -> str | None:
        self._lease.keep()
        return super().of(path, side)


def _local_file(path: str) -> Path | None:
    found = Path(path)
    return found if found.is_file() else None
