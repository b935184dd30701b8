"""A look through the cells of a sheet without parsing them: most sheets hold nothing but values there.

Parsing each cell takes longer than everything else together. What this look cannot be sure about it leaves to the parser.
"""

import re
from collections.abc import Iterable, Iterator

from jobs.manifest.workbook.facts import Facts
from jobs.manifest.workbook.runs import Runs

_BEGIN = re.compile(rb"<sheetData(?:\s[^>]*)?(?<!/)>")
_END = b"</sheetData>"
#: Bytes read in search of the cells' beginning.
_MAX_HEAD_BYTES = 1 << 20
#: What only the parser understands: hidden rows, formulas, errors.
_MARKS = (b"hidden", b"<f", b't="e"')
#: A cell without an address, far to the right, or so far down that not all rows before it can be there: `Extent` must
#: look.
_FAR = rb'<c(?! r="A?[A-Z][0-9]{1,%d}")'
_SHORTEST_ROW = len('<row r="1"><c r="A1"><v>1</v></c></row>')
#: Bytes in which a row must begin, or the parser looks.
_MAX_ROW_BYTES = 1 << 20
#: Rows that never make a sheet absurd.
_FEW_ROWS_DIGITS = 4
#: Styles that are looked for one by one.
_MAX_STYLES = 20


class QuickLook:
    """Passes a sheet's XML on without its cells."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._styles = [b' s="%d"' % style for style in facts.formats]
        numbers = b"|".join(b"%d" % style for style in facts.formats)
        self._styled = re.compile(rb'<c r="([A-Z]{1,3})([0-9]{1,7})" s="(%s)"' % numbers)
        #: Whether the parser must see the cells too; to be asked at the end.
        self.unsure = len(self._styles) > _MAX_STYLES
        self._bytes = 0

    def without_cells(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The XML with an empty table in it; as it is when its table is not found at once.

        Ends early when the parser must look anyway.
        """
        source = iter(chunks)
        head = b""
        for chunk in source:
            head += chunk
            if (begin := _BEGIN.search(head)) or len(head) > _MAX_HEAD_BYTES:
                break
        else:
            begin = None
        if begin is None:
            yield head
            yield from source
            return
        yield head[: begin.end()]
        yield from self._behind_cells(head[begin.end() :], source)

    def _behind_cells(self, held: bytes, source: Iterator[bytes]) -> Iterator[bytes]:
        self.unsure = self.unsure or b"='" in held
        while not self.unsure:
            last = held.rfind(b"<row ")
            end = held.find(_END, max(0, last))
            cut = end if end >= 0 else max(0, last)
            self._look_at(held, cut)
            if last < 0 and len(held) > _MAX_ROW_BYTES:
                self.unsure = True
            elif end >= 0 and not self.unsure:
                yield held[end:]
                yield from source
                return
            chunk = next(source, None)
            if chunk is None:  # no end: the parser says so
                self.unsure = True
                return
            held = held[cut:] + chunk

    def _look_at(self, cells: bytes, end: int) -> None:
        """Looks at the whole rows before an end."""
        self._bytes += end
        far = re.compile(_FAR % max(_FEW_ROWS_DIGITS, len(str(self._bytes // _SHORTEST_ROW))))
        if any(cells.find(mark, 0, end) >= 0 for mark in _MARKS) or far.search(cells, 0, end):
            self.unsure = True
        elif self._styles:
            self._note_styles(cells, end)

    def _note_styles(self, cells: bytes, end: int) -> None:
        count = sum(cells.count(style, 0, end) for style in self._styles)
        found = self._styled.findall(cells, 0, end) if count else []
        self.unsure = (
            len(found) != count
        )  # whole rows have styles too, and attributes may stand in another order
        styles = self._facts.styles
        for letters, row, style in found:
            column = _column(letters)
            if column not in styles:
                styles[column] = Runs()
            styles[column].add(int(row) - 1, int(style))


def _column(letters: bytes) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + letter - 64
    return column - 1
