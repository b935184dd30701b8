"""Manifests of columns: names first, then a row a record, whatever file they come from."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Protocol, runtime_checkable

from jobs.errors import ManifestError
from jobs.manifest.aliases import OURS
from jobs.manifest.columns import (
    ColumnError,
    Fault,
    passed_over,
    plan,
    refuse_useless,
    row_of,
    suspected_typos,
)
from jobs.manifest.names import find_names
from jobs.manifest.records import Record
from jobs.records import BadRow, Dialect, Row

__all__ = ["PlacedSource", "Record", "RecordSource", "Table"]


class RecordSource(Protocol):
    """A file of columns. `name`: what messages call it; `dialect`: how tables made from it are written."""

    name: str
    dialect: Dialect

    def records(self) -> Iterator[Record]:
        """Streams the records from the column names on, blank ones left out; may be called again."""


@runtime_checkable
class PlacedSource(RecordSource, Protocol):
    """One whose rows have other places than lines of a file."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What its giver should know, a sentence each; some are known once all records are read."""

    def where(self, line: int, column: str = "") -> str:
        """A row, or its cell under a name, as the program that made it calls it."""


class Table:
    """A manifest of columns; the names are read and checked when it is made, the rows later."""

    def __init__(self, source: RecordSource) -> None:
        """Reads the column names.

        Raises:
            ManifestError: no names, two alike, or none that is known.
        """
        self._source = source
        self.dialect = source.dialect
        found = find_names(source.records())
        if found is None:
            raise ManifestError(f"{source.name}: is empty")
        if found.flaw:
            raise ManifestError(f"{source.name}:{found.line}: {found.flaw}")
        #: Cells of a record that are there at least, the unnamed ones among them.
        self._width = max((place for place, name in enumerate(found.cells, 1) if name.strip()), default=0)
        names = found.cells[: self._width]
        places = [place for place, name in enumerate(names) if name.strip()]
        self._places = places
        self._named = _picked(places) if len(places) < len(names) else None
        self._before = found.records
        self._names_line = "the first line" if found.line == 1 else f"line {found.line}"
        try:
            self._plan = plan(tuple(names[place] for place in places))
            #: Columns that look like misspelt ones.
            self.suspected_typos = suspected_typos(self._plan)
            refuse_useless(self._plan, self._names_line, self.suspected_typos)
        except ColumnError as error:
            raise ManifestError(f"{source.name}:{found.line}: {error}") from None
        self._ours = [name for name in self._plan.columns if name.startswith(OURS)]
        #: The names as written, without those that a batch's tables have added.
        self.columns = tuple(name for name in self._plan.columns if name not in self._ours)
        #: What whoever gave it should know of its columns, a sentence each.
        self.remarks = passed_over(self._plan)

    def rows(self) -> Iterator[Row | BadRow]:
        """Streams the rows in their order, bad ones among them."""
        columns, inputs_of, sku_of = self._plan.columns, self._plan.inputs, self._plan.sku_of
        width, named = self._width, self._named
        records = islice(self._source.records(), self._before, None)
        for number, (line, found, flaw) in enumerate(records, start=1):
            cells, why, there = found, flaw, columns
            if len(cells) != width:
                why = why or self._shape_fault(cells)
                # A row keeps the cells that it has: a line of a few letters must not grow to thousands of columns.
                there = columns[: bisect_left(self._places, len(cells))]
                cells = [*cells, *[""] * (width - len(cells))]
            if named:
                cells = named(cells)
            inputs = Fault(why=why) if why else inputs_of(cells)
            fields = dict(zip(there, cells, strict=False))
            for name in self._ours:
                fields.pop(name, None)
            yield row_of(number, line, sku_of(cells), fields, inputs)

    def _shape_fault(self, cells: list[str]) -> str:
        """Why there are too many cells; "" when only empty ones are. Those that are missing at the end are empty."""
        if not any(cell.strip() for cell in cells[self._width :]):
            return ""
        return f"the line has {len(cells)} cells, but {self._names_line} names {self._width} columns"


def _picked(places: Sequence[int]) -> Callable[[list[str]], list[str]]:
    """Takes the cells of named columns out of a record."""
    if len(places) < 2:  # noqa: PLR2004 itemgetter gives one item as it is
        return lambda cells: [cells[place] for place in places]
    pick = itemgetter(*places)
    return lambda cells: list(pick(cells))
