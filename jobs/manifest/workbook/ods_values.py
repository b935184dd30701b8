"""The values of an OpenDocument sheet, as its reader collects them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from jobs.manifest.workbook.cells import MAX_COLUMNS, MAX_ROWS
from jobs.manifest.workbook.errors import WorkbookError
from jobs.manifest.workbook.merged import Area
from jobs.manifest.workbook.values import text_of

#: Cells that may stand for others that are only counted, times those written out for which so many more may be.
_FREE_CELLS = 1_500_000
_REPEATED_PER_CELL = 60
#: A number as most people write it, with or without separators: the country decides how that looks.
_NUMERAL = re.compile(r"[-+]?[0-9][0-9.,'\s\u00a0\u202f]*")
_SCIENTIFIC = re.compile(r"[-+]?[0-9][.,]?[0-9]*E[-+]?[0-9]+", re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class OdsValues:
    """Rows of text; equal ones in a row are held once."""

    #: First and last row, and the cells up to the last filled one.
    stretches: list[tuple[int, int, list[str]]] = field(default_factory=list)
    merged_cell_ranges: list[Area] | None = field(default_factory=list)
    width: int = 0
    _written: int = 0
    _repeated: int = 0

    @property
    def start(self) -> tuple[int, int]:
        """The first cell there is."""
        return (0, 0)

    @property
    def end(self) -> tuple[int, int]:
        """The last filled row, the last filled column of all."""
        return (self.stretches[-1][1] if self.stretches else -1, self.width - 1)

    def iter_rows(self) -> Iterator[list[str]]:
        """All rows from the first one on, blank ones too, of one width."""
        blank, done = [""] * self.width, 0
        for first, last, cells in self.stretches:
            for _ in range(first - done):
                yield blank
            whole = cells + blank[len(cells) :]
            for _ in range(last - first + 1):
                yield whole
            done = last + 1

    def add(self, first: int, last: int, cells: list[str], written: int) -> None:
        """Adds equal rows. `written`: how many cells the file spells out for them.

        Raises:
            WorkbookError: few cells stand for more than any table has.
        """
        self._written += written
        self._repeated += len(cells)
        if (
            len(cells) > MAX_COLUMNS
            or last >= MAX_ROWS
            or self._repeated > max(_FREE_CELLS, _REPEATED_PER_CELL * self._written)
        ):
            raise WorkbookError(
                "fills more cells than any table has; delete the rows and columns around the table"
            )
        self.width = max(self.width, len(cells))
        self.stretches.append((first, last, cells))


def number_text(number: str, shown: str) -> str:
    """A number as a person sees it, but without what depends on the country: separators of thousands and decimals."""
    try:
        digits = text_of(float(number))
    except ValueError:
        return shown
    plain = shown.strip()
    if plain.isdigit():  # with zeros in front, perhaps
        return plain
    return digits if not plain or _NUMERAL.fullmatch(plain) or _SCIENTIFIC.fullmatch(plain) else plain
