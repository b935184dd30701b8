"""Old workbooks (.xls): what they say beside their values, as far as it decides which rows are bought."""

import struct
from dataclasses import dataclass, field
from typing import IO

from jobs.manifest.workbook.binary import biff8
from jobs.manifest.workbook.compound import CompoundFile
from jobs.manifest.workbook.drawings import Drawing, OldPictures
from jobs.manifest.workbook.errors import WorkbookError
from jobs.manifest.workbook.extent import Extent
from jobs.manifest.workbook.facts import Facts
from jobs.manifest.workbook.links import cover, link_of
from jobs.manifest.workbook.runs import Runs
from jobs.manifest.workbook.styles import styles_of

_BEGIN, _END, _SHEET, _FORMAT, _STYLE, _ROW, _LINK = 0x809, 0x0A, 0x85, 0x41E, 0xE0, 0x208, 0x1B8
_ERROR, _CODEPAGE = 0x205, 0x42
_UNICODE = (1200).to_bytes(2, "little")
#: Records of one cell each: formula, text, number, short number, error or truth.
_CELLS = frozenset({0x06, 0xFD, 0x203, 0x204, 0x27E, _ERROR})
_SHORT_NUMBERS = 0xBD
_HIDDEN_ROW = 0x20
#: Pictures of the whole; what continues a record; a sheet's drawing, of notes too; an object and its text.
_PICTURES, _CONTINUED, _DRAWING, _OBJECT, _TEXT = 0xEB, 0x3C, 0xEC, 0x5D, 0x1B6
#: A picture as Excel 95 kept it, and as some programs still write it.
_BITMAP = 0x7F
#: Widths of columns, the usual one in digits and in 1/256 of a digit; the usual height of rows.
_WIDTHS, _USUAL_DIGITS, _USUAL_WIDTH, _USUAL_HEIGHT = 0x7D, 0x55, 0x99, 0x225
#: BIFF8, of Excel 97 and later.
_VERSION = 0x600
_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}
#: How a link to an address begins, after its area and its kind.
_ADDRESS = bytes.fromhex("e0c9ea79f9bace118c8200aa004ba90b")


@dataclass(slots=True, kw_only=True)
class OldSheet:
    """A sheet as the workbook lists it."""

    name: str
    hidden: bool
    facts: Facts = field(default_factory=Facts)
    extent: Extent = field(default_factory=Extent)


class OldWorkbook:
    """What is read of an old workbook beside its values."""

    def __init__(self, file: IO[bytes]) -> None:
        """Reads what stands beside the values of all sheets; `file` stays open for as long as pictures are read.

        Raises:
            WorkbookError: it is broken, or cells lie so far apart that no memory would do.
        """
        compound = CompoundFile(file)
        name = "Workbook" if "Workbook" in compound else "Book"
        if name not in compound:
            raise WorkbookError("is an old Office file without a table; put the table into a workbook")
        self.pictures = OldPictures(compound, name)
        reader = _Reader(self.pictures)
        for number, content in biff8(compound.chunks(name)):
            reader.take(number, content)
        self.sheets = reader.sheets
        #: Where in the file it names another codepage than Unicode, whose texts are Unicode all the same; 0 for nowhere.
        self.codepage = compound.place(name, reader.codepage) if reader.codepage else 0


class _Reader:
    """Takes the records in their order: those of the whole, then those of each sheet."""

    def __init__(self, pictures: OldPictures) -> None:
        self.sheets: list[OldSheet] = []
        self._pictures = pictures
        self._sheet: OldSheet | None = None
        self._drawing = Drawing()
        #: What is still to come of an object's text: letters, and bytes that say what they look like.
        self._letters = 0
        self._runs = 0
        self._bitmaps = 0
        self._begun = 0
        self._depth = 0
        self._codes: dict[int, str] = {}
        self._styles: list[int] = []
        #: The last record that continued no other, and how many bytes there are before the one that is taken.
        self._before = 0
        self._offset = 0
        self.codepage = 0

    def take(self, number: int, content: bytes) -> None:
        """A record; a short one counts as if zeros followed."""
        self._draw(number, content)
        size = 4 + len(content)
        content = content.ljust(24, b"\0")
        if number == _BEGIN:
            self._depth += 1
            if self._depth == 1:
                self._begin(content)
        elif number == _END:
            self._depth -= 1
            if self._depth == 0 and self._sheet:
                self._end(self._sheet)
                self._sheet = None
        elif self._sheet and self._depth == 1:
            self._of_sheet(self._sheet, number, content)
        else:
            self._of_all(number, content)
        self._before = self._before if number == _CONTINUED else number
        self._offset += size

    def _begin(self, content: bytes) -> None:
        """The whole begins, or the next sheet: sheets stand in the order of the list."""
        version, kind = struct.unpack_from("<HH", content)
        if version != _VERSION:
            raise WorkbookError(
                "is a workbook of Excel 95 or before; open it in Excel or LibreOffice and save it as .xlsx"
            )
        if kind == 0x05:  # noqa: PLR2004 the whole
            return
        if not self._begun:
            formats = styles_of(self._codes, self._styles)
            for sheet in self.sheets:
                sheet.facts.formats = formats
        self._drawing, self._bitmaps = Drawing(), 0
        self._sheet = self.sheets[self._begun] if self._begun < len(self.sheets) else None
        self._begun += 1

    def _end(self, sheet: OldSheet) -> None:
        sheet.extent.refuse_absurd()
        if self._bitmaps:
            sheet.facts.unread = (
                f"pictures in the form of Excel 95 ({self._bitmaps:,}) are not read; save it as .xlsx"
            )
        try:
            for one in self._drawing.pictures():
                sheet.facts.add_picture(one.row, one.column, one.picture)
        except ValueError:
            sheet.facts.unread = "pictures over its cells cannot all be read; save it as .xlsx"

    def _draw(self, number: int, content: bytes) -> None:
        """Takes what belongs to pictures, in pieces that others may stand between."""
        continued = number == _CONTINUED
        kind = self._before if continued else number
        if kind == _PICTURES:
            self._pictures.add(self._offset + 4, len(content))
        elif self._sheet and self._depth == 1:
            if number == _TEXT:
                self._letters, self._runs = struct.unpack_from("<HH", content.ljust(14, b"\0"), 10)
                self._runs *= self._letters > 0
            elif kind == _DRAWING or (
                continued and (kind == _OBJECT or (kind == _TEXT and not self._spell(content)))
            ):
                self._drawing.add(content)

    def _spell(self, content: bytes) -> bool:
        """Whether what continues an object's text is still of it: its letters, then what they look like."""
        if self._letters > 0:
            wide = content[:1] == b"\1"
            self._letters -= max(1, (len(content) - 1) // (1 + wide))
            return True
        left, self._runs = self._runs, self._runs - len(content)
        return left > 0

    def _of_all(self, number: int, content: bytes) -> None:
        if number == _CODEPAGE and content[:2] != _UNICODE:
            self.codepage = self._offset + 4
        elif number == _SHEET:
            self.sheets.append(OldSheet(name=_short_text(content, 6), hidden=content[4] & 3 != 0))
        elif number == _FORMAT:
            self._codes[struct.unpack_from("<H", content)[0]] = _long_text(content, 2)
        elif number == _STYLE:
            self._styles.append(struct.unpack_from("<H", content, 2)[0])

    def _of_sheet(self, sheet: OldSheet, number: int, content: bytes) -> None:
        row, column, style = struct.unpack_from("<HHH", content)
        if number in _CELLS:
            self._cell(sheet, row, column, style)
            if number == _ERROR and content[7]:
                sheet.facts.texts.setdefault(row, {})[column] = _ERRORS.get(content[6], "#ERROR!")
        elif number == _SHORT_NUMBERS:
            for place in range(max(0, (len(content) - 6) // 6)):
                self._cell(sheet, row, column + place, struct.unpack_from("<H", content, 4 + 6 * place)[0])
        elif number == _ROW:
            hidden = bool(content[12] & _HIDDEN_ROW)
            self._drawing.set_height(row, struct.unpack_from("<H", content, 6)[0] & 0x7FFF, hidden=hidden)
            if hidden:
                sheet.facts.hidden.add(row, value=True)
        elif number == _LINK and (target := _target(content)):
            top, bottom, left, right = struct.unpack_from("<HHHH", content)
            cover(sheet.facts, ((top, left), (bottom, right)), target)
        elif number == _BITMAP:
            self._bitmaps += 1
        else:
            self._size(number, content)

    def _size(self, number: int, content: bytes) -> None:
        """How wide columns are, and how high the usual row."""
        first, last, size = struct.unpack_from("<HHH", content)
        if number == _WIDTHS:
            self._drawing.set_width(first, last, size, hidden=bool(content[8] & 1))
        elif number == _USUAL_DIGITS:
            # As Excel rounds it, with seven pixels a digit and five beside it.
            self._drawing.usual_width = (first * 7 + 12) // 8 * 8 / 7 * 256
        elif number == _USUAL_WIDTH:
            self._drawing.usual_width = first
        elif number == _USUAL_HEIGHT:
            self._drawing.usual_height = last

    def _cell(self, sheet: OldSheet, row: int, column: int, style: int) -> None:
        sheet.extent.add(row, column)
        if style in sheet.facts.formats:
            sheet.facts.styles.setdefault(column, Runs()).add(row, style)


def _target(content: bytes) -> str | None:
    """The address that a link's record holds; paths of files have another form there and are not read."""
    begin = content.find(_ADDRESS)
    if begin < 0:
        return None
    at = begin + len(_ADDRESS)
    length = struct.unpack_from("<I", content.ljust(at + 4, b"\0"), at)[0]
    text = content[at + 4 : at + 4 + min(length, 8192)].decode("utf-16-le", errors="replace")
    return link_of(text.partition("\0")[0])


def _short_text(content: bytes, at: int) -> str:
    """A text with one byte of length before it."""
    return _text(content, content[at], at + 1)


def _long_text(content: bytes, at: int) -> str:
    """A text with two bytes of length before it."""
    return _text(content, struct.unpack_from("<H", content, at)[0], at + 2)


def _text(content: bytes, length: int, at: int) -> str:
    wide = content[at] & 1
    raw = content[at + 1 : at + 1 + length * (1 + wide)]
    return raw.decode("utf-16-le" if wide else "latin-1", errors="replace")
