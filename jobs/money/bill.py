"""The bill: every order with what is known of its money, to be laid beside HiDream's own."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TextIO

from jobs.cells import safe_cell
from jobs.config.price import Price, plain
from jobs.ledger import Ledger
from jobs.ledger.orders import Money, Order, find_orders
from jobs.records import BatchId
from jobs.units import iso

#: Columns of the bill as a table of its own.
COLUMNS = (
    "posted_at", "money", "pictures", "price", "currency", "batch", "rows", "request_id", "task_id", "note",
)  # fmt: skip
#: What an order's line says where the ledger has not kept more.
_NO_TIME = "time not kept"
_NO_BATCH = "batch not kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """The orders of a batch, or of all."""

    #: The oldest first; those without a time before them.
    orders: tuple[Order, ...]
    #: Orders that batches count and that no job tells of any more, and refunds of which only the number is kept.
    gone: int
    gone_refunds: int
    #: Jobs whose record nobody can read.
    unreadable: int

    def count(self, money: Money) -> int:
        """Orders of which this is known."""
        return sum(one.money is money for one in self.orders)

    def pictures(self, *money: Money) -> int:
        """Pictures of the orders of which one of these is known."""
        return sum(one.pictures for one in self.orders if one.money in money)

    @property
    def ordered(self) -> int:
        """Orders that are charged, for sure or perhaps."""
        return self.count(Money.FOR_SURE) + self.count(Money.PERHAPS)


def make_bill(ledger: Ledger, batch_id: BatchId | None = None, since_ms: int | None = None) -> Bill:
    """The bill of a batch, or of all.

    Args:
        ledger: knows the orders.
        batch_id: None: every batch.
        since_ms: only orders that were sent then or later, and those whose time is not kept.

    Raises:
        NotFoundError: no such batch.
    """
    found = find_orders(ledger, batch_id)
    gone, gone_refunds = _gone(ledger, found.orders, [batch_id] if batch_id else ledger.batches())
    wanted = (
        one for one in found.orders if since_ms is None or one.posted_ms is None or one.posted_ms >= since_ms
    )
    return Bill(
        orders=tuple(
            sorted(_as_files_count(ledger, wanted), key=lambda one: (one.posted_ms or 0, one.request_id))
        ),
        gone=gone,
        gone_refunds=gone_refunds,
        unreadable=found.unreadable,
    )


def _as_files_count(ledger: Ledger, orders: Iterable[Order]) -> Iterator[Order]:
    """The orders with the rows of the manifest: a second take is that of its row."""
    of_batch: dict[BatchId, dict[int, int]] = {}
    for one in orders:
        if one.batch is None:
            yield one
            continue
        if one.batch not in of_batch:
            later = ledger.later_rows(one.batch).items()
            of_batch[one.batch] = {number: row for row, numbers in later for number in numbers}
        first = of_batch[one.batch]
        yield replace(one, rows=tuple(sorted({first.get(number, number) for number in one.rows})))


def _gone(ledger: Ledger, orders: Iterable[Order], batches: Iterable[BatchId]) -> tuple[int, int]:
    """How many orders and refunds the batches' counters know beyond those that jobs tell of."""
    listed = Counter((one.batch, one.money is Money.REFUNDED) for one in orders)
    gone = refunds = 0
    for batch_id in batches:
        status = ledger.status(batch_id)
        # A permit is counted from when it is given: while a batch runs some orders are still to be sent.
        under_way = status.counts.get("queued", 0) if status.open else 0
        gone += max(0, status.ordered - listed[batch_id, False] - under_way)
        refunds += max(0, status.refunded - listed[batch_id, True])
    return gone, refunds


def write_bill(file: TextIO, bill: Bill, price: Price) -> None:
    """Writes the bill as a CSV; no cell is one that a spreadsheet would run."""
    table = csv.writer(file)
    table.writerow(COLUMNS)
    for line in lines(bill, price):
        table.writerow([safe_cell(str(cell)) for cell in line.values()])


def lines(bill: Bill, price: Price) -> Iterator[dict[str, Any]]:
    """The lines, by column; an empty text where nothing is known."""
    for one in bill.orders:
        notes = (_NO_TIME if one.posted_ms is None else "", _NO_BATCH if one.batch is None else "")
        cells = (
            iso(one.posted_ms) or "",
            one.money.value,
            one.pictures,
            plain(price.cost(one.pictures)) if price else "",
            price.currency,
            one.batch or "",
            " ".join(map(str, one.rows)),
            one.request_id,
            one.task_id or "",
            "; ".join(filter(None, notes)),
        )
        yield dict(zip(COLUMNS, cells, strict=True))


def totals(bill: Bill, price: Price) -> dict[str, Any]:
    """The sums by the words for money: orders, pictures, and what they cost where the price is known."""
    words = {
        "ordered": (Money.FOR_SURE, Money.PERHAPS),
        "charged_for_sure": (Money.FOR_SURE,),
        "perhaps_charged": (Money.PERHAPS,),
        "refunded": (Money.REFUNDED,),
    }
    return {
        word: {
            "orders": sum(map(bill.count, money)),
            "pictures": (pictures := bill.pictures(*money)),
            "cost": plain(price.cost(pictures)) if price else None,
        }
        for word, money in words.items()
    }
