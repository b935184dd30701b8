"""The ledger: what is true. One Redis database, keys under one prefix.

meta            id of this ledger, made with its first batch; orders counted; `replaces:<id>`: ledgers accepted as lost
job:<id>        a job: state, pair, claim, refs (batch → rows), task, pictures, failure, times, version
batch:<id>      a batch: its own columns and counters `n:<status>`, rows, open, spent, sealed, completed_ms
rows:<id>       row number → the row as the manifest has it, or why it is bad
left:<id>       rows that left their job when the batch was cancelled
out:<id>        the outbox: a stream of jobs and rows that ended, read by the exporter
batches, active batches by age; those with something to export
queued:<id>     a batch's waiting jobs; `ring`: the batches whose turn comes
leases, posting parallel tasks by expiry; POSTs under way by deadline
due, retry      tasks by next poll; failed ones by next try
unknown, tasks  unknown jobs by age; task id → job
aliases         request id → the id that an older version gave the same pair, and bought it under
odd             tasks with a status that nobody has documented, by when they last said it
broken          jobs that were found to be gone, or not to know who wants them
gate, spent     pause, breaker, rate, latency; pictures bought by UTC day
wakeups, watch  waiters for a slot and watchers are notified here
once, permit    what a step and the gate have answered: told again when the reply was lost
clock           the server's clock as last seen, and how far ours is ahead of it
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

import redis

from jobs.errors import NotFoundError
from jobs.ledger import steps
from jobs.ledger.codec import decode, decode_batch, decode_gate, decode_job, decode_latency, names_of
from jobs.ledger.high_water import Mark
from jobs.ledger.records import BatchRecord, GateState, RowRecord
from jobs.ledger.script import AsyncRunner, Call, SyncRunner, T, script
from jobs.records import BatchId, BatchStatus, Job, Latency, RequestId, shown
from jobs.redis.client import translated

__all__ = ["Admission", "Admitted", "AsyncRunner", "Ledger", "OutboxEntry", "RowFate", "steps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """One row on its way in."""

    number: int
    #: Empty for a bad row.
    request_id: str
    #: A RowRecord as JSON.
    row: str
    #: The pair as JSON; empty for a bad row.
    pair: str
    #: What an older version called the pair, see jobs.identity; empty when it is the same.
    former_id: str = ""
    #: The row as a bad one, should the pair still have to be sent: its addresses have ended. Empty: it can be sent.
    unsendable: str = ""


class RowFate(StrEnum):
    """What becomes of a row when it is admitted; a run then has every `NEW` and `AGAIN` in its line."""

    #: Its pair is bought.
    NEW = "new"
    #: It is bought once more: the last try failed or was cancelled.
    AGAIN = "again"
    #: A task that was paid for and brought no picture is asked for again.
    ASKED = "asked"
    #: The pair has its picture.
    REUSED = "reused"
    #: The job waits or is under way.
    WAITING = "waiting"
    #: The job has ended without a picture and stays so.
    ENDED = "ended"
    #: An earlier row of the manifest has the pair.
    DUPLICATE = "duplicate"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """What a chunk of rows became."""

    #: Rows that were not in the ledger before.
    rows: int
    reused: int
    duplicate: int
    #: Rows whose job is another one than before, or none: a picture was changed.
    changed: int
    #: Numbers of rows that are bad ones because their addresses have ended.
    unsendable: frozenset[int]
    #: Jobs that now wait to be submitted because of this chunk.
    queued: tuple[RequestId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """Something ended: a job (with its version then) or a row that has none."""

    entry_id: str
    request_id: RequestId | None
    version: int
    #: A row without a job.
    row: int | None
    #: Of the job's rows only these are new; empty: all of them.
    rows: tuple[int, ...] = ()


class Ledger:
    """The ledger's door for threads. Every method raises RedisDownError when Redis does not answer."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        # redis-py types every reply as bytes or text; ours are decoded.
        self.client: Any = client
        self.prefix = prefix
        self._runner = SyncRunner(client, prefix)

    def _ask(self, command: Callable[..., Any], *args: Any, **options: Any) -> Any:
        with translated():
            return command(*args, **options)

    def run(self, call: Call[T]) -> T:
        """Runs one step."""
        return self._runner.run(call)

    def key(self, kind: str, name: str | None = None) -> str:
        """The full name of a key. Raises NotFoundError: batches and jobs have ASCII names only."""
        if name and not name.isascii():
            raise NotFoundError(f"no such batch: {shown(name)}")
        return f"{self.prefix}:{kind}:{name}" if name else f"{self.prefix}:{kind}"

    # -- batches ---------------------------------------------------------------------------------------------

    def ledger_id(self) -> str | None:
        """The id this ledger was born with; None while it is empty."""
        return self._ask(self.client.hget, self.key("meta"), "id")  # type: ignore[no-any-return]  # a text

    def mark(self) -> Mark | None:
        """Its id and how many orders it has counted; None while it is empty."""
        ledger_id, orders = self._ask(self.client.hmget, self.key("meta"), "id", "orders")
        return Mark(ledger=ledger_id, orders=int(orders or 0)) if ledger_id else None

    def replaces(self, ledger_id: str) -> bool:
        """Whether a person has accepted this ledger in the place of that one."""
        return bool(self._ask(self.client.hexists, self.key("meta"), f"replaces:{ledger_id}"))

    def accept(self, lost: Iterable[Mark]) -> Mark:
        """A person goes on with this ledger in the place of those that were seen, or of what it was itself."""
        flat = [value for mark in lost for value in (mark.ledger, mark.orders)]
        call = Call(script("jobs.ledger", "accept_ledger"), (uuid4().hex, *flat), list)
        found = self.run(call)
        return Mark(ledger=found[0], orders=int(found[1]))

    def open_batch(self, batch_id: BatchId, **fields: str) -> bool:
        """Opens a batch; False when it was there (its fields stay)."""
        flat = [text for pair in fields.items() for text in pair]
        reply = self.run(Call(script("jobs.ledger", "open_batch"), (batch_id, uuid4().hex, *flat), list))
        return bool(reply[0] == 1)

    def admit(self, batch_id: BatchId, rows: Sequence[Admission]) -> Admitted:
        """Admits a chunk of rows in one round trip; the same chunk again changes nothing."""
        reply = self.run(Call(script("jobs.ledger", "admit"), (batch_id, "admit", "", *_flat(rows)), list))
        return Admitted(
            rows=reply[0],
            reused=reply[1],
            duplicate=reply[2],
            changed=reply[3],
            unsendable=frozenset(map(int, reply[4])),
            queued=tuple(reply[5:]),
        )

    def fates(
        self, batch_id: BatchId, rows: Sequence[Admission], seen: Container[str] = frozenset()
    ) -> list[RowFate]:
        """What admitting a chunk of rows, and retrying what has failed, would do; changes nothing.

        `seen`: request ids of earlier rows of the same manifest that were not invalid.
        """
        marks = "".join("1" if row.request_id in seen else "0" for row in rows)
        args = (batch_id, "plan", marks, *_flat(rows))
        return self.run(
            Call(script("jobs.ledger", "admit"), args, lambda reply: [RowFate(each) for each in reply])
        )

    def seal(self, batch_id: BatchId) -> None:
        """Says that every row has been admitted."""
        self.run(Call(script("jobs.ledger", "seal"), (batch_id,), bool))

    def status(self, batch_id: BatchId) -> BatchStatus:
        """A batch in numbers. Raises NotFoundError."""
        batch = self.batch(batch_id)
        charged = batch.spent - batch.counts.get("unknown", 0) if batch.charged is None else batch.charged
        perhaps = max(0, min(batch.spent, batch.spent - charged))
        return BatchStatus(
            batch_id=batch_id,
            sealed=batch.sealed,
            rows=batch.rows,
            counts=batch.counts,
            reused=batch.reused,
            duplicate=batch.duplicate,
            created_ms=batch.created_ms,
            completed_ms=batch.completed_ms,
            ordered=batch.spent,
            charged_for_sure=batch.spent - perhaps,
            perhaps_charged=perhaps,
            refunded=batch.refunded,
        )

    def batch(self, batch_id: BatchId) -> BatchRecord:
        """A batch as it is. Raises NotFoundError."""
        fields = self._ask(self.client.hgetall, self.key("batch", batch_id))
        if not fields:
            raise NotFoundError(f"no such batch: {batch_id}")
        return decode_batch(fields)

    def exists(self, batch_id: BatchId) -> bool:
        """Whether a batch has been opened."""
        return bool(self._ask(self.client.exists, self.key("batch", batch_id)))

    def batches(self) -> list[BatchId]:
        """Every batch, newest first."""
        return list(self._ask(self.client.zrevrange, self.key("batches"), 0, -1))

    def active_batches(self) -> list[BatchId]:
        """Batches with something still to export."""
        return list(self._ask(self.client.zrange, self.key("active"), 0, -1))

    def set_output(self, batch_id: BatchId, place: str) -> None:
        """Says where the files of a batch belong, see jobs.results.exporter; empty: wherever workers write."""
        self._ask(self.client.hset, self.key("batch", batch_id), "output", place)

    def deactivate(self, batch_id: BatchId, exported: str) -> bool:
        """Puts a complete batch to rest whose outbox was exported up to the entry `exported` ("0" = none).

        False when a job was reopened or something ended meanwhile: the batch stays active.
        """
        return self.run(Call(script("jobs.ledger", "deactivate"), (batch_id, exported), bool))

    def fix(self, batch_id: BatchId) -> list[RequestId]:
        """Puts a batch right whose rows lead to broken jobs, see fix.lua; returns those that are gone for good."""
        return self.run(Call(script("jobs.ledger", "fix"), (batch_id,), list))

    def has_broken_jobs(self) -> bool:
        """Whether a job was found that is gone, or does not know who wants it."""
        return bool(self._ask(self.client.exists, self.key("broken")))

    # -- rows and jobs ---------------------------------------------------------------------------------------

    def rows(self, batch_id: BatchId, *, chunk: int = 500) -> Iterator[dict[int, RowRecord]]:
        """Every row of a batch, number → row, in order, a chunk at a time.

        Row numbers run from 1 without a gap, so no index is needed.
        """
        last = self.batch(batch_id).rows
        for first in range(1, last + 1, chunk):
            yield self.rows_at(batch_id, range(first, min(first + chunk, last + 1)))

    def rows_at(self, batch_id: BatchId, numbers: Iterable[int]) -> dict[int, RowRecord]:
        """The rows asked for, number → row; absent ones are left out."""
        wanted = list(numbers)
        if not wanted:
            return {}
        found = self._ask(self.client.hmget, self.key("rows", batch_id), [str(number) for number in wanted])
        texts = zip(wanted, found, strict=True)
        return {number: decode(text, RowRecord) for number, text in texts if text is not None}

    def left_rows(self, batch_id: BatchId) -> dict[int, str]:
        """Rows that are no longer any job's: number → status."""
        found = self._ask(self.client.hgetall, self.key("left", batch_id))
        return {int(number): status for number, status in found.items()}

    def jobs(self, request_ids: Iterable[str]) -> dict[str, Job]:
        """The jobs asked for in one round trip; absent ones are left out."""
        wanted = list(dict.fromkeys(request_ids))
        pipeline = self.client.pipeline(transaction=False)
        for request_id in wanted:
            pipeline.hgetall(self.key("job", request_id))
        found = self._ask(pipeline.execute)
        return {rid: decode_job(rid, fields) for rid, fields in zip(wanted, found, strict=True) if fields}

    def outbox(self, batch_id: BatchId, after: str, *, at_most: int = 1000) -> list[OutboxEntry]:
        """What ended after the entry `after` ("0" = from the beginning), oldest first."""
        found = self._ask(self.client.xrange, self.key("out", batch_id), min=f"({after}", count=at_most)
        return [
            OutboxEntry(
                entry_id=entry_id,
                request_id=fields.get("job"),
                version=int(fields.get("v", 0)),
                row=int(fields["row"]) if "row" in fields else None,
                rows=tuple(int(number) for number in fields["rows"].split(",")) if "rows" in fields else (),
            )
            for entry_id, fields in found
        ]

    def last_entry(self, batch_id: BatchId) -> str:
        """The last entry of a batch's outbox; "0" while there is none."""
        found = self._ask(self.client.xrevrange, self.key("out", batch_id), count=1)
        return str(found[0][0]) if found else "0"

    def queued_total(self) -> int:
        """Jobs waiting to be submitted, in all batches."""
        ring = self._ask(self.client.lrange, self.key("ring"), 0, -1)
        return sum(int(self._ask(self.client.llen, self.key("queued", batch))) for batch in ring)

    def gate(self) -> GateState:
        """Pause, breaker and rate as they are."""
        return decode_gate(self._ask(self.client.hgetall, self.key("gate")))

    def latency(self) -> Latency | None:
        """How long tasks take; None before the first."""
        return decode_latency(self._ask(self.client.hmget, self.key("gate"), names_of(Latency)))

    def spent_by(self, batch_id: BatchId) -> int:
        """Pictures counted against a batch's budget; 0 for one that is not there."""
        return int(self._ask(self.client.hget, self.key("batch", batch_id), "spent") or 0)

    def spent_today(self) -> int:
        """Pictures counted against today's budget, by the UTC day of the ledger's time, see prelude.lua."""
        seconds, micros = self._ask(self.client.time)
        server, ahead = self._ask(self.client.hmget, self.key("clock"), "server", "ahead")
        now_ms = max(seconds * 1000 + micros // 1000, int(server or 0)) + int(ahead or 0)
        day = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d")
        return int(self._ask(self.client.hget, self.key("spent"), day) or 0)


def _flat(rows: Iterable[Admission]) -> list[str | int]:
    flat: list[str | int] = []
    for row in rows:
        flat += (row.number, row.request_id, row.row, row.pair, row.former_id, row.unsendable)
    return flat
