"""The ledger: what is true. One Redis database, keys under one prefix.

meta            id of this ledger, made with its first batch; orders counted, and how many of them replicas surely have;
                `replaces:<id>`: ledgers accepted as lost; `history`: the server that serves it
job:<id>        a job: state, pair, claim, refs (batch → rows), task, pictures, failure, times, version
batch:<id>      a batch: its own columns and counters `n:<status>`, rows, open, spent, sealed, completed_ms
rows:<id>       row number → the row as the manifest has it, or why it is bad
left:<id>       rows that left their job when the batch was cancelled
versions:<id>   row number → the rows of its later versions, the second first; they stand behind the manifest's rows
out:<id>        the outbox: a stream of jobs and rows that ended, read by the exporter
batches, active batches by age; those with something to export
queued:<id>     a batch's waiting jobs; `ring`: the batches whose turn comes
leases, posting parallel tasks by expiry; POSTs under way by deadline
due, retry      tasks by next poll; failed ones by next try
unknown, tasks  unknown jobs by age; task id → job
aliases         request id → the id that an older version gave the same pair, and bought it under
odd             tasks with a status that nobody has documented, by when they last said it
review:<id>     what people have said of a batch's pictures: picture, time and reviewer → the verdict; nothing is taken out
memory:<xxx>    what stays of pruned jobs, by the first three letters of their ids: id → how it ended, when, tasks; binary
restoring       a ledger that is being written by `vton restore` or `vton move-ledger`: no ledger yet
pruning         batches that are being pruned: no batches any more
broken          jobs that were found to be gone, or not to know who wants them
gate, spent     pause, breaker, rate, latency; pictures bought by UTC day
wakeups, watch  waiters for a slot and watchers are notified here
once, permit    what a step and the gate have answered: answered again when the reply was lost
recovery        another server has taken over: orders that it counted, those brought in since, which journals are
heartbeats      process → when it last said that it lives, and what it said of itself; who is silent for an hour is dropped
confirmed       how often replicas were waited for, see jobs.ledger.confirmed
clock           the server's clock as last seen, and how far ours is ahead of it; the term, see jobs.ledger.term
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

import redis
from msgspec import Struct, msgpack
from msgspec.structs import replace

from jobs.errors import NotFoundError
from jobs.ledger import steps
from jobs.ledger.codec import (
    decode,
    decode_batch,
    decode_gate,
    decode_job,
    decode_latency,
    encode_words,
    names_of,
)
from jobs.ledger.high_water import Mark, Marks, marks_of
from jobs.ledger.records import BatchRecord, GateState, Heartbeat, RowRecord
from jobs.ledger.script import AsyncRunner, Call, SyncRunner, T, script
from jobs.ledger.term import KnownTerm
from jobs.records import ENDED_STATES, BatchId, BatchStatus, Job, Latency, RequestId, shown
from jobs.redis.client import translated

_PACKER = msgpack.Encoder()
#: Rows of one argument: Redis takes none of more than 512 MB, and a row may have a megabyte.
_PACK_ROWS = 100

__all__ = [
    "Admission",
    "Admitted",
    "AsyncRunner",
    "Ledger",
    "OutboxEntry",
    "RowFate",
    "decode_heartbeats",
    "ledger_ms",
    "status_of",
    "steps",
]


class Admission(Struct, frozen=True, kw_only=True, array_like=True):
    """One row on its way in; admit.lua has its fields in this order."""

    number: int
    #: Empty for a bad row.
    request_id: str
    #: A RowRecord as JSON.
    row: str
    #: The pair as JSON; empty for a bad row.
    pair: str
    #: What older versions called the pair, see jobs.identity: the newest first, a blank between; empty when it is the same.
    former_ids: str = ""
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
    #: It was bought, or may have been, and pruned since: its picture is no longer kept, and only a person buys it anew.
    BOUGHT_BEFORE = "bought_before"
    #: An earlier row of the manifest has the pair.
    DUPLICATE = "duplicate"
    INVALID = "invalid"


_FATES = {fate.value: fate for fate in RowFate}


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
    #: A row was written: a new one, or another text than before.
    wrote: bool


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a command that stays sees of the ledger at one moment."""

    #: None while it is empty.
    marks: Marks | None
    #: The batch that it is there for; None: not opened yet, or being pruned.
    status: BatchStatus | None
    gate: GateState


class Ledger:
    """The ledger's door for threads. Every method raises RedisDownError when Redis does not answer."""

    def __init__(self, client: redis.Redis, prefix: str, term: KnownTerm | None = None) -> None:
        """`term`: the process' own, if it has other doors to the same ledger."""
        # redis-py types every reply as bytes or text; ours are decoded.
        self.client: Any = client
        self.prefix = prefix
        self.term = term or KnownTerm()
        self._runner = SyncRunner(client, prefix, term=self.term)

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
        found = self.marks()
        return found[0] if found else None

    def marks(self) -> Marks | None:
        """Its mark, and what of it may be noted elsewhere: the orders that replicas have, if any has to confirm them."""
        return marks_of(*self._ask(self.client.hmget, self.key("meta"), "id", "orders", "confirmed_orders"))

    def is_recovering(self, seen: Mark) -> bool:
        """Whether another server has taken over and orders that it lacks are being brought in, see jobs.ledger.intents.

        `seen`: what must be there in the end.
        """
        call = Call(script("jobs.ledger", "rejoin"), (seen.ledger, "", seen.orders), str)
        return self.run(call) in {"awaits", "open"}

    def is_being_written(self) -> bool:
        """Whether `vton restore` or `vton move-ledger` writes it, or was killed while it did."""
        return bool(self._ask(self.client.exists, self.key("restoring")))

    def moved_to(self) -> str:
        """Where `vton move-ledger` has brought it; empty when this is the one that counts."""
        return str(self._ask(self.client.hget, self.key("meta"), "moved_to") or "")

    def replaces(self, ledger_id: str) -> bool:
        """Whether a person has accepted this ledger in the place of that one."""
        return bool(self._ask(self.client.hexists, self.key("meta"), f"replaces:{ledger_id}"))

    def accept(self, lost: Iterable[Mark]) -> Mark:
        """A person goes on with this ledger in the place of those that were seen, or of what it was itself."""
        flat = [value for mark in lost for value in (mark.ledger, mark.orders, mark.term)]
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
        return self._admit(batch_id, "admit", "", rows)

    def retake(self, batch_id: BatchId, rows: Sequence[Admission], versions: Sequence[int]) -> Admitted:
        """Admits later versions of rows in one round trip; one that is there already changes nothing.

        `rows`: each with the number of the row of which it is a version; `versions`: which one it is, 2 at least.
        """
        return self._admit(batch_id, "retake", " ".join(map(str, versions)), rows)

    def _admit(self, batch_id: BatchId, how: str, more: str, rows: Sequence[Admission]) -> Admitted:
        try:
            return self.run(
                Call(script("jobs.ledger", "admit"), (batch_id, how, more, *_packs(rows)), _admitted)
            )
        except redis.ResponseError as error:
            if "NOBATCH" not in str(error):
                raise
            raise NotFoundError(f"no such batch: {batch_id}", batch_id) from None

    def later_rows(self, batch_id: BatchId) -> dict[int, tuple[int, ...]]:
        """Rows with later versions: number → the rows of these, the second version's first."""
        found = self._ask(self.client.hgetall, self.key("versions", batch_id))
        return {int(number): tuple(map(int, rows.split())) for number, rows in found.items()}

    def fates(
        self, batch_id: BatchId, rows: Sequence[Admission], seen: Container[str] = frozenset()
    ) -> list[RowFate]:
        """What admitting a chunk of rows, and retrying what has failed, would do; changes nothing.

        `seen`: request ids of earlier rows of the same manifest that were not invalid.
        """
        marks = "".join("1" if row.request_id in seen else "0" for row in rows)
        args = (batch_id, "plan", marks, *_packs(rows))
        return self.run(
            Call(script("jobs.ledger", "admit"), args, lambda reply: [_FATES[each] for each in reply])
        )

    def seal(self, batch_id: BatchId) -> None:
        """Says that every row has been admitted."""
        self.run(Call(script("jobs.ledger", "seal"), (batch_id,), bool))

    def status(self, batch_id: BatchId) -> BatchStatus:
        """A batch in numbers. Raises NotFoundError."""
        return status_of(batch_id, self.batch(batch_id))

    def batch(self, batch_id: BatchId) -> BatchRecord:
        """A batch as it is. Raises NotFoundError."""
        fields = self._ask(self.client.hgetall, self.key("batch", batch_id))
        if not fields:
            raise NotFoundError(f"no such batch: {batch_id}", batch_id)
        if "pruning" in fields:
            raise NotFoundError(f"no such batch any more: {batch_id} is being pruned")
        return decode_batch(fields)

    def look(self, batch_id: BatchId) -> Moment:
        """The ledger's marks, a batch and the gate in one command."""

        def read(reply: list[Any]) -> Moment:
            batch, gate = (dict(zip(flat[::2], flat[1::2], strict=True)) for flat in reply[1:])
            there = batch and "pruning" not in batch
            return Moment(
                marks=marks_of(*reply[0]),
                status=status_of(batch_id, decode_batch(batch)) if there else None,
                gate=decode_gate(gate),
            )

        return self.run(Call(script("jobs.ledger", "look"), (batch_id,), read))

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

    def set_words(self, batch_id: BatchId, words: Sequence[str]) -> None:
        """Keeps how a batch's manifest was given last."""
        self._ask(self.client.hset, self.key("batch", batch_id), "words", encode_words(words))

    def set_deadline(self, batch_id: BatchId, deadline_ms: int | None) -> None:
        """By when a batch that has been opened is to be over; None: its run has no deadline."""
        key = self.key("batch", batch_id)
        if deadline_ms is None:
            self._ask(self.client.hdel, key, "deadline_ms")
        else:
            self._ask(self.client.hset, key, "deadline_ms", deadline_ms)

    def note_fed(self, batch_id: BatchId, fed: str) -> None:
        """Keeps with a batch what it was fed with, see jobs.producing.fed."""
        self._ask(self.client.hset, self.key("batch", batch_id), "fed", fed)

    def rows_are_whole(self, batch_id: BatchId, count: int) -> bool:
        """Whether a batch has so many rows, and none of them has left its job."""
        rows = self._ask(self.client.hlen, self.key("rows", batch_id))
        return rows == count and not self._ask(self.client.exists, self.key("left", batch_id))

    def deactivate(self, batch_id: BatchId, exported: str) -> bool:
        """Puts a complete batch to rest whose outbox was exported up to the entry `exported` ("0" = none).

        False when a job was reopened or something ended meanwhile: the batch stays active.
        """
        return self.run(Call(script("jobs.ledger", "deactivate"), (batch_id, exported), bool))

    def fix(self, batch_id: BatchId) -> list[RequestId]:
        """Puts a batch right whose rows lead to broken jobs, see fix.lua; returns those that are gone for good."""
        return self.run(Call(script("jobs.ledger", "fix"), (batch_id,), list))

    def is_miscounted(self, batch_id: BatchId) -> bool:
        """Whether a batch's counters contradict each other: an append-only file may be damaged and load all the same."""
        try:
            batch = self.batch(batch_id)
        except NotFoundError:
            return False  # pruned since
        still_open = sum(
            rows for state, rows in batch.counts.items() if state not in {*ENDED_STATES, "invalid"}
        )
        return batch.sealed and (sum(batch.counts.values()), still_open) != (batch.rows, batch.open)

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
        day = datetime.fromtimestamp(self.now_ms() / 1000, UTC).strftime("%Y-%m-%d")
        return int(self._ask(self.client.hget, self.key("spent"), day) or 0)

    def now_ms(self) -> int:
        """The ledger's time, see prelude.lua."""
        time = self._ask(self.client.time)
        return ledger_ms(time, self._ask(self.client.hmget, self.key("clock"), "server", "ahead"))

    # -- processes -------------------------------------------------------------------------------------------

    def forget_process(self, process_id: str) -> None:
        """Takes a process that ends in order out of the list."""
        self._ask(self.client.hdel, self.key("heartbeats"), process_id)


def decode_heartbeats(found: Mapping[str, str]) -> list[Heartbeat]:
    """Every process that was heard within an hour; what nobody can read, as a newer version may write it, is left out."""
    beats = []
    for text in found.values():
        at_ms, _, said = text.partition(" ")
        with suppress(ValueError):
            beats.append(replace(decode(said, Heartbeat), at_ms=int(at_ms)))
    return beats


def ledger_ms(time: tuple[int, int], clock: Sequence[str | None]) -> int:
    """The ledger's time by the server's, and by `server` and `ahead` of its clock; as `tell_time` in prelude.lua."""
    seconds, micros = time
    server, ahead = clock
    return max(seconds * 1000 + micros // 1000, int(server or 0)) + int(ahead or 0)


def status_of(batch_id: BatchId, batch: BatchRecord) -> BatchStatus:
    """A batch in numbers, by its record."""
    charged = batch.spent - batch.counts.get("unknown", 0) if batch.charged is None else batch.charged
    perhaps = max(0, min(batch.spent, batch.spent - charged))
    return BatchStatus(
        batch_id=batch_id,
        sealed=batch.sealed,
        rows=batch.rows,
        retakes=batch.retakes,
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


def _admitted(reply: list[Any]) -> Admitted:
    return Admitted(
        rows=reply[0],
        reused=reply[1],
        duplicate=reply[2],
        changed=reply[3],
        unsendable=frozenset(map(int, reply[4])),
        wrote=reply[5] == 1,
        queued=tuple(reply[6:]),
    )


def _packs(rows: Sequence[Admission]) -> Iterator[bytes]:
    for first in range(0, len(rows), _PACK_ROWS):
        yield _PACKER.encode(rows[first : first + _PACK_ROWS])
