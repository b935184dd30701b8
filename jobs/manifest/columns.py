"""Where a row's cells belong, worked out once from the column names, and the check of a row against it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.manifest.addresses import picture_fault
from jobs.manifest.aliases import (
    CATEGORIES,
    COLUMNS,
    GARMENT_COLUMNS,
    best_names,
    column_of,
    is_listed,
    misspelt,
    slot_of,
)
from jobs.manifest.skus import sku_fault, sku_text
from jobs.records import BadRow, Row, Slot

#: Columns whose spelling is looked at; nobody reads about more of them, and each costs 40 microseconds and up.
_LOOKED_AT = 100
#: Characters of a column's name.
_NAME_CHARS = 200

_PERSON = Slot.PERSON.value
#: How a sku begins that may be none; most begin otherwise.
_SIGNS = frozenset(("=", "#", " "))
#: Pictures of a row with a dress: nothing goes with it.
_DRESSED = 2
#: The way on for an export of a shop system.
_PRODUCTS = "a list of products without people becomes a manifest by vton pairs"


class ColumnError(Exception):
    """What names columns is no good: two mean the same, one is absurd, or one has no text; it says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a row is bad."""

    #: As the manifest has it; empty when the row as a whole is bad.
    column: str = ""
    #: A sentence for the merchandiser.
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Typo:
    """A column that only passes through, though its name looks like a misspelt one; as text a sentence."""

    #: As the manifest has it.
    name: str
    #: What it nearly means.
    column: str
    #: As `Row.file`: empty for a manifest of one file.
    file: str = ""

    def __str__(self) -> str:
        place = f"{self.file}: " if self.file else ""
        return f"{place}the column “{self.name}” is not read; did you mean {self.column}?"


def row_of(
    number: int, line: int, sku: str, fields: dict[str, str], found: dict[str, str] | Fault
) -> Row | BadRow:
    """The row by what was found in it: its pictures by slot, or why it is bad."""
    if isinstance(found, Fault):
        return BadRow(number=number, line=line, column=found.column, why=found.why, sku=sku, fields=fields)
    return Row(number=number, line=line, sku=sku, inputs=found, fields=fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Column names → places. Built once for a table, once per set of keys elsewhere."""

    columns: tuple[str, ...]
    #: Place of the sku; None without one.
    sku: int | None
    person: int | None
    #: Slot name and place of the three garment columns there are.
    garments: tuple[tuple[str, int], ...]
    #: Places of the garment without a slot of its own, and of the category that names it.
    garment: int | None
    category: int | None
    #: Slot name and place of the person and of the garments that have a slot of their own; empty without a person.
    pictures: tuple[tuple[str, int], ...]

    def sku_of(self, cells: Sequence[str]) -> str:
        """The row's sku, "" without one."""
        return sku_text(cells[self.sku]) if self.sku is not None and self.sku < len(cells) else ""

    def inputs(self, cells: Sequence[str]) -> dict[str, str] | Fault:
        """The row's filled slots, or the first thing wrong with it."""
        if self.sku is not None and cells[self.sku][:1] in _SIGNS and (why := sku_fault(self.sku_of(cells))):
            return Fault(column=self.columns[self.sku], why=why)
        if self.garment is not None and cells[self.garment]:
            return self._looked_into(cells)
        # Nearly every row there is: as few steps as possible.
        filled = {slot: text for slot, place in self.pictures if (text := cells[place].strip())}
        fits = len(filled) > 1 and _PERSON in filled and ("dress" not in filled or len(filled) == _DRESSED)
        return filled if fits and not any(map(picture_fault, filled.values())) else self._looked_into(cells)

    def _looked_into(self, cells: Sequence[str]) -> dict[str, str] | Fault:
        person = cells[self.person].strip() if self.person is not None else ""
        if why := picture_fault(person) if person else "the person's picture is missing":
            return Fault(column=self._name(self.person, "person"), why=why)
        places = self.garment_places(cells)
        if isinstance(places, Fault):
            return places
        inputs = {_PERSON: person}
        for slot, place in places.items():
            inputs[slot] = picture = cells[place].strip()
            if why := picture_fault(picture):
                return Fault(column=self.columns[place], why=why)
        if not places:
            return Fault(column=self._garment_name(), why="the row has no garment")
        if "dress" in places and len(places) > 1:
            return Fault(
                column=self.columns[places["dress"]],
                why="a dress cannot go together with an upper or a lower garment; make two rows of it",
            )
        return inputs

    def garment_places(self, cells: Sequence[str]) -> dict[str, int] | Fault:
        """Slot → place of each garment's picture; that of the `garment` column goes where its category says."""
        places = {slot: place for slot, place in self.garments if cells[place].strip()}
        if self.garment is None or not cells[self.garment].strip():
            return places
        category = cells[self.category].strip() if self.category is not None else ""
        slot = slot_of(category)
        if slot is None:
            what = (
                f"the category “{category[:40]}” is not known" if category else "the garment has no category"
            )
            return Fault(
                column=self._name(self.category, "category"), why=f"{what}; write upper, lower or dress"
            )
        if slot in places:
            return Fault(
                column=self.columns[self.garment], why=f"the row has two garments of one kind ({slot})"
            )
        return places | {slot: self.garment}

    def _name(self, place: int | None, default: str) -> str:
        return default if place is None else self.columns[place]

    def _garment_name(self) -> str:
        """The one garment column to blame, or all of them."""
        places = [place for _, place in self.garments] + ([] if self.garment is None else [self.garment])
        return ", ".join(self.columns[place] for place in sorted(places)) or "garment"


def plan(columns: tuple[str, ...]) -> Plan:
    """Works the plan out.

    Raises:
        ColumnError: two columns of one name or of one meaning, or a name without an end.
    """
    _refuse_duplicates(columns)
    best = best_names(columns)
    _refuse_rivals(columns, best)
    places = {column: columns.index(heading) for column, heading in best.items()}
    garments = tuple((slot, places[slot]) for slot in CATEGORIES if slot in places)
    return Plan(
        columns=columns,
        sku=places.get("sku"),
        person=places.get("person"),
        garments=garments,
        garment=places.get("garment"),
        category=places.get("category"),
        pictures=((_PERSON, places["person"]), *garments) if "person" in places else (),
    )


def refuse_useless(made: Plan, first: str, typos: Sequence[Typo]) -> None:
    """Refuses a table in which no row could ever be good.

    Args:
        made: the plan of its columns.
        first: what messages call the line of the names.
        typos: its misspelt names, see `suspected_typos`.

    Raises:
        ColumnError: no column is known, or there is none for the person or for a garment.
    """
    near = "".join(f"; {typo}" for typo in typos)
    if not any(map(column_of, made.columns)):
        raise ColumnError(
            f"{first} names no known column; it must hold names like sku, person, upper_clothes, dress{near}; {_PRODUCTS}"
        )
    if made.person is None:
        raise ColumnError(
            f"{first} has no column for the person; name it {', '.join(COLUMNS['person'])}{near}; {_PRODUCTS}"
        )
    if not made.garments and made.garment is None:
        raise ColumnError(f"{first} has no column for a garment; name it {', '.join(GARMENT_COLUMNS)}{near}")


def suspected_typos(made: Plan) -> tuple[Typo, ...]:
    """Columns that only pass through, though their names look like misspelt ones that nothing else is named as.

    A misspelt garment would not be missed: the rest of its row is bought without it.
    """
    there = {column_of(heading) for heading in made.columns}
    meant = {heading: misspelt(heading) for heading in made.columns[:_LOOKED_AT]}
    return tuple(
        Typo(name=heading, column=column)
        for heading, column in meant.items()
        if column is not None and column not in there
    )


def passed_over(made: Plan) -> tuple[str, ...]:
    """Columns that only pass through because another one names the same better, a sentence each; skus are often several."""
    best = best_names(made.columns)
    return tuple(
        f"the column “{heading}” is not read: “{best[column]}” is the {column}"
        for heading in made.columns
        if (column := column_of(heading)) and column != "sku" and best[column] != heading
    )


def _refuse_rivals(columns: tuple[str, ...], best: Mapping[str, str]) -> None:
    """Refuses two names of one garment's picture: which one is to be bought only a person knows."""
    for heading in columns:
        column = column_of(heading)
        if column in GARMENT_COLUMNS and best[column] != heading and is_listed(heading):
            first, second = sorted((best[column], heading), key=columns.index)
            raise ColumnError(f"the columns “{first}” and “{second}” both mean {column}; keep one")


def _refuse_duplicates(columns: tuple[str, ...]) -> None:
    seen: set[str] = set()
    for place, heading in enumerate(columns, start=1):
        if len(heading) > _NAME_CHARS:
            raise ColumnError(f"the name of column {place} is longer than {_NAME_CHARS} characters")
        if heading in seen:
            raise ColumnError(f"the column “{heading}” is there twice; every column needs a name of its own")
        seen.add(heading)
