"""The exporter: brings a batch's files up to date from the ledger. One at a time per batch, by lease."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import uuid4

import structlog

from jobs.errors import VtonError
from jobs.failpoints import reach
from jobs.ledger import Ledger, OutboxEntry
from jobs.records import BatchId, Job
from jobs.redis_client import translated
from jobs.report import write_report
from jobs.results.jsonl import ResultsFile
from jobs.results.lines import ResultLine, result_line, written
from jobs.results.tables import summary, write_json, write_tables

log = structlog.get_logger()

#: An exporter that died gives its batch free after this long.
LEASE_MS = 30_000
#: Rows in one round trip.
CHUNK = 500

_DROP_LEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


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

    def __init__(self, ledger: Ledger, *, output_dir: Path, picture_store: Path) -> None:
        self._ledger = ledger
        self._output_dir = output_dir
        self._store = picture_store

    def export(self, batch_id: BatchId, *, tables: bool = False) -> Exported | None:
        """Brings the files up to date; the tables too when the batch is complete or `tables` asks for them.

        Returns:
            None when another exporter has the batch.

        Raises:
            NotFoundError: no such batch.
            RedisDownError: the files are as they were.
            OSError: the disk is full; results.jsonl is mended by the next export.
        """
        fields = self._ledger.batch_fields(batch_id)
        key, token = self._ledger.key("exporting", batch_id), uuid4().hex
        with translated():
            if not self._ledger.client.set(key, token, nx=True, px=LEASE_MS):
                return None
        try:
            return self._export(batch_id, fields, tables=tables)
        finally:
            with translated():
                self._ledger.client.eval(_DROP_LEASE, 1, key, token)

    def picture(self, name: str) -> Path:
        """Where the store keeps a picture."""
        return self._store / name[:2] / name

    def _export(self, batch_id: BatchId, fields: dict[str, str], *, tables: bool) -> Exported:
        folder = self._output_dir / batch_id
        (folder / "images").mkdir(parents=True, exist_ok=True, mode=0o700)
        status = self._ledger.status(batch_id)
        created_ms = status.created_ms
        file = ResultsFile(folder / "results.jsonl", self._ledger.ledger_id() or "")
        lines = self._bring_up(file, folder, batch_id, created_ms)
        tables = tables or status.complete
        if tables:
            columns = self._columns(batch_id, fields)
            counts = write_tables(
                folder, columns, self._linked(folder, self._all_lines(batch_id, created_ms))
            )
            told = summary(status, counts, self._ledger.batch_fields(batch_id))
            write_json(folder / "summary.json", told)
            write_report(
                folder / "report.html",
                summary=told,
                lines=self._linked(folder, self._all_lines(batch_id, created_ms)),
                batch_folder=folder,
                pictures=_local_file,
            )
        if status.complete:
            self._ledger.deactivate(batch_id, file.checkpoint() or "0")
        if lines or tables:
            log.info("export.written", batch=batch_id, lines=lines, tables=tables)
        return Exported(folder=folder, lines=lines, tables=tables)

    def _bring_up(self, file: ResultsFile, folder: Path, batch_id: BatchId, created_ms: int) -> int:
        """Adds what has ended since the checkpoint; a file without one is made anew."""
        checkpoint = file.checkpoint()
        if checkpoint is None:
            file.write_anew([], "0")
            checkpoint = "0"
        added = 0
        while entries := self._ledger.outbox(batch_id, checkpoint, at_most=CHUNK):
            lines = list(self._linked(folder, self._ended_lines(batch_id, entries, created_ms)))
            self._renew(batch_id)
            checkpoint = entries[-1].entry_id
            reach("exporting")
            file.append((written(line) for line in lines), checkpoint)
            added += len(lines)
        return added

    def _renew(self, batch_id: BatchId) -> None:
        with translated():
            self._ledger.client.pexpire(self._ledger.key("exporting", batch_id), LEASE_MS)

    def _ended_lines(
        self, batch_id: BatchId, entries: Iterable[OutboxEntry], created_ms: int
    ) -> Iterator[ResultLine]:
        """The lines of outbox entries that still hold: an older version of a job will be told by its newer entry."""
        entries = list(entries)
        jobs = self._ledger.jobs(entry.request_id for entry in entries if entry.request_id)
        left = self._ledger.left_rows(batch_id) if any(entry.row for entry in entries) else {}
        wanted: dict[int, Job | None] = {}
        for entry in entries:
            if entry.row is not None:
                wanted[entry.row] = None
            elif entry.request_id and jobs[entry.request_id].version == entry.version:
                ended = jobs[entry.request_id]
                wanted.update(dict.fromkeys(ended.refs.get(batch_id, ()), ended))
        rows = self._ledger.rows_at(batch_id, wanted)
        for number, job in wanted.items():
            yield result_line(
                batch_id, number, rows[number], job, left=left.get(number), created_ms=created_ms
            )

    def _all_lines(self, batch_id: BatchId, created_ms: int) -> Iterator[ResultLine]:
        """Every row in order, as it stands now."""
        left = self._ledger.left_rows(batch_id)
        for rows in self._ledger.rows(batch_id):
            self._renew(batch_id)
            jobs = self._ledger.jobs(
                row["job"] for number, row in rows.items() if "job" in row and number not in left
            )
            for number, row in rows.items():
                job = None if number in left else jobs.get(row.get("job", ""))
                yield result_line(batch_id, number, row, job, left=left.get(number), created_ms=created_ms)

    def _linked(self, folder: Path, lines: Iterable[ResultLine]) -> Iterator[ResultLine]:
        """The same lines, their pictures lying in the batch folder before they are told of."""
        for line in lines:
            for image in line["images"]:
                image["path"] = self._link(folder, image["path"], image["sha256"])
            yield line

    def _link(self, folder: Path, path: str, sha256: str) -> str:
        """Puts a picture into the batch folder; one that is there already is never overwritten."""
        stored = self.picture(f"{sha256}.{path.rpartition('.')[2]}")
        names = _names(folder / path, sha256[:8])
        target = next(name for name in names if not name.exists() or _same(stored, name))
        if not target.exists():
            if not stored.exists():
                raise VtonError(f"the picture store has lost {stored.name}: restore {self._store}")
            _link_or_copy(stored, target)
        return f"images/{target.name}"

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


def _local_file(path: str) -> Path | None:
    found = Path(path)
    return found if found.is_file() else None


def _names(wanted: Path, digest: str) -> Iterator[Path]:
    """The name wanted, and those to take when somebody else has it."""
    yield wanted
    yield wanted.with_name(f"{wanted.stem}_{digest}{wanted.suffix}")
    for number in count(2):
        yield wanted.with_name(f"{wanted.stem}_{digest}-{number}{wanted.suffix}")


def _same(stored: Path, target: Path) -> bool:
    """Whether the target is this very picture: one file by two names, or a copy as long as it."""
    if not stored.exists():
        return False
    return stored.samefile(target) or stored.read_bytes() == target.read_bytes()


def _link_or_copy(stored: Path, target: Path) -> None:
    try:
        os.link(stored, target)
    except FileExistsError:
        return
    except OSError:
        # Another file system, or one without links.
        new = target.with_name(target.name + ".tmp")
        shutil.copyfile(stored, new)
        new.replace(target)
