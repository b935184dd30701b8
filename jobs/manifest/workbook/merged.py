"""Cells merged over several rows: what stands in the first of them counts for all."""

from bisect import bisect_left, bisect_right
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


def to_first_cells(pictures: dict[int, dict[int, list[str]]], areas: Iterable[Area]) -> None:
    """Moves pictures that lie anywhere over merged cells into the first of these: to who looks at them they are one."""
    columns = sorted({column for there in pictures.values() for column in there})
    #: Column → areas over it; they do not overlap.
    over: dict[int, list[Area]] = {}
    for area in areas:
        (_, left), (_, right) = area
        for column in columns[bisect_left(columns, left) : bisect_right(columns, right)]:
            over.setdefault(column, []).append(area)
    for found in over.values():
        found.sort()
    for row, column in [(row, column) for row, there in pictures.items() for column in there]:
        found = over.get(column, [])
        place = bisect_right(found, row, key=lambda area: area[0][0]) - 1
        if place < 0:
            continue
        first, (bottom, _) = found[place]
        if row <= bottom and first != (row, column):
            there = pictures.setdefault(first[0], {}).setdefault(first[1], [])
            there += [picture for picture in pictures[row].pop(column) if picture not in there]
            if not pictures[row]:
                del pictures[row]
