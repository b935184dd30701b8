"""Planning: a row becomes the job it asks for, or says why it cannot."""

import math
import time
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import combinations
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from jobs.identity import former_request_id, plain_request_id, request_id
from jobs.ledger import Admission
from jobs.ledger.codec import encode, encode_pair
from jobs.ledger.records import BadCell, RowRecord
from jobs.manifest.aliases import best_names
from jobs.pictures.check import PictureError
from jobs.pictures.verdict import Remark
from jobs.records import BadRow, LocalFile, Pair, RequestId, Row, Slot, Source, Url
from jobs.signed_addresses import ends_at

#: Slots of a row that stand in the order of a pair's.
_IN_ORDER = frozenset(
    tuple(slot.value for slot in slots)
    for length in range(2, len(Slot) + 1)
    for slots in combinations(Slot, length)
)
_PERSON_IS_GARMENT = Remark("person_is_garment", "the same picture as the person's")


class Planned(Struct, frozen=True, kw_only=True):
    """A good row and the job it asks for; rows with the same pair share one."""

    row: Row
    request_id: RequestId
    #: None: its pictures are the addresses that the row names, none has a query, and they stand in the pair's order.
    looked_up: Pair | None = None
    #: The job's ids before JPEGs were made of pictures, and before signatures were left out of addresses; without those that
    #: are the same.
    former_ids: tuple[str, ...] = ()
    #: When the first of its addresses ends, seconds since the epoch.
    ends_s: float | None = None
    #: What the row is if its pair still has to be sent: an address has ended, or there is no picture at it.
    unsendable: BadRow | None = None
    #: What is odd about its local pictures: the slot, and what.
    remarks: tuple[tuple[str, Remark], ...] = ()

    @property
    def pair(self) -> Pair:
        """What the job buys."""
        if self.looked_up is not None:
            return self.looked_up
        return Pair(**{slot: Url(url=address) for slot, address in self.row.inputs.items()})

    def addresses(self) -> Iterable[tuple[str, str]]:
        """Slot and address of each picture that HiDream fetches itself."""
        if self.looked_up is None:
            return self.row.inputs.items()
        return [(slot, source.url) for slot, source in self.looked_up.slots() if isinstance(source, Url)]


class Planner:
    """Turns rows into jobs. `source` looks a picture up, see jobs.pictures.check; `epoch` is moved by `--again`."""

    def __init__(
        self,
        source: Callable[[str], Source],
        epoch: str = "",
        *,
        plain: Callable[[str], bool] = lambda _text: False,
        remarks: Callable[[str], tuple[Remark, ...]] = lambda _text: (),
        ahead: Callable[[Iterable[Row | BadRow]], Iterable[Row | BadRow]] = lambda rows: rows,
        folder: Path = Path(),
        volatile: Collection[str] = (),
        clock: Callable[[], float] = time.time,
        judges_by: str = "",
    ) -> None:
        """Takes what it asks.

        Args:
            source: looks a picture up.
            epoch: moved by `--again`.
            plain: whether a text is an address that `source` would only repeat, without a query.
            remarks: what is odd about a picture that `source` was just asked for.
            ahead: passes rows on while it looks at the pictures of the next ones.
            folder: where local pictures are looked for, kept with the batch.
            volatile: see jobs.identity.
            clock: seconds since the epoch.
            judges_by: every setting by which `source` takes or refuses an address, as text; empty when that is not known.
        """
        self._source = source
        self._plain = plain
        self._remarks = remarks
        self._ahead = ahead
        self.volatile = frozenset(name.lower() for name in volatile)
        self.clock = clock
        self.judges_by = judges_by
        #: Of the rows planned so far: none named a local picture, or an odd or refused one; when the first address ends.
        self.addresses_only = True
        self.first_end_s: float | None = None
        self.folder = folder
        self.epoch = epoch
        #: Why a pair cannot be sent with an address, "" when it can; None: nobody has asked for the addresses.
        self.refused: Callable[[str], str] | None = None

    def refuse(self, refused: Callable[[str], str]) -> None:
        """Has rows refused, if their pair still has to be sent, by what was found at their addresses."""
        self.refused = refused
        # Found anew each time: what was fed by it must be read again.
        self.judges_by = ""

    def plans(self, rows: Iterable[Row | BadRow]) -> Iterator[Planned | BadRow]:
        """The jobs of rows, in their order; several pictures are looked at at once."""
        return map(self.plan, self._ahead(rows))

    def plan(self, row: Row | BadRow) -> Planned | BadRow:
        """The job of a row; a picture that cannot be used makes the row a bad one."""
        if isinstance(row, BadRow):
            return row
        inputs = row.inputs
        if tuple(inputs) in _IN_ORDER and self.refused is None:
            texts = inputs.values()
            if all(map(self._plain, texts)) and len(set(texts)) == len(inputs):  # nearly every row there is
                return Planned(row=row, request_id=plain_request_id(inputs, self.epoch))
        sources: dict[str, Source] = {}
        addresses = plain = True
        for slot, text in row.inputs.items():
            try:
                source = sources[slot] = self._source(text)
            except PictureError as error:
                self.addresses_only = False
                return _bad(row, slot, f"{text}: {error.why}", text)
            addresses = addresses and isinstance(source, Url)
            plain = plain and "?" not in text
        pair = Pair(**sources)
        found = request_id(pair, self.epoch, self.volatile)
        if addresses and plain and self.refused is None and len(set(inputs.values())) == len(inputs):
            return Planned(row=row, request_id=found, looked_up=pair)
        planned = self._looked_into(row, found, pair)
        self.addresses_only = self.addresses_only and addresses and not planned.remarks
        return planned

    def _looked_into(self, row: Row, found: RequestId, pair: Pair) -> Planned:
        """The job of a row with a query in its addresses, local pictures, or one picture twice."""
        unconverted = _unconverted(pair)
        former = [former_request_id(unconverted, self.epoch)]
        if unconverted is not pair:
            former.insert(0, request_id(unconverted, self.epoch, self.volatile))
        signed = ((slot, text) for slot, text in row.inputs.items() if "?" in text)
        ends = [(end, slot) for slot, text in signed if (end := ends_at(text)) is not None]
        if ends:
            first = min(ends)[0]
            self.first_end_s = first if self.first_end_s is None else min(first, self.first_end_s)
        return Planned(
            row=row,
            request_id=found,
            looked_up=pair,
            former_ids=tuple(each for each in dict.fromkeys(former) if each != found),
            ends_s=min(ends)[0] if ends else None,
            unsendable=(self._ended(row, *min(ends)) if ends else None) or self._refused(row, pair),
            remarks=self._odd(row, pair),
        )

    def _odd(self, row: Row, pair: Pair) -> tuple[tuple[str, Remark], ...]:
        odd = [(slot, remark) for slot, text in row.inputs.items() for remark in self._remarks(text)]
        garments = [(slot, source) for slot, source in pair.slots() if slot is not Slot.PERSON]
        odd += [(slot, _PERSON_IS_GARMENT) for slot, source in garments if _same(source, pair.person)]
        return tuple(odd)

    def _refused(self, row: Row, pair: Pair) -> BadRow | None:
        if (refused := self.refused) is None:
            return None
        bad = ((slot, refused(of.url)) for slot, of in pair.slots() if isinstance(of, Url))
        return next((_bad(row, slot, why) for slot, why in bad if why), None)

    def _ended(self, row: Row, end: float, slot: str) -> BadRow | None:
        if end > self.clock():
            return None
        when = datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return _bad(row, slot, f"the address ended at {when}; ask the shop system for a new one")


def _unconverted(pair: Pair) -> Pair:
    """The pair as it was bought before JPEGs were made of pictures; itself if none is made."""
    converted = {
        str(slot): replace(source, jpeg="")
        for slot, source in pair.slots()
        if isinstance(source, LocalFile) and source.jpeg
    }
    return replace(pair, **converted) if converted else pair


def _same(source: Source, person: Source) -> bool:
    if isinstance(source, LocalFile) and isinstance(person, LocalFile):
        return source.sha256 == person.sha256
    return source == person


def _bad(row: Row, slot: str, why: str, value: str = "") -> BadRow:
    return BadRow(
        number=row.number,
        line=row.line,
        column=column_name(row, slot),
        why=why,
        sku=row.sku,
        fields=row.fields,
        file=row.file,
        value=value,
        inputs=row.inputs,
    )


def column_name(row: Row, slot: str) -> str:
    """The manifest's own name of the column that a picture came from."""
    names = best_names(row.fields)
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
    return best_names(names)


def _shows(fields: Mapping[str, str], inputs: Mapping[str, str]) -> bool:
    """Whether a row's own cells are its pictures, and not names for them."""
    for slot, picture in inputs.items():
        if fields.get(slot) != picture:
            break
    else:
        return True  # as most manifests call them
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
        fields=asked.fields,
        # The row names its pictures; a manifest made from it must have them themselves.
        inputs=None if _shows(asked.fields, asked.inputs) else asked.inputs,
        file=asked.file,
    )
    return Admission(
        number=asked.number,
        request_id=planned.request_id,
        row=encode(row),
        pair=_pair_text(planned),
        former_ids=" ".join(planned.former_ids),
        unsendable=_bad_text(planned.unsendable) if planned.unsendable else "",
    )


def _pair_text(planned: Planned) -> str:
    return encode(planned.row.inputs) if planned.looked_up is None else encode_pair(planned.looked_up)


def question(planned: Planned | BadRow) -> Admission:
    """A planned row as the ledger is asked what would become of it: without what only its admission would write."""
    if isinstance(planned, BadRow):
        return Admission(number=planned.number, request_id="", row="", pair="")
    ended = planned.unsendable is not None
    return Admission(
        number=planned.row.number,
        request_id=planned.request_id,
        row="",
        # An address that has ended harms the pair only while that very address would be sent.
        pair=_pair_text(planned) if ended else "",
        former_ids=" ".join(planned.former_ids),
        unsendable="ended" if ended else "",
    )


def _bad_text(row: BadRow) -> str:
    bad = BadCell(column=row.column, why=row.why)
    own = _shows(row.fields, row.inputs)
    inputs = None if own else dict(row.inputs)
    record = RowRecord(
        line=row.line, sku=row.sku, fields=dict(row.fields), inputs=inputs, bad=bad, file=row.file
    )
    return encode(record)
