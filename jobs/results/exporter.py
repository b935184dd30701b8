"""The exporter: brings a batch's files up to date from the ledger. One at a time per batch, by lease."""

import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import structlog

from jobs.config.advice import command
from jobs.config.price import NO_PRICE, Price
from jobs.config.settings import FlagSettings
from jobs.errors import ForeignResultsError, NotFoundError, UnwrittenError
from jobs.failpoints import reach
from jobs.flags.batch import PATIENCE_S, BatchFlags
from jobs.flags.measures import Measures
from jobs.ledger import Ledger
from jobs.ledger.versions import second_takes
from jobs.pictures.store import place
from jobs.pictures.stored import Hashes
from jobs.records import BatchId, BatchStatus, Job, ResultLine
from jobs.report import FOLDER, Sheet, Thumbnails
from jobs.report.thumbnails import LIGHT_PIXELS
from jobs.results.checkpoint import NOTHING, SIMULATED
from jobs.results.claim import claim, output_place
from jobs.results.files import PRIVATE, folder_rights, make_folder, replacing, share, sweep
from jobs.results.jsonl import ResultsFile
from jobs.results.lease import LEASE_MS, Lease, LeaseLostError
from jobs.results.lines import written
from jobs.results.pictures import BatchPictures
from jobs.results.rows import BatchRows
from jobs.results.tables import summary, write_json, write_tables

__all__ = ["LEASE_MS", "Exported", "Exporter"]

log = structlog.get_logger()
T = TypeVar("T")

#: Between two words about a batch's files while all of them are made anew, s.
PROGRESS_S = 5.0
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
    #: The last entry of the batch's outbox when it began, "0" = none: what ended until then is in the files.
    entry: str
    #: Every row has ended, and nothing is left to write.
    completed: bool = False


class Exporter:
    """Writes `<output_dir>/<batch>/…`; pictures are copies of the picture store's."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        output_dir: Path,
        picture_store: Path,
        output_mode: int = PRIVATE,
        flags: FlagSettings | None = None,
        flags_s: float = PATIENCE_S,
        price: Price = NO_PRICE,
        completed: Callable[[Path], object] = lambda _folder: None,
        exported: dict[BatchId, str] | None = None,
        ended: Callable[[Iterable[ResultLine], int], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Where everything lies.

        `output_mode`: rights of the files; `flags`: their limits, None: there are none; `flags_s`: how long they may take at
        the end, see jobs.flags.batch; `price`: of one picture, for summary.json; `completed`: takes the folder of each batch
        that `follow` completes; `exported`: is told up to which entry of a batch's outbox `follow` has written its files,
        see `Exported.entry`; `ended`: takes lines of rows that have ended since the files were last written, and when
        their batch was opened, ms; `clock`: seconds.
        """
        self._ended = ended
        self._ledger = ledger
        self._output_mode = output_mode
        self._clock = clock
        self._completed = completed
        self._output_dir = output_dir
        self._store = picture_store
        # Beside the pictures, in the data folder: made while they are collected.
        self._thumbnails = Thumbnails(picture_store.parent / "thumbnails")
        self._light = Thumbnails(self._thumbnails.root, max_pixels=LIGHT_PIXELS)
        self._flags = flags if flags and flags.enabled else None
        self._flags_s = flags_s
        self._price = price
        self._measures = Measures(picture_store.parent, self._thumbnails.of_address)
        self._hashes = Hashes()
        #: Batches whose trouble was logged.
        self._logged: set[BatchId] = set()
        self._exported: dict[BatchId, str] = {} if exported is None else exported

    def follow(self, batch_id: BatchId) -> None:
        """Brings the files of a batch up to date, if they belong here; called again and again while it runs.

        What keeps them from being written is logged once, until they are.

        Raises:
            RedisDownError: see `export`.
        """
        try:
            output = self._ledger.batch(batch_id).output
        except NotFoundError:
            # Pruned since: its files were written before.
            return
        if output and output != output_place(self._output_dir):
            return
        try:
            exported = self.export(batch_id)
        except (ForeignResultsError, UnwrittenError) as error:
            if batch_id not in self._logged:
                event = "export.refused" if isinstance(error, ForeignResultsError) else "export.failed"
                log.error(event, batch=batch_id, why=str(error))  # noqa: TRY400 no error of ours
            self._logged.add(batch_id)
        else:
            self._logged.discard(batch_id)
            if exported is not None:
                self._exported[batch_id] = exported.entry
                if exported.completed:
                    self._completed(exported.folder)

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
            self._make_folders(folder)
            for each in (folder, folder / FOLDER, folder / FOLDER / "rows"):
                sweep(each, lease.renew)
            return self._export(folder, batch_id, lease, tables=tables, rest=rest, accept=accept)
        except LeaseLostError:
            return None
        except OSError as error:
            # Whoever takes a batch over removes our temporary files.
            if isinstance(error, FileNotFoundError) and not lease.held():
                return None
            words = f"results {batch_id} -o {shlex.quote(str(self._output_dir))}"
            again = command(words, simulated=self._ledger.prefix.endswith(SIMULATED))
            where = error.filename2 or error.filename or folder
            raise UnwrittenError(
                f"{where}: {error.strerror or type(error).__name__}; everything bought is kept: put this"
                f" right, then {again}"
            ) from error
        finally:
            lease.drop()

    def _make_folders(self, folder: Path) -> None:
        """Those that are missing; files follow the rights of theirs."""
        make_folder(folder / "images", self._output_mode)
        if self._output_mode != PRIVATE:
            for each in (folder, folder / "images"):
                # Not ours to change: it has the rights that somebody has given it.
                with suppress(PermissionError):
                    each.chmod(folder_rights(self._output_mode))

    def _export(
        self, folder: Path, batch_id: BatchId, lease: Lease, *, tables: bool, rest: bool, accept: bool
    ) -> Exported:
        file = claim(folder, self._ledger, batch_id, lease.renew, accept=accept)
        # Before the rows: what ends while they are read has another entry.
        entry = self._ledger.last_entry(batch_id)
        flags = BatchFlags(self._measures, self._store, self._flags, self._flags_s) if self._flags else None
        pictures = BatchPictures(self._store, folder, self._hashes)
        rows = BatchRows(self._ledger, batch_id, pictures, lease, flags)
        status = rows.status
        tables = tables or status.complete
        lines = (
            self._write_all(folder, file, entry, rows, lease) if tables else self._bring_up(file, rows, lease)
        )
        if tables and self._output_mode != PRIVATE:
            share(folder, self._output_mode)
        if lines or tables:
            log.info("export.written", batch=batch_id, lines=lines, tables=tables)
        completed = status.complete and rest and self._ledger.deactivate(batch_id, entry)
        if completed or lines:
            self._tell(status, completed=completed)
        return Exported(folder=folder, lines=lines, tables=tables, entry=entry, completed=completed)

    def _tell(self, status: BatchStatus, *, completed: bool) -> None:
        """Logs the manifest's rows by status; second takes are none of them."""
        takes = second_takes(self._ledger, status)
        counts = Counter(status.counts) - takes
        told: dict[str, Any] = {"batch": status.batch_id, "rows": status.rows - status.retakes, **counts}
        if takes:
            told["second_takes"] = status.retakes
        if completed:
            log.info("batch.completed", **told)
        else:
            log.info("batch.progress", open=replace(status, counts=counts).open, **told)

    def _write_all(self, folder: Path, file: ResultsFile, entry: str, rows: BatchRows, lease: Lease) -> int:
        """Every file anew, from the rows as they stand now; returns how many they are."""
        columns = rows.columns()
        sheet = Sheet(
            folder,
            self._thumbnails,
            opened=lambda path: replacing(path, lease.renew, errors="replace"),
            digest=lambda source: rows.digests.get(source, ""),
            keep=lease.keep,
        )
        rows.survey(self._make_small)
        before = file.checkpoint() if self._ended else None
        with file.anew(entry, lease.renew) as write:
            every = _passing(self._saying(rows), lambda line: write(written(line)), sheet.add)
            counts = write_tables(folder, columns, every, lease.renew, rows.dialect)
            reach("exporting")
        told = summary(rows.status, counts, rows.batch.manifest, self._price)
        write_json(folder / "summary.json", told, lease.renew)
        sheet.finish(told)
        if self._ended:
            self._say_ended(rows, before.entry if before else NOTHING)
        return int(told["rows"])

    def _say_ended(self, rows: BatchRows, since: str) -> None:
        """What has ended behind an entry of the outbox, once all is written."""
        while self._ended and (entries := self._ledger.outbox(rows.status.batch_id, since, at_most=CHUNK)):
            self._ended(rows.ended(entries), rows.batch.created_ms)
            since = entries[-1].entry_id

    def _make_small(self, job: Job) -> None:
        """Makes thumbnails that nobody has made yet; heavy pictures are left to the sheet, which takes one at a time."""
        pictures = [(place(self._store, each.name), each.sha256) for each in job.pictures]
        self._light.make_all(job.pair, pictures)

    def _saying(self, rows: BatchRows) -> Iterator[tuple[ResultLine, Mapping[str, str]]]:
        """Every row; those who wait for a long batch's files see how far they are."""
        said_s = self._clock()
        for done, row in enumerate(rows.all(), start=1):
            yield row
            if self._clock() - said_s >= PROGRESS_S:
                said_s = self._clock()
                log.info("export.progress", batch=rows.status.batch_id, done=done, rows=rows.status.rows)

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
            if self._ended:
                self._ended(lines, rows.batch.created_ms)
        return added


def _passing(
    rows: Iterable[tuple[ResultLine, T]], *takers: Callable[[ResultLine], object]
) -> Iterator[tuple[ResultLine, T]]:
    for row in rows:
        for take in takers:
            take(row[0])
        yield row
