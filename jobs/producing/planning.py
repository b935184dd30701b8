"""Planning: a row becomes the job it asks for, or says why it cannot."""

import math
import time
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from jobs.identity import former_request_id, request_id
from jobs.ledger import Admission
from jobs.ledger.codec import encode, encode_pair
from jobs.ledger.records import BadCell, RowRecord
from jobs.manifest.aliases import column_of
from jobs.pictures.check import PictureError
from jobs.records import BadRow, Pair, RequestId, Row, Slot, Source
from jobs.signed_addresses import ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A good row and the job it asks for; rows with the same pair share one."""

    row: Row
    request_id: RequestId
    pair: Pair
    #: The job's id before signatures were left out of addresses; empty when it is the same.
    former_id: str = ""
    #: When the first of its addresses ends, seconds since the epoch.
    ends_s: float | None = None
    #: What the row is if its pair still has to be sent: an address has ended.
    unsendable: BadRow | None = None


class Planner:
    """Turns rows into jobs. `source` looks a picture up, see jobs.pictures.check; `epoch` is moved by `--again`."""

    def __init__(
        self,
        source: Callable[[str], Source],
        epoch: str = "",
        *,
        folder: Path = Path(),
        volatile: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`folder`: where local pictures are looked for, kept with the batch; `volatile`: see jobs.identity.

        `clock`: seconds since the epoch.
        """
        self._source = source
        self._volatile = frozenset(name.lower() for name in volatile)
        self._clock = clock
        self.folder = folder
        self.epoch = epoch

    def plan(self, row: Row | BadRow) -> Planned | BadRow:
        """The job of a row; a picture that cannot be used makes the row a bad one."""
        if isinstance(row, BadRow):
            return row
        sources: dict[str, Source] = {}
        for slot, text in row.inputs.items():
            try:
                sources[slot] = self._source(text)
            except PictureError as error:
                return _bad(row, slot, f"{text}: {error.why}")
        pair = Pair(**sources)
        found = request_id(pair, self.epoch, self._volatile)
        signed = [(slot, text) for slot, text in row.inputs.items() if "?" in text]
        if not signed:
            return Planned(row=row, request_id=found, pair=pair)
        former = former_request_id(pair, self.epoch)
        ends = [(end, slot) for slot, text in signed if (end := ends_at(text)) is not None]
        return Planned(
            row=row,
            request_id=found,
            pair=pair,
            former_id=former if former != found else "",
            ends_s=min(ends)[0] if ends else None,
            unsendable=self._ended(row, *min(ends)) if ends else None,
        )

    def _ended(self, row: Row, end: float, slot: str) -> BadRow | None:
        if end > self._clock():
            return None
        when = datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return _bad(row, slot, f"the address ended at {when}; ask the shop system for a new one")


def _bad(row: Row, slot: str, why: str) -> BadRow:
    return BadRow(
        number=row.number,
        line=row.line,
        column=_column(row, slot),
        why=why,
        sku=row.sku,
        fields=row.fields,
    )


def _column(row: Row, slot: str) -> str:
    """The manifest's own name of the column that a picture came from."""
    names = {column_of(name): name for name in row.fields}
    return names.get(slot) or (names.get("garment") if slot != Slot.PERSON else None) or slot


def in_order(chunk: Iterable[Planned | BadRow]) -> list[Planned | BadRow]:
    """The rows in the order in which they shall be sent: those whose addresses end first go first."""
    return sorted(chunk, key=_end)


def _end(planned: Planned | BadRow) -> float:
    if isinstance(planned, BadRow) or planned.ends_s is None:
        return math.inf
    return planned.ends_s


def bad_rows(chunk: Iterable[Planned | BadRow], unsendable: Container[int]) -> list[BadRow]:
    """The bad rows of a chunk; `unsendable`: numbers of rows that the ledger found to be bad too."""
    bad = []
    for planned in chunk:
        if isinstance(planned, BadRow):
            bad.append(planned)
        elif planned.unsendable is not None and planned.row.number in unsendable:
            bad.append(planned.unsendable)
    return sorted(bad, key=lambda row: row.number)


@lru_cache(maxsize=256)
def _places(names: tuple[str, ...]) -> dict[str, str]:
    """Column → the manifest's name of it."""
    return {column: name for name in names if (column := column_of(name))}


def _shows(fields: Mapping[str, str], inputs: Mapping[str, str]) -> bool:
    """Whether a row's own cells are its pictures, and not names for them."""
    places = _places(tuple(fields))
    garment = places.get("garment") if "category" in places else None
    for slot, picture in inputs.items():
        own = places.get(slot)
        by_category = None if slot == Slot.PERSON else garment
        if not any(name is not None and fields[name].strip() == picture for name in (own, by_category)):
            return False
    return True


def admission(planned: Planned | BadRow) -> Admission:
    """A planned row as the ledger takes it."""
    if isinstance(planned, BadRow):
        return Admission(number=planned.number, request_id="", row=_bad_text(planned), pair="")
    asked = planned.row
    row = RowRecord(
        job=planned.request_id,
        line=asked.line,
        sku=asked.sku,
        fields=dict(asked.fields),
        # The row names its pictures; a manifest made from it must have them themselves.
        inputs=None if _shows(asked.fields, asked.inputs) else dict(asked.inputs),
    )
    return Admission(
        number=asked.number,
        request_id=planned.request_id,
        row=encode(row),
        pair=encode_pair(planned.pair),
        former_id=planned.former_id,
        unsendable=_bad_text(planned.unsendable) if planned.unsendable else "",
    )


def _bad_text(row: BadRow) -> str:
    bad = BadCell(column=row.column, why=row.why)
    return encode(RowRecord(line=row.line, sku=row.sku, fields=dict(row.fields), bad=bad))
