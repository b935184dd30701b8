"""The producer: a manifest goes into the ledger and onto the queue, as a stream."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice, repeat, takewhile
from typing import Protocol

import structlog

from jobs.errors import ManifestError, NotFoundError, UsageError
from jobs.ledger import Admission, Admitted, Ledger, RowFate
from jobs.ledger.codec import encode, encode_path, encode_words
from jobs.ledger.pruning import finish_if_begun
from jobs.problems import Problems, Where
from jobs.producing.fed import Feeding, what_feeds
from jobs.producing.noticing import Noticing, OddWhenFed
from jobs.producing.planning import Planned, Planner, admission, bad_rows, in_order
from jobs.producing.queue import Queue
from jobs.producing.unread import Unread
from jobs.records import BadRow, BatchId, Dialect, Row
from jobs.tracing import UNTRACED, Traces

log = structlog.get_logger()

#: Rows in one round trip to the ledger.
CHUNK = 500
#: Rows in the first of them: workers begin while the pictures of later ones are decoded, which takes a second for thirty.
FIRST_CHUNKS = (8, 32, 128)
#: Bad rows that are logged, the first ones of each fault; all of them are in the results.
LOGGED_BAD_ROWS = 100


def line_of(row: Row | BadRow, _: str) -> str:
    """The place of a row in a file of lines."""
    return str(row.line)


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
        words: Sequence[str] = (),
        unread: Unread | None = None,
        where: Where = line_of,
        suggest: Callable[[BadRow], str] = lambda _row: "",
        pace_s: float = 0,
        traces: Traces = UNTRACED,
    ) -> None:
        """Prepares a producer.

        Args:
            ledger: where rows go.
            queue: where wake-up messages go.
            planner: makes jobs of rows.
            file_name: what the manifest is called in messages.
            output: where the batch's files belong, see jobs.results.output_place; empty: wherever workers write.
            words: what was typed behind `vton run`, for whoever is told to run it again.
            unread: takes the rows that are fed.
            where: a row's place within its file, from the row and a column's name.
            suggest: what a bad row may have meant.
            pace_s: seconds from one submit to the next at the account's limits, by which addresses end before their turn.
            traces: hears of each manifest that was fed.
        """
        self._traces = traces
        self._ledger = ledger
        self._queue = queue
        self._planner = planner
        self._name = file_name
        self._output = output
        self._words = words
        self._unread = unread
        self._where = where
        self._suggest = suggest
        self._pace_s = pace_s
        #: What was wrong or odd with the rows that were fed.
        self.problems = self._none_yet()
        self._logged = 0

    def _none_yet(self) -> Problems:
        return Problems(self._name, self._where, suggest=self._suggest)

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
            ManifestError: no valid row, or with `strict` any bad one; names the faults.
        """
        self._check_batch(manifest, batch_id)
        bad, good = self._none_yet(), False
        for row in manifest.rows():
            stop()
            planned = self._judged(batch_id, self._planner.plan(row))
            if isinstance(planned, BadRow):
                bad.refuse(planned)
            elif not strict:
                return
            else:
                good = True
        if bad or not good:
            what = "bad rows" if good else "no valid row"
            raise ManifestError("\n  ".join([f"{self._name}: {what}", *bad.lines()]))

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
        begun_s = time.time()
        finish_if_begun(self._ledger, batch_id)
        new = self._ledger.open_batch(
            batch_id,
            manifest=self._name,
            content=self._content(manifest),
            folder=encode_path(str(self._planner.folder.absolute())),
            columns=encode(list(manifest.columns)),
            delimiter=manifest.dialect.delimiter,
            bom="1" if manifest.dialect.bom else "",
            output=self._output,
            words=encode_words(self._words),
            charged="0",
        )
        if not new:
            self._ledger.set_output(batch_id, self._output)
            self._ledger.set_words(batch_id, self._words)
        log.info("batch.created" if new else "batch.resumed", batch=batch_id, manifest=self._name)
        feeding = Feeding(self._ledger, batch_id, what_feeds(self._content(manifest), self._planner))
        total: Counter[str] = Counter(rows=0, bad=0, queued=0, reused=0, duplicate=0, changed=0)
        if noted := feeding.unchanged(self._planner.clock()):
            log.info("batch.unchanged", batch=batch_id, rows=noted.rows)
            total.update(rows=noted.rows)
            tell(total["rows"])
        else:
            for rows, bad, admitted in self._admitted(manifest, batch_id, stop):
                feeding.count(admitted)
                total.update(rows=rows, bad=bad, queued=len(admitted.queued), reused=admitted.reused)
                total.update(duplicate=admitted.duplicate, changed=admitted.changed)
                tell(total["rows"])
        whole = not stop()
        if whole and not noted:
            feeding.note(rows=total["rows"], bad=total["bad"], planner=self._planner)
        resent = self._seal(batch_id) if whole else 0
        if whole:
            told = {name: total[name] for name in ("rows", "bad", "queued", "reused")}
            log.info("batch.sealed", batch=batch_id, **told, resent=resent)
        if self._traces.on:
            self._traces.fed(batch_id, self._ledger.batch(batch_id).created_ms, begun_s, dict(total))
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
        sizes = chain(FIRST_CHUNKS, repeat(CHUNK))
        noticing = Noticing(self.problems, pace_s=self._pace_s, begins_s=self._planner.clock())
        odd = OddWhenFed(self._ledger, batch_id, noticing)
        planned = self._planner.plans(takewhile(lambda _row: not stop(), manifest.rows()))
        with ThreadPoolExecutor(1, thread_name_prefix="admit") as sender:
            under_way: tuple[list[Planned | BadRow], Future[Admitted]] | None = None
            while True:
                chunk = in_order(islice(planned, next(sizes)))
                rows = [admission(each) for each in chunk]
                if under_way is not None:
                    sent, admitted = under_way[0], under_way[1].result()
                    refused = bad_rows(sent, admitted.unsendable)
                    bad = self._log_bad(batch_id, refused)
                    self._count_unread(sent, refused)
                    odd.notice(sent, frozenset(admitted.queued))
                    yield len(sent), bad, admitted
                if not chunk or stop():
                    return
                under_way = chunk, sender.submit(self._admit, batch_id, rows)

    def _admit(self, batch_id: BatchId, rows: list[Admission]) -> Admitted:
        admitted = self._ledger.admit(batch_id, rows)
        if admitted.queued:
            self.send_missing()
        return admitted

    def _count_unread(self, fed: Sequence[Planned | BadRow], refused: Sequence[BadRow]) -> None:
        if self._unread is not None:
            bad = {row.number for row in refused}
            self._unread.take(
                each for each in fed if isinstance(each, Planned) and each.row.number not in bad
            )

    def unread(self) -> Iterator[str]:
        """Columns that were not read though they look misspelt, a line each."""
        if self._unread is not None:
            yield from (f"{self._name}: {line}" for line in self._unread.lines())

    def send_missing(self) -> int:
        """Sends the wake-up messages that are missing; returns how many."""
        return send_missing_messages(self._ledger, self._queue)

    def _log_bad(self, batch_id: BatchId, bad: list[BadRow]) -> int:
        for row in bad:
            if not self.problems.refuse(row) or self._logged >= LOGGED_BAD_ROWS:
                continue
            self._logged += 1
            log.warning(
                "row.invalid",
                batch=batch_id,
                row=row.number,
                sku=row.sku,
                where=f"{row.file or self._name}:{self._where(row, row.column)}",
                column=row.column,
                why=row.why,
            )
        return len(bad)


def send_missing_messages(ledger: Ledger, queue: Queue) -> int:
    """Tops the submit queue up; returns how many messages were missing."""
    return queue.top_up(ledger.queued_total())
