"""How far a sheet's cells lie from each other: all cells between them are held in memory, whether filled or not."""

from dataclasses import dataclass

from jobs.manifest.workbook.cells import letters
from jobs.manifest.workbook.errors import WorkbookError

#: Cells of an area that may always be empty, times a cell filled for which so many others may be. 32 bytes a cell.
_FREE_CELLS = 1_500_000
_EMPTY_PER_CELL = 60
#: 2 GB.
_MAX_CELLS = 64_000_000


@dataclass(slots=True, kw_only=True)
class Extent:
    """The smallest area with all filled cells in it."""

    top: int = 1 << 40
    left: int = 1 << 40
    bottom: int = -1
    right: int = -1
    cells: int = 0

    def add(self, row: int, column: int) -> None:
        """Counts a filled cell."""
        self.cells += 1
        self.top = min(self.top, row)
        self.bottom = max(self.bottom, row)
        self.left = min(self.left, column)
        self.right = max(self.right, column)

    def refuse_absurd(self) -> None:
        """Raises WorkbookError when the area is too large for what stands in it."""
        area = (self.bottom - self.top + 1) * (self.right - self.left + 1) if self.cells else 0
        if area > min(_MAX_CELLS, max(_FREE_CELLS, _EMPTY_PER_CELL * self.cells)):
            corner = f"{letters(self.right)}{self.bottom + 1}"
            raise WorkbookError(
                f"has {self.cells:,} filled cells, but they lie as far apart as {corner}; delete the rows below and the"
                " columns right of the table (Ctrl+End shows the last cell), then save it again"
            )
