"""Where a sheet's column names stand: below title lines, and at some column of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jobs.manifest.names import rows_named

#: Filled rows among which the names are looked for.
LOOKED_AT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The row of the names."""

    #: Its number in the sheet, from 0.
    row: int
    #: As written, without line breaks and the like; of named columns only.
    names: tuple[str, ...]
    #: Where each of them stands in a row's cells.
    places: tuple[int, ...]
    #: The last row before the data, from 1.
    row_before: int = 0


def find_header(
    rows: Sequence[tuple[int, Sequence[str]]], is_known: Callable[[str], object]
) -> Header | None:
    """The row with the most known names, of equal ones the first, or the one that the sheet tells; None when no row has any.

    Args:
        rows: number and cells of the first rows.
        is_known: whether a heading means something.
    """
    best: tuple[int, int, Sequence[str]] | None = None
    named = rows_named(rows[0][1]) if rows else None
    for number, cells in rows:
        if named and number + 1 != named[0]:
            continue
        known = len({cell for cell in map(_name, cells) if cell and is_known(cell)})
        if known and (best is None or known > best[0]):
            best = (known, number, cells)
    if best is None:
        return None
    names = [(_name(cell), place) for place, cell in enumerate(best[2]) if cell.strip()]
    return Header(
        row=best[1],
        names=tuple(name for name, _ in names),
        places=tuple(place for _, place in names),
        row_before=named[1] - 1 if named else 0,
    )


def _name(cell: str) -> str:
    return " ".join(cell.split())
