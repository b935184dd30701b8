"""Rows that a quotation mark has swallowed: it is closed by one that stands by chance at a cell's end some lines below."""

import csv
import re
from collections.abc import Sequence
from contextlib import suppress

#: What the cells of pictures look like.
_PICTURE = re.compile(
    r"\s*https?://|.*\.(?:jpe?g|jfif|png|webp|gif|bmp|tiff?|heic|heif|avif)\s*$", re.IGNORECASE | re.DOTALL
)


def swallows_rows(lines: Sequence[str], cells: Sequence[str], delimiter: str) -> bool:
    """Whether a record of several lines holds lines that are rows themselves, which would be lost in one of its cells.

    A line within is one if it has as many cells as the record, and pictures where the record has them; the last line only if
    the first is one, too, since a text may well end on a line that goes on with all other cells.

    Args:
        lines: the record's own.
        cells: what it was read as.
        delimiter: between the cells.
    """
    pictures = _pictures(cells)
    if not pictures:
        return False
    if any(_is_row(line, len(cells), pictures, delimiter) for line in lines[1:-1]):
        return True
    return all(_is_row(line, len(cells), pictures, delimiter) for line in (lines[0], lines[-1]))


def _is_row(line: str, count: int, pictures: frozenset[int], delimiter: str) -> bool:
    if line.count(delimiter) + 1 < count:
        return False
    # As it would be read, and as if quotation marks were letters: one of them is.
    ways = [line.split(delimiter)]
    with suppress(csv.Error):  # a carriage return within it, which is none of a row
        ways.append(next(csv.reader([line], delimiter=delimiter), []))
    return any(len(cells) == count and _pictures(cells) == pictures for cells in ways)


def _pictures(cells: Sequence[str]) -> frozenset[int]:
    return frozenset(place for place, cell in enumerate(cells) if _PICTURE.match(cell.strip(' "\r\n')))
