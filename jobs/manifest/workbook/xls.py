"""Old workbooks (.xls): what they say beside their values, as far as it decides which rows are bought."""

import struct
from dataclasses import dataclass, field
from typing import IO

from jobs.manifest.workbook.binary import biff8
from jobs.manifest.workbook.compound import CompoundFile
from jobs.manifest.workbook.errors import WorkbookError
from jobs.manifest.workbook.extent import Extent
from jobs.manifest.workbook.facts import Facts
from jobs.manifest.workbook.links import cover, link_of
from jobs.manifest.workbook.runs import Runs
from jobs.manifest.workbook.styles import styles_of

_BEGIN, _END, _SHEET, _FORMAT, _STYLE, _ROW, _LINK = 0x809, 0x0A, 0x85, 0x41E, 0xE0, 0x208, 0x1B8
_ERROR = 0x205
#: Records of one cell each: formula, text, number, short number, error or truth.
_CELLS = frozenset({0x06, 0xFD, 0x203, 0x204, 0x27E, _ERROR})
_SHORT_NUMBERS = 0xBD
_HIDDEN_ROW = 0x20
#: Drawings of the whole, with their pictures; what continues a record; a sheet's own drawing, of notes too.
_DRAWINGS, _CONTINUED, _DRAWING = 0xEB, 0x3C, 0xEC
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG")
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


def old_sheets(file: IO[bytes]) -> list[OldSheet]:
    """Reads what stands beside the values of all sheets.

    Raises:
        WorkbookError: it is broken, or cells lie so far apart that no memory would do.
    """
    compound = CompoundFile(file)
    name = "Workbook" if "Workbook" in compound else "Book"
    if name not in compound:
        raise WorkbookError("is an old Office file without a table; put the table into a workbook")
    reader = _Reader()
    for number, content in biff8(compound.chunks(name)):
        reader.take(number, content)
    return reader.sheets


class _Reader:
    """Takes the records in their order: those of the whole, then those of each sheet."""

    def __init__(self) -> None:
        self.sheets: list[OldSheet] = []
        self._sheet: OldSheet | None = None
        self._begun = 0
        self._depth = 0
        self._codes: dict[int, str] = {}
        self._styles: list[int] = []
        self._before = 0
        self._has_pictures = False

    def take(self, number: int, content: bytes) -> None:
        """A record; a short one counts as if zeros followed."""
        content = content.ljust(24, b"\0")
        if number == _BEGIN:
            self._depth += 1
            if self._depth == 1:
                self._begin(content)
        elif number == _END:
            self._depth -= 1
            if self._depth == 0 and self._sheet:
                self._sheet.extent.refuse_absurd()
                self._sheet = None
        elif self._sheet and self._depth == 1:
            self._of_sheet(self._sheet, number, content)
        else:
            self._of_all(number, content)
        self._before = self._before if number == _CONTINUED else number

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
        self._sheet = self.sheets[self._begun] if self._begun < len(self.sheets) else None
        self._begun += 1

    def _of_all(self, number: int, content: bytes) -> None:
        if number == _SHEET:
            self.sheets.append(OldSheet(name=_short_text(content, 6), hidden=content[4] & 3 != 0))
        elif number == _FORMAT:
            self._codes[struct.unpack_from("<H", content)[0]] = _long_text(content, 2)
        elif number == _STYLE:
            self._styles.append(struct.unpack_from("<H", content, 2)[0])
        elif number == _DRAWINGS or (number == _CONTINUED and self._before == _DRAWINGS):
            self._has_pictures = self._has_pictures or any(begin in content for begin in _PICTURES)

    def _of_sheet(self, sheet: OldSheet, number: int, content: bytes) -> None:
        row, column, style = struct.unpack_from("<HHH", content)
        if number in _CELLS:
            self._cell(sheet, row, column, style)
            if number == _ERROR and content[7]:
                sheet.facts.texts.setdefault(row, {})[column] = _ERRORS.get(content[6], "#ERROR!")
        elif number == _SHORT_NUMBERS:
            for place in range(max(0, (len(content) - 6) // 6)):
                self._cell(sheet, row, column + place, struct.unpack_from("<H", content, 4 + 6 * place)[0])
        elif number == _ROW and content[12] & _HIDDEN_ROW:
            sheet.facts.hidden.add(row, value=True)
        elif number == _LINK and (target := _target(content)):
            top, bottom, left, right = struct.unpack_from("<HHHH", content)
            cover(sheet.facts, ((top, left), (bottom, right)), target)
        elif number == _DRAWING and self._has_pictures:
            sheet.facts.unread = "pictures over the cells of an .xls are not read; save it as .xlsx"

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
