"""Manifests of columns: names first, then a row a record, whatever file they come from."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from jobs.errors import ManifestError
from jobs.manifest.aliases import OURS
from jobs.manifest.columns import ColumnError, Fault, plan, refuse_useless, row_of, suspected_typos
from jobs.records import BadRow, Dialect, Row

#: Line where the record begins, its cells as far as they can be read, what is wrong with it ("": nothing).
Record = tuple[int, list[str], str]


class RecordSource(Protocol):
    """A file of columns. `name`: what messages call it; `dialect`: how tables made from it are written."""

    name: str
    dialect: Dialect

    def records(self) -> Iterator[Record]:
        """Streams the records from the column names on, blank ones left out; may be called again."""


@runtime_checkable
class PlacedSource(RecordSource, Protocol):
    """One whose rows have other places than lines of a file. `remarks`: what its giver should know, a sentence each."""

    remarks: tuple[str, ...]

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
        line, names, flaw = next(source.records(), (0, [], ""))
        if not line:
            raise ManifestError(f"{source.name}: is empty")
        if flaw:
            raise ManifestError(f"{source.name}:{line}: {flaw}")
        while names and not names[-1].strip():
            names.pop()
        self._names_line = "the first line" if line == 1 else f"line {line}"
        try:
            self._plan = plan(tuple(names))
            #: Columns that look like misspelt ones, a sentence each.
            self.suspected_typos = suspected_typos(self._plan)
            refuse_useless(self._plan, self._names_line, self.suspected_typos)
        except ColumnError as error:
            raise ManifestError(f"{source.name}:{line}: {error}") from None
        self._ours = [name for name in names if name.startswith(OURS)]
        #: The names as written, without those that a batch's tables have added.
        self.columns = tuple(name for name in names if name not in self._ours)

    def rows(self) -> Iterator[Row | BadRow]:
        """Streams the rows in their order, bad ones among them."""
        columns, inputs_of, sku_of = self._plan.columns, self._plan.inputs, self._plan.sku_of
        width = len(columns)
        records = self._source.records()
        next(records)  # the names
        for number, (line, cells, flaw) in enumerate(records, start=1):
            why = flaw or (self._shape_fault(cells) if len(cells) != width else "")
            found = Fault(why=why) if why else inputs_of(cells)
            fields = dict(zip(columns, cells, strict=False))
            for name in self._ours:
                fields.pop(name, None)
            yield row_of(number, line, sku_of(cells), fields, found)

    def _shape_fault(self, cells: list[str]) -> str:
        """Why the number of cells is wrong; "" when only empty ones are too many."""
        width = len(self._plan.columns)
        if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
            return ""
        return f"the line has {len(cells)} cells, but {self._names_line} names {width} columns"
