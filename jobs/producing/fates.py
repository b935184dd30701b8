"""What would become of a manifest's rows: the ledger is asked about one chunk while the next is read."""

from array import array
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeGuard

from jobs.ledger import Ledger, RowFate
from jobs.producing.planning import Planned, in_order, question
from jobs.records import BadRow, BatchId

Chunk = list[Planned | BadRow]


class Seen:
    """Request ids, in 16 bytes each where a set of texts takes 130.

    64 bits of an id stand for it. Of a million rows two are the same with a chance of 1 in 37 million; a plan would then
    tell one of them as a duplicate. A run does not ask here.
    """

    def __init__(self) -> None:
        self._count = 0
        #: Open addressing; 0 is a free place.
        self._table = _zeros(1024)

    def __contains__(self, request_id: object) -> bool:
        """A bad row's id is empty, and never there."""
        return bool(request_id) and self._table[_place(self._table, _bits(str(request_id)))] != 0

    def add(self, request_id: str) -> bool:
        """Takes an id in; whether it was there."""
        table, bits = self._table, _bits(request_id)
        place = bits & (len(table) - 1)
        if table[place]:
            place = _place(table, bits)
            if table[place]:
                return True
        table[place] = bits
        self._count += 1
        if self._count * 3 > len(table) * 2:
            self._grow()
        return False

    def _grow(self) -> None:
        grown = _zeros(2 * len(self._table))
        for bits in self._table:
            if bits:
                grown[_place(grown, bits)] = bits
        self._table = grown


def _zeros(count: int) -> "array[int]":
    return array("Q", bytes(8)) * count


def _bits(request_id: str) -> int:
    """Both ends of a UUID are hash, all of it; 0 is no id."""
    return int(request_id[:4] + request_id[-12:], 16) or 1


def _place(table: "array[int]", bits: int) -> int:
    """Where the id stands, or would."""
    mask = len(table) - 1
    place = bits & mask
    while (found := table[place]) and found != bits:
        place = (place + 1) & mask
    return place


def fates_of(
    rows: Iterable[Planned | BadRow], ledger: Ledger, batch_id: BatchId, *, size: int
) -> Iterator[tuple[Chunk, list[RowFate]]]:
    """The rows in chunks of `size`, and what admitting each would do; changes nothing."""
    seen = Seen()
    every = iter(rows)
    with ThreadPoolExecutor(1, thread_name_prefix="fates") as sender:
        under_way: tuple[Chunk, Future[list[RowFate]]] | None = None
        while True:
            chunk = in_order(islice(every, size))
            asked = [question(planned) for planned in chunk]
            if under_way is not None:
                before, fates = under_way[0], under_way[1].result()
                for planned, fate in zip(before, fates, strict=True):
                    if _may_be_invalid(planned) and fate is not RowFate.INVALID:
                        seen.add(planned.request_id)
                yield before, fates
            if not chunk:
                return
            under_way = chunk, sender.submit(ledger.fates, batch_id, asked, _there(chunk, seen))


def _there(chunk: Chunk, seen: Seen) -> set[str]:
    """Request ids of a chunk that an earlier one has; takes in those of rows that are valid whatever the ledger says."""
    unsure = {planned.request_id for planned in chunk if _may_be_invalid(planned)}
    there: set[str] = {request_id for request_id in unsure if request_id in seen}
    sure = (each.request_id for each in chunk if isinstance(each, Planned) and each.unsendable is None)
    there.update(filter(seen.add, dict.fromkeys(sure)))
    return there


def _may_be_invalid(planned: Planned | BadRow) -> TypeGuard[Planned]:
    return isinstance(planned, Planned) and planned.unsendable is not None
