"""Cells merged over several rows: what stands in the first of them counts for all."""

from collections.abc import Iterable, Sequence

#: First and last cell, as row and column from 0.
Area = tuple[tuple[int, int], tuple[int, int]]


class Merged:
    """Carries values down through merged cells, row by row. Areas over one row only say nothing new."""

    def __init__(self, areas: Iterable[Area], columns: Sequence[int]) -> None:
        """`columns`: those of a row's cells, in their order; only the left column of an area holds its value."""
        places = {column: place for place, column in enumerate(columns)}
        #: First row → last row and place of the areas that begin there.
        self._begins: dict[int, list[tuple[int, int]]] = {}
        #: Place → last row of the area that is open there, and its value.
        self._open: dict[int, tuple[int, str]] = {}
        for (top, left), (bottom, _) in areas:
            if bottom > top and left in places:
                self._begins.setdefault(top, []).append((bottom, places[left]))

    def __bool__(self) -> bool:
        return bool(self._begins)

    def fill(self, row: int, cells: list[str]) -> None:
        """Fills the row's empty cells that lie in an area; rows come in ascending order."""
        for place, (last, value) in list(self._open.items()):
            if row > last:
                del self._open[place]
            elif not cells[place]:
                cells[place] = value
        for last, place in self._begins.get(row, ()):
            self._open[place] = (last, cells[place])
