"""The producer: a manifest goes into the ledger and onto the queue, as a stream."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice, repeat, takewhile
from typing import Protocol

import structlog

from jobs.errors import ManifestError, NotFoundError, UsageError
from jobs.ledger import Admission, Admitted, Ledger, RowFate
from jobs.ledger.codec import encode, encode_path
from jobs.producing.planning import Planned, Planner, admission, bad_rows, in_order
from jobs.producing.queue import SUBMIT, WAKE_UPS, Queue
from jobs.records import BadRow, BatchId, Dialect, Row

log = structlog.get_logger()

#: Rows in one round trip to the ledger.
CHUNK = 500
#: Rows in the first of them: workers begin while the pictures of later ones are decoded, which takes a second for thirty.
FIRST_CHUNKS = (8, 32, 128)
#: Bad rows that are logged one by one; all of them are in the results.
LOGGED_BAD_ROWS = 100


#: A row's place within its file, from its line and a column's name.
Where = Callable[[int, str], str]


def line_of(line: int, _: str) -> str:
    """The place of a row in a file of lines."""
    return str(line)


class RowSource(Protocol):
    """What the producer needs of a manifest."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The manifest's own columns; empty when each row has its own."""

    @property
    def dialect(self) -> Dialect:
        """How tables made from it are written."""

    @property
    def digest(self) -> str:
        """SHA-256 of its content, hex."""

    def rows(self) -> Iterator[Row | BadRow]:
        """The rows from the beginning; may be asked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """What one run of the producer did."""

    batch_id: BatchId
    #: The batch was there before.
    resumed: bool
    rows: int
    bad: int
    #: Jobs this run has put into the line.
    queued: int
    reused: int
    duplicate: int
    #: Rows of a batch that was there whose picture is another one now.
    changed: int
    #: Wake-up messages sent again because some were missing.
    resent: int
    #: The manifest was read to its end: the batch is sealed.
    whole: bool


class Producer:
    """Feeds manifests. Running it twice with the same file changes nothing and sends lost messages again."""

    def __init__(
        self,
        ledger: Ledger,
        queue: Queue,
        planner: Planner,
        *,
        file_name: str,
        output: str = "",
        where: Where = line_of,
    ) -> None:
        """Prepares a producer.

        Args:
            ledger: where rows go.
            queue: where wake-up messages go.
            planner: makes jobs of rows.
            file_name: what the manifest is called in messages.
            output: where the batch's files belong, see jobs.results.output_place; empty: wherever workers write.
            where: a row's place within the file, from its line and a column's name.
        """
        self._ledger = ledger
        self._queue = queue
        self._planner = planner
        self._name = file_name
        self._output = output
        self._where = where

    def check(
        self,
        manifest: RowSource,
        batch_id: BatchId,
        *,
        strict: bool = False,
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        """Looks for a valid row before anything is recorded; `strict` wants all rows valid.

        `stop` is called before each row and raises what shall end the looking.

        Raises:
            UsageError: the batch is there and was made from another manifest.
            ManifestError: no valid row, or with `strict` any bad one; names the first bad rows.
        """
        self._check_batch(manifest, batch_id)
        bad: list[BadRow] = []
        good = False
        for row in manifest.rows():
            stop()
            planned = self._judged(batch_id, self._planner.plan(row))
            if isinstance(planned, BadRow):
                bad.append(planned) if len(bad) < LOGGED_BAD_ROWS else None
            elif not strict:
                return
            else:
                good = True
        if bad or not good:
            reasons = "\n".join(f"  {bad_row_line(self._name, row, self._where)}" for row in bad[:10])
            more = f"\n  and {len(bad) - 10} more" if len(bad) > 10 else ""  # noqa: PLR2004 a screenful
            what = "bad rows" if good else "no valid row"
            raise ManifestError(f"{self._name}: {what}" + (f"\n{reasons}{more}" if reasons else ""))

    def _judged(self, batch_id: BatchId, planned: Planned | BadRow) -> Planned | BadRow:
        """The row as admission will see it: addresses that have ended harm only what has to be sent yet."""
        if isinstance(planned, BadRow) or planned.unsendable is None:
            return planned
        (fate,) = self._ledger.fates(batch_id, [admission(planned)])
        return planned.unsendable if fate is RowFate.INVALID else planned

    def feed(
        self,
        manifest: RowSource,
        batch_id: BatchId,
        tell: Callable[[int], None] = lambda _rows: None,
        *,
        stop: Callable[[], bool] = lambda: False,
    ) -> Produced:
        """Admits every row and wakes submit workers up; `tell` hears the rows so far.

        `stop` is asked before each row; once it says so nothing more is read or admitted, and the batch stays unsealed: the
        same manifest again goes on.
        """
        new = self._ledger.open_batch(
            batch_id,
            manifest=self._name,
            content=self._content(manifest),
            folder=encode_path(str(self._planner.folder.absolute())),
            columns=encode(list(manifest.columns)),
            delimiter=manifest.dialect.delimiter,
            bom="1" if manifest.dialect.bom else "",
            output=self._output,
            charged="0",
        )
        if not new:
            self._ledger.set_output(batch_id, self._output)
        log.info("batch.created" if new else "batch.resumed", batch=batch_id, manifest=self._name)
        total: Counter[str] = Counter(rows=0, bad=0, queued=0, reused=0, duplicate=0, changed=0)
        for rows, bad, admitted in self._admitted(manifest, batch_id, stop):
            total.update(rows=rows, bad=bad, queued=len(admitted.queued), reused=admitted.reused)
            total.update(duplicate=admitted.duplicate, changed=admitted.changed)
            tell(total["rows"])
        whole = not stop()
        resent = self._seal(batch_id) if whole else 0
        if whole:
            told = {name: total[name] for name in ("rows", "bad", "queued", "reused")}
            log.info("batch.sealed", batch=batch_id, **told, resent=resent)
        return Produced(batch_id=batch_id, resumed=not new, resent=resent, whole=whole, **total)

    def _seal(self, batch_id: BatchId) -> int:
        """Says that every row is in; returns how many wake-up messages were missing."""
        self._ledger.seal(batch_id)
        self._queue.export(batch_id)
        return self.send_missing()

    def _check_batch(self, manifest: RowSource, batch_id: BatchId) -> None:
        try:
            known = self._ledger.batch(batch_id).content
        except NotFoundError:
            return
        if known and known != self._content(manifest):
            raise UsageError(
                f"{batch_id}: this batch was made from another manifest; leave --batch out or name another one"
            )

    def _content(self, manifest: RowSource) -> str:
        return f"{manifest.digest} {self._planner.epoch}".strip()

    def _admitted(
        self, manifest: RowSource, batch_id: BatchId, stop: Callable[[], bool]
    ) -> Iterator[tuple[int, int, Admitted]]:
        """Chunk by chunk: rows, bad ones, what the ledger made of them.

        One chunk is on its way to Redis while the next is read and planned.
        """
        bad = 0
        sizes = chain(FIRST_CHUNKS, repeat(CHUNK))
        planned = map(self._planner.plan, takewhile(lambda _row: not stop(), manifest.rows()))
        with ThreadPoolExecutor(1, thread_name_prefix="admit") as sender:
            under_way: tuple[list[Planned | BadRow], Future[Admitted]] | None = None
            while True:
                chunk = in_order(islice(planned, next(sizes)))
                rows = [admission(each) for each in chunk]
                if under_way is not None:
                    sent, admitted = under_way[0], under_way[1].result()
                    chunk_bad = self._log_bad(batch_id, bad_rows(sent, admitted.unsendable), bad)
                    bad += chunk_bad
                    yield len(sent), chunk_bad, admitted
                if not chunk or stop():
                    return
                under_way = chunk, sender.submit(self._admit, batch_id, rows)

    def _admit(self, batch_id: BatchId, rows: list[Admission]) -> Admitted:
        admitted = self._ledger.admit(batch_id, rows)
        if admitted.queued:
            self.send_missing()
        return admitted

    def send_missing(self) -> int:
        """Sends the wake-up messages that are missing; returns how many."""
        return send_missing_messages(self._ledger, self._queue)

    def _log_bad(self, batch_id: BatchId, bad: list[BadRow], before: int) -> int:
        for row in bad[: max(0, LOGGED_BAD_ROWS - before)]:
            log.warning(
                "row.invalid",
                batch=batch_id,
                row=row.number,
                sku=row.sku,
                where=f"{self._name}:{self._where(row.line, row.column)}",
                column=row.column,
                why=row.why,
            )
        return len(bad)


def send_missing_messages(ledger: Ledger, queue: Queue) -> int:
    """Tops the submit queue up to a message for each waiting job, `WAKE_UPS` at most; returns how many were missing."""
    missing = min(ledger.queued_total(), WAKE_UPS) - queue.waiting(SUBMIT)
    if missing > 0:
        queue.wake(missing)
    return max(0, missing)


def bad_row_line(name: str, row: BadRow, where: Where = line_of) -> str:
    """`file:line: column: why`; of a workbook `file:Sheet1!C12: column: why`."""
    return ": ".join(filter(None, [f"{name}:{where(row.line, row.column)}", row.column, row.why]))
