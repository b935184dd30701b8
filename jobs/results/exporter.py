"""The exporter: brings a batch's files up to date from the ledger. One at a time per batch, by lease."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import structlog

from jobs.errors import ForeignResultsError, UnwrittenError
from jobs.failpoints import reach
from jobs.ledger import Ledger
from jobs.pictures.stored import Hashes
from jobs.records import BatchId, ResultLine
from jobs.report import Thumbnails, write_report
from jobs.results.checkpoint import SIMULATED
from jobs.results.claim import claim, output_place
from jobs.results.files import replacing, sweep
from jobs.results.jsonl import ResultsFile
from jobs.results.lease import LEASE_MS, Lease, LeaseLostError
from jobs.results.lines import written
from jobs.results.pictures import BatchPictures
from jobs.results.rows import BatchRows
from jobs.results.tables import summary, write_json, write_tables

__all__ = ["LEASE_MS", "Exported", "Exporter"]

log = structlog.get_logger()
T = TypeVar("T")

#: Rows in one round trip.
CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export has written."""

    folder: Path
    #: Lines written to results.jsonl.
    lines: int
    #: results.csv and the other tables were written too.
    tables: bool


class Exporter:
    """Writes `<output_dir>/<batch>/…`; pictures are copies of the picture store's."""

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
        self._hashes = Hashes()
        #: Batches whose trouble was logged.
        self._logged: set[BatchId] = set()

    def follow(self, batch_id: BatchId) -> None:
        """Brings the files of a batch up to date, if they belong here; called again and again while it runs.

        What keeps them from being written is logged once, until they are.

        Raises:
            NotFoundError, RedisDownError: see `export`.
        """
        output = self._ledger.batch(batch_id).output
        if output and output != output_place(self._output_dir):
            return
        try:
            self.export(batch_id)
        except (ForeignResultsError, UnwrittenError) as error:
            if batch_id not in self._logged:
                event = "export.refused" if isinstance(error, ForeignResultsError) else "export.failed"
                log.error(event, batch=batch_id, why=str(error))  # noqa: TRY400 no error of ours
            self._logged.add(batch_id)
        else:
            self._logged.discard(batch_id)

    def export(
        self, batch_id: BatchId, *, tables: bool = False, rest: bool = True, accept: bool = False
    ) -> Exported | None:
        """Brings the files up to date.

        Args:
            batch_id: the batch.
            tables: make all files anew, as when the batch is complete; else results.jsonl grows by what has ended.
            rest: these are the batch's own files: complete and written, it need not be exported again.
            accept: a person goes on without what the folder's own ledger knew; its files are kept under other names.

        Returns:
            None when another exporter has the batch, or has taken it over meanwhile.

        Raises:
            NotFoundError: no such batch.
            RedisDownError: the files are as they were.
            ForeignResultsError: the folder holds results that this ledger does not have; they are as they were.
            UnwrittenError: no room, no rights; what is half written is put right by the next export.
        """
        self._ledger.batch(batch_id)
        folder = self._output_dir / batch_id
        lease = Lease(self._ledger, batch_id, self._clock)
        if not lease.take():
            return None
        try:
            (folder / "images").mkdir(parents=True, exist_ok=True, mode=0o700)
            sweep(folder, lease.renew)
            return self._export(folder, batch_id, lease, tables=tables, rest=rest, accept=accept)
        except LeaseLostError:
            return None
        except OSError as error:
            # Whoever takes a batch over removes our temporary files.
            if isinstance(error, FileNotFoundError) and not lease.held():
                return None
            option = " --simulate" if self._ledger.prefix.endswith(SIMULATED) else ""
            where = error.filename2 or error.filename or folder
            raise UnwrittenError(
                f"{where}: {error.strerror or type(error).__name__}; everything bought is kept: put this"
                f" right, then vton results {batch_id} -o {self._output_dir}{option}"
            ) from error
        finally:
            lease.drop()

    def _export(
        self, folder: Path, batch_id: BatchId, lease: Lease, *, tables: bool, rest: bool, accept: bool
    ) -> Exported:
        file = claim(folder, self._ledger, batch_id, lease.renew, accept=accept)
        # Before the rows: what ends while they are read has another entry.
        entry = self._ledger.last_entry(batch_id)
        rows = BatchRows(self._ledger, batch_id, BatchPictures(self._store, folder, self._hashes), lease)
        status = rows.status
        tables = tables or status.complete
        lines = (
            self._write_all(folder, file, entry, rows, lease) if tables else self._bring_up(file, rows, lease)
        )
        if lines or tables:
            log.info("export.written", batch=batch_id, lines=lines, tables=tables)
        if status.complete and rest and self._ledger.deactivate(batch_id, entry):
            log.info("batch.completed", batch=batch_id, rows=status.rows, **status.counts)
        elif lines:
            log.info("batch.progress", batch=batch_id, rows=status.rows, open=status.open, **status.counts)
        return Exported(folder=folder, lines=lines, tables=tables)

    def _write_all(self, folder: Path, file: ResultsFile, entry: str, rows: BatchRows, lease: Lease) -> int:
        """Every file anew, from the rows as they stand now; returns how many they are."""
        columns = rows.columns()
        with file.anew(entry, lease.renew) as write:
            counts = write_tables(folder, columns, _passing(rows.all(), write), lease.renew, rows.dialect)
            reach("exporting")
        told = summary(rows.status, counts, rows.batch.manifest)
        write_json(folder / "summary.json", told, lease.renew)
        thumbnails = _KeepingThumbnails(lease)
        lines = (line for line, _ in rows.all())
        with replacing(folder / "report.html", lease.renew, errors="replace") as page:
            write_report(page, told, lines, folder, pictures=_local_file, thumbnails=thumbnails)
        return int(told["rows"])

    def _bring_up(self, file: ResultsFile, rows: BatchRows, lease: Lease) -> int:
        """Adds what has ended since the checkpoint; a file without one is made anew."""
        checkpoint = file.checkpoint() or file.begin(lease.renew)
        added = 0
        while entries := self._ledger.outbox(rows.status.batch_id, checkpoint.entry, at_most=CHUNK):
            lines = list(rows.ended(entries))
            lease.renew()
            reach("exporting")
            checkpoint = file.append(map(written, lines), entries[-1].entry_id, lease.renew, after=checkpoint)
            added += len(lines)
        return added


class _KeepingThumbnails(Thumbnails):
    """Thumbnails that keep the lease: those of a page together may take longer than it lasts."""

    def __init__(self, lease: Lease) -> None:
        super().__init__()
        self._lease = lease

    def of(self, path: Path, side: int) -> str | None:
        self._lease.keep()
        return super().of(path, side)


def _passing(
    rows: Iterable[tuple[ResultLine, T]], write: Callable[[str], object]
) -> Iterator[tuple[ResultLine, T]]:
    for row in rows:
        write(written(row[0]))
        yield row


def _local_file(path: str) -> Path | None:
    """A picture that may be shown; one in a folder that is closed to us is not."""
    with suppress(OSError):
        return Path(path) if Path(path).is_file() else None
    return None
