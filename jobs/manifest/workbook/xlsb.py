"""Binary Office workbooks (.xlsb): what their own parts say, as far as it decides which rows are bought."""

import struct
from collections.abc import Callable

from jobs.manifest.workbook.archive import Archive
from jobs.manifest.workbook.binary import biff12, wide_text
from jobs.manifest.workbook.errors import WorkbookError
from jobs.manifest.workbook.extent import Extent
from jobs.manifest.workbook.facts import Facts
from jobs.manifest.workbook.floating import floating
from jobs.manifest.workbook.links import cover, outside
from jobs.manifest.workbook.number_formats import NumberFormat
from jobs.manifest.workbook.package import SheetPart, of_kind, relationships, workbook_part
from jobs.manifest.workbook.runs import Axes, Runs, Sizes
from jobs.manifest.workbook.styles import styles_of

_ROW, _BLANK, _ERROR, _LAST_CELL, _ERROR_OF_FORMULA = 0, 1, 3, 11, 11
_SHORT_CELLS = range(12, 19)
_FORMAT, _STYLE, _COLUMN, _SHEET, _TEXTS, _MERGED, _LINK = 44, 47, 60, 156, 159, 176, 494
_CELL_STYLES, _END_OF_CELL_STYLES = 617, 618
_EMU_PER_TWIP, _EMU_PER_CHARACTER = 635, 9_525 * 7
_ROW_EMU, _COLUMN_EMU = 15 * 12_700, 64 * 9_525
_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}
_HIDDEN_ROW = 0x10
#: Bytes of the shortest shared text.
_SHORTEST = 5


class BinaryWorkbook:
    """What is read from the parts of a binary workbook beside its values."""

    def __init__(self, archive: Archive) -> None:
        """Reads what belongs to all sheets.

        Raises:
            WorkbookError: a part is broken, or announces what it cannot hold.
        """
        self._archive = archive
        #: Pictures by an id of WPS's: there are none in this form.
        self.wps: dict[str, str] = {}
        part = workbook_part(archive)
        found = relationships(archive, part)
        self.sheets: list[SheetPart] = []
        for number, content in biff12(archive.chunks(part)):
            if number == _SHEET:
                id_, end = wide_text(content, 8)
                target = found.get(id_)
                self.sheets.append(
                    SheetPart(
                        name=wide_text(content, end)[0],
                        part=target.target if target and target.kind == "worksheet" else "",
                        hidden=content[:4] != bytes(4),
                    )
                )
        self._prove_texts(of_kind(found, "sharedStrings"))
        self._formats = self._number_formats(of_kind(found, "styles"))

    def facts(self, sheet: SheetPart) -> Facts:
        """Reads a sheet. Raises WorkbookError: it is broken, or written in a manner that no value survives."""
        facts = Facts(formats=self._formats)
        targets = relationships(self._archive, sheet.part)
        reader = _SheetReader(facts, lambda id_: outside(targets.get(id_)))
        for number, content in biff12(self._archive.chunks(sheet.part)):
            reader.take(number, content)
        reader.extent.refuse_absurd()
        for drawing in (one.target for one in targets.values() if one.kind == "drawing" and not one.external):
            for one in floating(self._archive, drawing, reader.rows(), reader.columns()):
                facts.add_picture(one.row, one.column, one.picture, altered=one.altered)
        return facts

    def _prove_texts(self, part: str | None) -> None:
        if part is None or part not in self._archive:
            return
        for number, content in biff12(self._archive.chunks(part)):
            if number == _TEXTS and max(struct.unpack_from("<II", content.ljust(8, b"\0"))) * _SHORTEST > max(
                1 << 20, self._archive.size(part)
            ):
                raise WorkbookError("announces more texts than it holds; open it in Excel and save it again")

    def _number_formats(self, part: str | None) -> dict[int, NumberFormat]:
        codes: dict[int, str] = {}
        styles: list[int] = []
        in_cells = False
        for number, content in biff12(self._archive.chunks(part)) if part in self._archive and part else ():
            if number == _FORMAT:
                codes[struct.unpack_from("<H", content.ljust(2, b"\0"))[0]] = wide_text(content, 2)[0]
            elif number in {_CELL_STYLES, _END_OF_CELL_STYLES}:
                in_cells = number == _CELL_STYLES
            elif number == _STYLE and in_cells:
                styles.append(struct.unpack_from("<H", content.ljust(4, b"\0"), 2)[0])
        return styles_of(codes, styles)


class _SheetReader:
    """Takes a sheet's records in their order."""

    def __init__(self, facts: Facts, link: Callable[[str], str | None]) -> None:
        self.extent = Extent()
        self._facts = facts
        self._link = link
        self._row = -1
        self._heights = Sizes()
        self._widths = Sizes()

    def rows(self) -> Axes:
        """Where the rows begin."""
        return self._heights.axes(_ROW_EMU)

    def columns(self) -> Axes:
        """Where the columns begin."""
        return self._widths.axes(_COLUMN_EMU)

    def take(self, number: int, content: bytes) -> None:
        """A record."""
        if _BLANK <= number <= _LAST_CELL:
            self._cell(number, content)
        elif number in _SHORT_CELLS:
            raise WorkbookError(
                "is an .xlsb in a short form that only Excel reads in full; save it as “Excel workbook (.xlsx)”"
            )
        elif number == _ROW:
            self._begin_row(content.ljust(12, b"\0"))
        elif number == _COLUMN:
            first, last, width, _, flags = struct.unpack_from("<IIIIH", content.ljust(18, b"\0"))
            width = width / 256 * _EMU_PER_CHARACTER
            self._widths.add(first, width, max(first, last), hidden=bool(flags & 1))
        elif number in {_MERGED, _LINK}:
            top, bottom, left, right = struct.unpack_from("<IIII", content.ljust(16, b"\0"))
            if number == _MERGED:
                self._facts.merged.append(((top, left), (bottom, right)))
            elif target := self._link(wide_text(content, 16)[0]):
                cover(self._facts, ((top, left), (bottom, right)), target)

    def _begin_row(self, content: bytes) -> None:
        self._row, _, height = struct.unpack_from("<IIH", content)
        hidden = bool(content[11] & _HIDDEN_ROW)
        if hidden:
            self._facts.hidden.add(self._row, value=True)
        if hidden or height:
            self._heights.add(self._row, height * _EMU_PER_TWIP, hidden=hidden)

    def _cell(self, number: int, content: bytes) -> None:
        column, style = struct.unpack_from("<II", content.ljust(8, b"\0"))
        if number != _BLANK:
            self.extent.add(self._row, column)
        if number in {_ERROR, _ERROR_OF_FORMULA} and len(content) > 8:  # noqa: PLR2004 the code stands behind
            self._facts.texts.setdefault(self._row, {})[column] = _ERRORS.get(content[8], "#ERROR!")
        if (style & 0xFFFFFF) in self._facts.formats:
            self._facts.styles.setdefault(column, Runs()).add(self._row, style & 0xFFFFFF)
