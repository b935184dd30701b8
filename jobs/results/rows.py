"""The rows of a batch as result lines, read from the ledger a chunk at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from msgspec.structs import replace

from jobs.flags.batch import BatchFlags
from jobs.ledger import Ledger, OutboxEntry
from jobs.ledger.records import RowRecord
from jobs.ledger.verdicts import verdicts_of
from jobs.ledger.versions import RowVersion, counting_version, versions_at
from jobs.records import BatchId, Dialect, Job, JobState, LocalFile, RequestId, ResultLine
from jobs.results.at_once import at_once
from jobs.results.lease import Lease
from jobs.results.lines import result_line
from jobs.results.manifest_columns import extra_names, table_cells
from jobs.results.pictures import BatchPictures
from jobs.results.review import Review
from jobs.results.versions import as_counted, with_versions


class BatchRows:
    """One batch as it stands when this is made; its lines' pictures lie in its folder, and its lease is kept meanwhile."""

    def __init__(
        self,
        ledger: Ledger,
        batch_id: BatchId,
        pictures: BatchPictures,
        lease: Lease,
        flags: BatchFlags | None = None,
    ) -> None:
        """Reads the batch's numbers. Raises NotFoundError."""
        self._ledger = ledger
        self._batch_id = batch_id
        self._pictures = pictures
        self._lease = lease
        self._flags = flags
        self.batch = ledger.batch(batch_id)
        self.status = ledger.status(batch_id)
        self._review = Review(verdicts_of(ledger, batch_id))
        self._later = ledger.later_rows(batch_id)
        #: Local pictures of the rows read so far, as their lines have them → SHA-256 when they were planned.
        self.digests: dict[str, str] = {}

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
            # Gone from the ledger: its rows are reported by a newer entry, with that reason.
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
        if any(row.of for row in rows.values()):
            # Younger than what was read at first, perhaps.
            self._later = self._ledger.later_rows(self._batch_id)
        several: dict[int, None] = {}
        for number, ended in wanted.items():
            row = rows[number]
            # A row whose picture was changed is another job's by now, which has its own entry when it ends.
            told = row.bad or number in left if ended is None else row.job == ended.request_id
            if told and (row.of or number in self._later):
                several[row.of or number] = None
            elif told:
                yield self._line(number, row, _only(row, ended, left.get(number)), extra)
        if several:
            yield from self._with_versions(several, extra)

    def _with_versions(self, numbers: Iterable[int], extra: list[str] | None) -> Iterator[ResultLine]:
        """The lines of rows of which one version has ended."""
        rows = self._ledger.rows_at(self._batch_id, numbers)
        left = self._ledger.left_rows(self._batch_id)
        versions = versions_at(self._ledger, self._batch_id, rows, self._later, left)
        jobs = self._ledger.jobs(row.job for number, row in rows.items() if row.job and number not in left)
        for number, row in rows.items():
            job = None if number in left else jobs.get(row.job or "")
            each = versions.get(number) or _only(row, job, left.get(number))
            yield self._line(number, row, each, extra)

    def all(self) -> Iterator[tuple[ResultLine, Mapping[str, str]]]:
        """Every row in order, as it stands now: its line, and its cells by column."""
        header = bool(self.batch.columns)
        extra = extra_names(self.batch.columns) if header else list(self._survey[1])
        left = self._ledger.left_rows(self._batch_id)
        for rows in self._rows():
            jobs = self._ledger.jobs(
                row.job for number, row in rows.items() if row.job and number not in left
            )
            versions = versions_at(self._ledger, self._batch_id, rows, self._later, left)
            for number, row in rows.items():
                job = None if number in left else jobs.get(row.job or "")
                each = versions.get(number) or _only(row, job, left.get(number))
                yield self._line(number, row, each, extra), table_cells(row, header=header)

    def _rows(self) -> Iterator[dict[int, RowRecord]]:
        """The manifest's rows; later versions stand behind them and are reported with them."""
        for rows in self._ledger.rows(self._batch_id):
            yield {number: row for number, row in rows.items() if not row.of}

    def survey(self, make: Callable[[Job], object]) -> None:
        """Looks at all jobs with a picture: flags that are about the whole batch are known to its lines from now on.

        `make`: makes what takes long, several at once.
        """

        def prepare(found: tuple[int, Job]) -> None:
            # Whoever waits for pictures does not come by to renew it.
            self._lease.keep()
            make(found[1])
            if self._flags:
                self._flags.measure(found[1])

        jobs = at_once(prepare, self._collected())
        if self._flags:
            self._flags.survey(jobs)
        for _ in jobs:
            pass

    def _collected(self) -> Iterator[tuple[int, Job]]:
        """The jobs that have their picture, each with the first of its rows; of several versions the one that counts."""
        left = self._ledger.left_rows(self._batch_id) if self._later else {}
        for rows in self._rows():
            first: dict[str, int] = {}
            versions = versions_at(self._ledger, self._batch_id, rows, self._later, left)
            for number, row in rows.items():
                name = row.job or ""
                if number in versions:
                    name = counting_version(versions[number], self._review.standing).request_id
                first.setdefault(name, number)
            for name, job in self._ledger.jobs(filter(None, first)).items():
                self._lease.keep()
                if job.state is JobState.SUCCEEDED:
                    yield first[name], job

    def columns(self) -> list[str]:
        """The tables' columns: the manifest's own in their order; without a header those of all rows as they come."""
        return list(self.batch.columns or self._survey[0])

    @cached_property
    def _survey(self) -> tuple[dict[str, None], dict[str, None]]:
        """Columns of the tables, and those that pass through, of all rows of a manifest without a header."""
        columns: dict[str, None] = {}
        extra: dict[str, None] = {}
        for rows in self._rows():
            for row in rows.values():
                columns |= dict.fromkeys(table_cells(row, header=False))
                extra |= dict.fromkeys(extra_names(row.fields))
        return columns, extra

    def _line(
        self, number: int, row: RowRecord, versions: Sequence[RowVersion], extra: list[str] | None
    ) -> ResultLine:
        """The row's line; `versions`: all of them, nearly always one."""
        self._lease.keep()
        placed, job = self._placed(number, row, versions[0], extra), versions[0].job
        if len(versions) > 1:
            lines = [placed, *(self._placed(number, row, each, extra) for each in versions[1:])]
            named = [
                replace(line, request_id=of.request_id) for line, of in zip(lines, versions, strict=True)
            ]
            placed = as_counted(with_versions(named, self._review.on), self._review.standing)
            job = next(each.job for each in versions if each.version == placed.version)
        if said := self._review.of(placed):
            placed = replace(placed, review=said)
        return self._flags.flagged(placed, job) if self._flags else placed

    def _placed(
        self, number: int, row: RowRecord, version: RowVersion, extra: list[str] | None
    ) -> ResultLine:
        """The line of one version, its pictures lying in the folder."""
        if version.job is not None:
            files = (source for _, source in version.job.pair.slots() if isinstance(source, LocalFile))
            self.digests |= {file.shown: file.sha256 for file in files}
        line = result_line(
            self._batch_id,
            number,
            row,
            version.job,
            left=version.left,
            created_ms=self.batch.created_ms,
            manifest=self.batch.manifest,
            extra=extra,
            version=version.version,
        )
        return self._pictures.placed(line)


def _only(row: RowRecord, job: Job | None, left: str | None) -> list[RowVersion]:
    """The one version of nearly every row."""
    return [RowVersion(version=1, request_id=row.job or RequestId(""), job=job, left=left)]
