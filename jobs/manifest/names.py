"""Where the names of a table's columns stand: on its first line, below titles, or where the file itself says it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from jobs.manifest.aliases import best_names, column_of, is_whole
from jobs.manifest.records import Record

#: Records among which the names are looked for.
LOOKED_AT = 20
#: Lines of names below each other, as Taobao's assistant writes them: known to programs, and to people.
_LINES_OF_NAMES = 3
#: Known names by which a line that is not whole is rather one of names than of values.
_ENOUGH = 2
#: Amazon's own word for where the names and the first row stand, 1-based, in a cell of the first line.
_ROWS_NAMED = re.compile(r"settings=.*?\battributeRow=(\d{1,4})\b.*?\bdataRow=(\d{1,4})\b")
#: Cells of a first line that may tell it.
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The record of the names."""

    line: int
    cells: tuple[str, ...]
    #: What is wrong with it; "" when nothing is.
    flaw: str
    #: Records up to the first row, this one among them.
    records: int


def rows_named(cells: Sequence[str]) -> tuple[int, int] | None:
    """The lines of the names and of the first row, 1-based, as the first line of an Amazon template names them."""
    found = next(filter(None, map(_ROWS_NAMED.search, cells[:_MOST_NAMED])), None)
    return (int(found[1]), int(found[2])) if found else None


def find_names(records: Iterator[Record]) -> Names | None:
    """Finds the names; None when there is no record.

    That of a person and a garment counts; else the one with the most known names; else the first.
    """
    seen: list[Record] = []
    for record in islice(records, LOOKED_AT):
        seen.append(record)
        if named := rows_named(record[1]) if len(seen) == 1 else None:
            seen += islice(records, LOOKED_AT)
            break
        if not record[2] and is_whole(record[1]):
            return _names(seen, len(seen) - 1, islice(records, _LINES_OF_NAMES))
    else:
        named = None
    if not seen:
        return None
    if named:
        place = next((place for place, record in enumerate(seen) if record[0] >= named[0]), 0)
        ahead = sum(record[0] < named[1] for record in seen)
        return _of(seen[place], max(place + 1, ahead))
    known = [0 if flaw else len(best_names(cells)) for _, cells, flaw in seen]
    best = max(range(len(seen)), key=known.__getitem__)
    return _names(seen, best if known[best] >= _ENOUGH else 0, iter(()))


def _names(seen: Sequence[Record], place: int, below: Iterator[Record]) -> Names:
    """The names at a place, those that say them once more below it left out."""
    cells = seen[place][1]
    people = [at for at, cell in enumerate(cells) if column_of(cell) == "person"]
    more = 0
    for _, again, _ in below:
        if not any(at < len(again) and column_of(again[at]) == "person" for at in people):
            break
        more += 1
    return _of(seen[place], place + 1 + more)


def _of(record: Record, records: int) -> Names:
    line, cells, flaw = record
    return Names(line=line, cells=tuple(cells), flaw=flaw, records=records)
