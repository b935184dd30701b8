"""The rows of a batch as result lines, read from the ledger a chunk at a time."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from jobs.ledger import Ledger, OutboxEntry
from jobs.ledger.records import RowRecord
from jobs.records import BatchId, Dialect, Job, ResultLine
from jobs.results.lease import Lease
from jobs.results.lines import result_line
from jobs.results.manifest_columns import extra_names, table_cells
from jobs.results.pictures import BatchPictures


class BatchRows:
    """One batch as it stands when this is made; its lines' pictures lie in its folder, and its lease is kept meanwhile."""

    def __init__(self, ledger: Ledger, batch_id: BatchId, pictures: BatchPictures, lease: Lease) -> None:
        """Reads the batch's numbers. Raises NotFoundError."""
        self._ledger = ledger
        self._batch_id = batch_id
        self._pictures = pictures
        self._lease = lease
        self.batch = ledger.batch(batch_id)
        self.status = ledger.status(batch_id)

    @property
    def dialect(self) -> Dialect:
        """How its tables are written."""
        return Dialect(delimiter=self.batch.delimiter, bom=self.batch.bom)

    def ended(self, entries: Sequence[OutboxEntry]) -> Iterator[ResultLine]:
        """The lines of outbox entries that still hold.

        An older version of a job is left out: its newer entry tells it.
        """
        jobs = self._ledger.jobs(entry.request_id for entry in entries if entry.request_id)
        if any(entry.request_id and entry.request_id not in jobs for entry in entries):
            # Gone from the ledger: its rows are told by a newer entry, with that reason.
            self._ledger.fix(self._batch_id)
        left = self._ledger.left_rows(self._batch_id) if any(entry.row for entry in entries) else {}
        wanted: dict[int, Job | None] = {}
        for entry in entries:
            if entry.row is not None:
                wanted[entry.row] = None
            elif (job := jobs.get(entry.request_id or "")) is not None and job.version == entry.version:
                wanted.update(dict.fromkeys(entry.rows or job.refs.get(self._batch_id, ()), job))
        rows = self._ledger.rows_at(self._batch_id, wanted)
        extra = extra_names(self.batch.columns) if self.batch.columns else None
        for number, ended in wanted.items():
            row = rows[number]
            # A row whose picture was changed is another job's by now, which has its own entry when it ends.
            told = row.bad or number in left if ended is None else row.job == ended.request_id
            if told:
                yield self._line(number, row, ended, left.get(number), extra)

    def all(self) -> Iterator[tuple[ResultLine, Mapping[str, str]]]:
        """Every row in order, as it stands now: its line, and its cells by column."""
        header = bool(self.batch.columns)
        extra = extra_names(self.batch.columns) if header else list(self._survey[1])
        left = self._ledger.left_rows(self._batch_id)
        for rows in self._ledger.rows(self._batch_id):
            jobs = self._ledger.jobs(
                row.job for number, row in rows.items() if row.job and number not in left
            )
            for number, row in rows.items():
                job = None if number in left else jobs.get(row.job or "")
                line = self._line(number, row, job, left.get(number), extra)
                yield line, table_cells(row, header=header)

    def columns(self) -> list[str]:
        """The tables' columns: the manifest's own in their order; without a header those of all rows as they come."""
        return list(self.batch.columns or self._survey[0])

    @cached_property
    def _survey(self) -> tuple[dict[str, None], dict[str, None]]:
        """Columns of the tables, and those that pass through, of all rows of a manifest without a header."""
        columns: dict[str, None] = {}
        extra: dict[str, None] = {}
        for rows in self._ledger.rows(self._batch_id):
            for row in rows.values():
                columns |= dict.fromkeys(table_cells(row, header=False))
                extra |= dict.fromkeys(extra_names(row.fields))
        return columns, extra

    def _line(
        self, number: int, row: RowRecord, job: Job | None, left: str | None, extra: list[str] | None
    ) -> ResultLine:
        self._lease.keep()
        created_ms = self.batch.created_ms
        line = result_line(self._batch_id, number, row, job, left=left, created_ms=created_ms, extra=extra)
        return self._pictures.placed(line)
