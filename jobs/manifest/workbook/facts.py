"""What a sheet holds beside the values of its cells."""

from dataclasses import dataclass, field
from typing import TypeVar

from jobs.manifest.workbook.merged import Area
from jobs.manifest.workbook.number_formats import NumberFormat
from jobs.manifest.workbook.runs import Runs

_Value = TypeVar("_Value")

#: Row → column → what; both from 0.
Sparse = dict[int, dict[int, _Value]]


@dataclass(slots=True, kw_only=True)
class Facts:
    """What is read from a sheet's own parts."""

    #: Rows that a filter or a person has hidden.
    hidden: Runs[bool] = field(default_factory=Runs)
    #: Column → row → style of its cells with a number in a format of its own.
    styles: dict[int, Runs[int]] = field(default_factory=dict)
    #: Style → format; only formats that show a number otherwise than its digits.
    formats: dict[int, NumberFormat] = field(default_factory=dict)
    #: Errors (`#N/A`), and formulas that nobody has computed.
    texts: Sparse[str] = field(default_factory=dict)
    #: Where a cell's link leads.
    links: Sparse[str] = field(default_factory=dict)
    #: Areas of merged cells, where the library that reads the values does not say them.
    merged: list[Area] = field(default_factory=list)
    #: Pictures in cells and over cells: parts of the archive, or addresses. Several over one cell are all there.
    pictures: Sparse[list[str]] = field(default_factory=dict)
    #: Cells over which one lies that the sheet shows cut or turned.
    altered: set[tuple[int, int]] = field(default_factory=set)

    #: What it holds that is not read, a sentence; empty for nothing.
    unread: str = ""

    def add_picture(self, row: int, column: int, picture: str, *, altered: bool = False) -> None:
        """Puts a picture into or over a cell; the same one twice is one."""
        if altered:
            self.altered.add((row, column))
        there = self.pictures.setdefault(row, {}).setdefault(column, [])
        if picture not in there:
            there.append(picture)
