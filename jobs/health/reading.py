"""The facts of one moment, read in three or four round trips, and the health of a whole shop that follows from them."""

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import exp

from msgspec import Struct
from msgspec.structs import replace

from jobs.config.settings import LimitSettings, Settings
from jobs.health.account import LOST_ACTION
from jobs.health.assessment import Health, assess
from jobs.health.facts import Ended, Facts
from jobs.ledger import Ledger, decode_heartbeats, ledger_ms, status_of
from jobs.ledger.budgets import budgets_of
from jobs.ledger.codec import decode, decode_batch, decode_gate, decode_latency, decode_path, names_of
from jobs.ledger.records import BatchRecord, GateState, Heartbeat
from jobs.records import ENDED_STATES, BatchId, BatchStatus, Failure, JobState, Latency, Owner
from jobs.redis.client import translated

#: Ends that are looked at: the newest of each open batch, and of as many of these as may be asked at once.
NEWEST_ENDS = 200
_LOOKED_AT = 8
#: Batches that are read by whoever looks often: the newest, beside those with something to write.
NEWEST = 50
#: Batches that have ended this long ago say nothing of the present any more, ms.
RECENT_MS = 1_800_000


def read_health(
    ledger: Ledger,
    settings: Settings,
    *,
    lost: str,
    lost_action: str,
    simulated: bool,
    only: BatchId | None = None,
    deadline_ms: int | None = None,
) -> tuple[Facts, Health]:
    """Reads and assesses; all but the settings is as `read_facts` has it. Raises RedisDownError."""
    facts = read_facts(
        ledger,
        settings.limits,
        latency_s=settings.tasks.latency_s,
        only=only,
        lost=lost,
        lost_action=lost_action,
        callbacks=bool(settings.callbacks.public_url),
        deadline_ms=deadline_ms,
        simulated=simulated,
    )
    return facts, assess(facts)


def read_facts(
    ledger: Ledger,
    limits: LimitSettings,
    *,
    latency_s: float,
    only: BatchId | None = None,
    newest: int | None = None,
    failures: bool = True,
    lost: str = "",
    lost_action: str = LOST_ACTION,
    callbacks: bool = False,
    deadline_ms: int | None = None,
    simulated: bool = False,
) -> Facts:
    """Reads them; the ledger is not changed. Raises RedisDownError.

    `latency_s`: how long a task takes while nothing has been learnt. `only`: the batch to look at, and not all of them; one
    that is not there is left out. `newest`: so many batches, and all with something to write; None: all. `failures`: how
    and why jobs ended, which is one more round trip. The rest as `Facts` has it.
    """
    with translated():
        account = _read_account(ledger, newest)
        names = account.names if only is None else [only]
        found = _read_batches(ledger, names, account)
        batches = tuple(status_of(name, record) for name, record in found.records.items())
        ends, queued_ms = _read_ends(ledger, batches, account.now_ms, found.heads, failures=failures)
    open_names = {batch.batch_id for batch in batches if not batch.complete}
    facts = Facts(
        read_ms=account.now_ms,
        in_flight=limits.in_flight,
        per_minute=limits.images_per_minute,
        latency_s=account.latency_s or latency_s,
        simulated=simulated,
        lost=lost,
        lost_action=lost_action,
        callbacks=callbacks,
        deadline_ms=deadline_ms,
        deadlines=_deadlines(account.processes, found.records, open_names),
        gate=account.gate,
        spent_today=found.spent_today,
        budget=_budget(
            limits, [batch for batch in batches if batch.batch_id in found.waiting], found.spent_today
        ),
        processes=account.processes,
        batches=batches,
        given_ms={
            name: record.opened_ms or record.created_ms
            for name, record in found.records.items()
            if not record.cancelled
        },
        unwritten=account.unwritten,
        typed={name: tuple(map(decode_path, record.words)) for name, record in found.records.items()},
        waiting=found.waiting,
        queued_ms=queued_ms,
        queued=sum(found.waiting.get(batch.batch_id, 0) for batch in batches),
        slots=account.slots,
        tasks=account.tasks,
        overdue_ms=account.overdue_ms,
        unanswered_ms=account.unanswered_ms,
        unknown=account.unknown if only is None else sum(batch.counts.get("unknown", 0) for batch in batches),
        unknown_ms=account.unknown_ms if only is None else None,
        ends=ends,
    )
    return replace(facts, ahead=facts.queued if only is None else facts.before(facts.queued))


class _Account(Struct, frozen=True, kw_only=True):
    """What is asked first: the account, its processes, and which batches there are."""

    now_ms: int
    gate: GateState
    latency_s: float | None
    processes: tuple[Heartbeat, ...]
    names: Sequence[BatchId]
    unwritten: Mapping[BatchId, float]
    #: Batches with waiting jobs.
    ring: Sequence[BatchId]
    slots: int
    tasks: int
    overdue_ms: int
    unanswered_ms: int
    unknown: int
    unknown_ms: int | None


def _read_account(ledger: Ledger, newest: int | None) -> _Account:
    key, asked = ledger.key, ledger.client.pipeline(transaction=False)
    asked.time().hmget(key("clock"), "server", "ahead").hgetall(key("gate")).hgetall(key("heartbeats"))
    asked.zrevrange(key("batches"), 0, -1 if newest is None else newest - 1).zrange(
        key("active"), 0, -1, withscores=True
    )
    asked.lrange(key("ring"), 0, -1).zrange(key("leases"), 0, -1, withscores=True)
    for kind in ("due", "unknown"):
        asked.zcard(key(kind))
    for kind in ("due", "posting", "unknown"):
        asked.zrange(key(kind), 0, 0, withscores=True)
    time, clock, gate, beats, names, active, ring, leases, tasks, unknown, *firsts = asked.execute()
    now_ms = ledger_ms(time, clock)
    due_ms, posting_ms, unknown_ms = (int(first[0][1]) if first else None for first in firsts)
    return _Account(
        now_ms=now_ms,
        gate=decode_gate(gate),
        latency_s=_latency_s(gate),
        processes=tuple(sorted(decode_heartbeats(beats), key=lambda beat: (beat.role, beat.host, beat.pid))),
        names=names if newest is None else list(dict.fromkeys([*names, *dict(active)])),
        unwritten=dict(active),
        ring=list(dict.fromkeys(ring)),
        slots=sum(until > now_ms for _, until in leases),
        tasks=tasks,
        overdue_ms=_past(now_ms, due_ms),
        unanswered_ms=_past(now_ms, posting_ms),
        unknown=unknown,
        unknown_ms=unknown_ms,
    )


def _past(now_ms: int, then_ms: int | None) -> int:
    return 0 if then_ms is None else max(0, now_ms - then_ms)


def _latency_s(gate: Mapping[str, str]) -> float | None:
    """The mean of a task's time as every process has learnt it, a log-normal; None before the first task."""
    latency = decode_latency([gate.get(name) for name in names_of(Latency)])
    return None if latency is None else exp(latency.mean + latency.variance / 2) / 1000


class _Batches(Struct, frozen=True, kw_only=True):
    """What is asked then: the batches that are there, and their lines."""

    records: Mapping[BatchId, BatchRecord]
    #: Jobs in line by batch, and the first of each line.
    waiting: Mapping[BatchId, int]
    heads: Sequence[str]
    spent_today: int


def _read_batches(ledger: Ledger, names: Sequence[BatchId], account: _Account) -> _Batches:
    key, asked = ledger.key, ledger.client.pipeline(transaction=False)
    for name in names:
        asked.hgetall(key("batch", name))
    for name in account.ring:
        asked.llen(key("queued", name)).lindex(key("queued", name), 0)
    asked.hget(key("spent"), datetime.fromtimestamp(account.now_ms / 1000, UTC).strftime("%Y-%m-%d"))
    *found, spent = asked.execute()
    lines = found[len(names) :]
    return _Batches(
        records={name: decode_batch(fields) for name, fields in zip(names, found, strict=False) if fields},
        waiting={name: n for name, n in zip(account.ring, lines[::2], strict=True) if n},
        heads=[head for head in lines[1::2] if head],
        spent_today=int(spent or 0),
    )


def _read_ends(
    ledger: Ledger, batches: Iterable[BatchStatus], now_ms: int, heads: Sequence[str], *, failures: bool
) -> tuple[tuple[Ended, ...], int | None]:
    """The newest ends, by the outboxes of the newest batches that run or have just ended; since when a line waits."""
    worth = [
        batch for batch in batches if batch.completed_ms is None or now_ms - batch.completed_ms < RECENT_MS
    ][:_LOOKED_AT]
    asked = ledger.client.pipeline(transaction=False)
    for head in heads:
        asked.hget(ledger.key("job", head), "queued_ms")
    for batch in worth:
        asked.xrevrange(ledger.key("out", batch.batch_id), count=NEWEST_ENDS)
    found = asked.execute() if heads or worth else []
    queued_ms = min((int(since) for since in found[: len(heads)] if since), default=None)
    # Rows without a job have never been under way, and reused ones have ended before their batch was opened.
    told = {
        fields["job"]: (int(entry.partition("-")[0]), batch.created_ms, fields)
        for batch, entries in zip(worth, found[len(heads) :], strict=True)
        for entry, fields in reversed(entries)
        if "job" in fields
    }
    if failures:
        ends = _read_failures(ledger, {name: known[:2] for name, known in told.items()})
    else:
        # A job that was admitted with its end has it as its first version, one that was known already names its rows.
        ends = [
            Ended(at_ms=at_ms)
            for at_ms, _, fields in told.values()
            if "rows" not in fields and fields["v"] != "1"
        ]
    return tuple(sorted(ends, key=lambda end: -end.at_ms)[:NEWEST_ENDS]), queued_ms


def _read_failures(ledger: Ledger, told: Mapping[str, tuple[int, int]]) -> list[Ended]:
    """How and why these jobs ended. `told`: when their end was said, and when their batch was opened."""
    asked = ledger.client.pipeline(transaction=False)
    for name in told:
        asked.hmget(ledger.key("job", name), "state", "finished_ms", "failure")
    found = zip(told.values(), asked.execute(), strict=True) if told else ()
    return [
        end
        for (told_ms, created_ms), values in found
        if (end := _end(values, told_ms)) and end.at_ms >= created_ms
    ]


def _end(values: Sequence[str | None], told_ms: int) -> Ended | None:
    """One end by its job's fields; None for a job that goes on, or whose record cannot be read."""
    state, finished_ms, failure = values
    if state not in ENDED_STATES:
        return None
    try:
        why = decode(failure, Failure) if failure else None
        return Ended(
            at_ms=int(finished_ms or told_ms),
            state=JobState(state),
            kind=why.kind if why else "",
            owner=why.owner if why else Owner.OPS,
        )
    except ValueError:
        return None


def _deadlines(
    processes: Iterable[Heartbeat], records: Mapping[BatchId, BatchRecord], still_open: Container[BatchId]
) -> dict[BatchId, int]:
    """By when open batches are to be over: as their run says with each heartbeat, else as it has left it in the batch."""
    left = {name: record.deadline_ms for name, record in records.items()}
    said = {BatchId(beat.batch): beat.at_ms + beat.left_ms for beat in processes if beat.left_ms is not None}
    return {
        name: moment for name, moment in (left | said).items() if moment is not None and name in still_open
    }


def _budget(limits: LimitSettings, waiting: Sequence[BatchStatus], spent_today: int) -> str:
    """Which budget keeps all of these batches waiting; empty when none waits."""
    if not waiting:
        return ""
    # A batch below its own budget goes on, unless the day's is reached.
    below = min(batch.ordered for batch in waiting)
    return next((one.reached_words for one in budgets_of(limits, below, spent_today) if one.reached), "")
