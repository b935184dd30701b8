"""What was ordered of HiDream, one order a POST, and what is known of its money; read from the hashes of jobs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from jobs.ledger import Ledger
from jobs.ledger.codec import decode, decode_orders, decode_refs
from jobs.records import BatchId, RequestId, Settlement, TaskId
from jobs.redis.client import translated

#: Fields of a job's hash that orders follow from.
FIELDS: Final = (
    "state", "refs", "batch", "task_id", "subs", "past", "orders", "settled", "begun_ms", "paid_batch",
)  # fmt: skip
#: Jobs in one round trip.
_CHUNK = 500


class Money(StrEnum):
    """What became of the money of an order; the words of docs/glossary.md."""

    FOR_SURE = "charged for sure"
    PERHAPS = "perhaps charged"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order."""

    request_id: RequestId
    money: Money
    #: HiDream's task; None: it has named none.
    task_id: TaskId | None
    #: Pictures that the task was ordered for, as far as HiDream has said it.
    pictures: int
    #: When its POST began; None: the ledger has not kept it.
    posted_ms: int | None
    #: The batch that it counts for; None: the ledger has not kept it.
    batch: BatchId | None
    #: The rows of that batch, or of all, that want its job now.
    rows: tuple[int, ...]


def orders_of(request_id: str, fields: Mapping[str, str | None]) -> Iterator[Order]:
    """The orders of one job from its hash, the oldest first. Raises ValueError: nobody can read it."""
    refs = decode_refs(fields.get("refs") or "")
    task_id, paid = fields.get("task_id") or None, fields.get("paid_batch") or None
    begun_ms = int(fields.get("begun_ms") or 0) or None

    def order(
        money: Money, posted_ms: int | None, batch: str | None, task: str | None = None, pictures: int = 1
    ) -> Order:
        of_all = tuple(sorted({number for numbers in refs.values() for number in numbers}))
        return Order(
            request_id=RequestId(request_id),
            money=money,
            task_id=TaskId(task) if task else None,
            pictures=pictures,
            posted_ms=posted_ms,
            batch=BatchId(batch) if batch else None,
            rows=refs.get(batch, ()) if batch else of_all,
        )

    former = decode_orders(fields.get("orders") or "")
    named = {one.task_id for one in former} | {task_id}
    for past in (fields.get("past") or "").split():
        # Of a version that did not keep more of it, or the order was given back before its task was named.
        if past not in named:
            yield order(Money.FOR_SURE, None, None, past)
    settled = decode(fields.get("settled") or "[]", tuple[Settlement, ...])
    charged = {one.posted_ms for one in former} | ({begun_ms} if task_id else set())
    for posted_ms, batch in _refunds(settled):
        # Named by a callback after all, it is among the others.
        if posted_ms not in charged:
            yield order(Money.REFUNDED, posted_ms, batch)
    for one in former:
        yield order(Money.FOR_SURE if one.task_id else Money.PERHAPS, one.posted_ms, one.batch, one.task_id)
    if task_id:
        pictures = len(decode(fields.get("subs") or "[]", tuple[str, ...]))
        yield order(Money.FOR_SURE, begun_ms, paid, task_id, max(1, pictures))
    elif fields.get("state") in {"submitting", "unknown"}:
        yield order(Money.PERHAPS, begun_ms, paid)
    elif begun_ms and not paid:
        yield order(Money.REFUNDED, begun_ms, fields.get("batch"))


def _refunds(settled: Iterable[Settlement]) -> Iterator[tuple[int | None, str | None]]:
    """The POSTs of which the last word of persons is that nothing was bought."""
    last = {one.posted_ms: one for one in settled}
    return ((one.posted_ms, one.batch) for one in last.values() if one.outcome == "not_bought")


@dataclass(slots=True, kw_only=True)
class Found:
    """The orders that a ledger still has."""

    orders: list[Order]
    #: Jobs whose hash nobody can read.
    unreadable: int = 0


def find_orders(ledger: Ledger, batch_id: BatchId | None = None) -> Found:
    """Every order, or those that count for a batch; the jobs that it has left are looked for too. Raises NotFoundError."""
    found, seen = Found(orders=[]), set[str]()
    if batch_id is None:
        _read(ledger, _every_job(ledger), None, seen, found)
        return found
    expected = ledger.batch(batch_id).spent
    of_rows = (row.job for rows in ledger.rows(batch_id) for row in rows.values() if row.job)
    _read(ledger, of_rows, batch_id, seen, found)
    counted = sum(one.batch == batch_id and one.money is not Money.REFUNDED for one in found.orders)
    if counted < expected:
        # Its rows have left jobs that it has paid for: only all jobs know which.
        _read(ledger, _every_job(ledger), batch_id, seen, found)
    return found


def _read(
    ledger: Ledger, names: Iterable[str], batch_id: BatchId | None, seen: set[str], found: Found
) -> None:
    fresh = (name for name in names if name not in seen)
    while chunk := list(dict.fromkeys(islice(fresh, _CHUNK))):
        seen.update(chunk)
        for name, values in zip(chunk, _hashes(ledger, chunk), strict=True):
            fields = dict(zip(FIELDS, values, strict=True))
            if fields["state"] is None:
                continue
            try:
                orders = list(orders_of(name, fields))
                refs = decode_refs(fields["refs"] or "")
            except ValueError:
                found.unreadable += 1
                continue
            found.orders += [
                one
                for one in orders
                if batch_id is None or one.batch == batch_id or (one.batch is None and batch_id in refs)
            ]


def _hashes(ledger: Ledger, names: Iterable[str]) -> list[Any]:
    with translated():
        pipeline = ledger.client.pipeline(transaction=False)
        for name in names:
            pipeline.hmget(ledger.key("job", name), FIELDS)
        return pipeline.execute()  # type: ignore[no-any-return]  # a list of lists of texts


def _every_job(ledger: Ledger) -> Iterator[str]:
    before = len(ledger.key("job", "x")) - 1
    with translated():
        for key in ledger.client.scan_iter(f"{ledger.key('job', 'x')[:-1]}*", count=1000):
            yield key[before:]
