"""OpenDocument sheets (.ods): one reading of content.xml gives values, hidden rows, links and pictures.

What a person sees stands in the file here, also how numbers look; line breaks in cells, which libraries lose.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from jobs.manifest.workbook.archive import Archive
from jobs.manifest.workbook.cells import MAX_COLUMNS, MAX_ROWS
from jobs.manifest.workbook.elements import feed
from jobs.manifest.workbook.facts import Facts
from jobs.manifest.workbook.formulas import call_of
from jobs.manifest.workbook.links import link_of
from jobs.manifest.workbook.ods_values import OdsValues, number_text
from jobs.manifest.workbook.runs import Sizes

_EMU = {"cm": 360_000.0, "mm": 36_000.0, "in": 914_400.0, "pt": 12_700.0, "pc": 152_400.0, "px": 9_525.0}
_LENGTH = re.compile(r"(-?[0-9.]{1,12})(cm|mm|in|pt|pc|px)")
#: LibreOffice's own row and column.
_ROW_EMU, _COLUMN_EMU = 0.45 * _EMU["cm"], 2.26 * _EMU["cm"]
_HIDDEN = frozenset({"collapse", "filter"})
_NUMBERS = frozenset({"float", "currency", "percentage"})


@dataclass(slots=True, kw_only=True)
class _Frame:
    """A picture, and where it lies: in EMU from a cell's corner, or from the sheet's."""

    row: int
    column: int
    x: float
    y: float
    fastened: bool
    picture: str = ""


@dataclass(slots=True, kw_only=True)
class _Cell:
    """The cell that is being read."""

    kind: str
    value: str
    repeated: int
    rows: int
    columns: int
    #: Its paragraphs.
    lines: list[str] = field(default_factory=list)
    link: str = ""


@dataclass(slots=True, kw_only=True)
class OdsSheet:
    """A sheet as it is read."""

    name: str
    hidden: bool
    values: OdsValues = field(default_factory=OdsValues)
    facts: Facts = field(default_factory=Facts)
    frames: list[_Frame] = field(default_factory=list)
    widths: Sizes = field(default_factory=Sizes)
    heights: Sizes = field(default_factory=Sizes)
    columns: int = 0

    def place_frames(self) -> None:
        """Puts each picture into the cell under its middle; the sizes of rows and columns are known at the end."""
        all_rows = self.heights.axes(_ROW_EMU)
        all_columns = self.widths.axes(_COLUMN_EMU)
        for frame in self.frames:
            rows = all_rows.for_anchor(frame.row) if frame.fastened else all_rows.seen
            columns = all_columns.for_anchor(frame.column) if frame.fastened else all_columns.seen
            row = rows.under(rows.begin(frame.row) + frame.y)
            column = columns.under(columns.begin(frame.column) + frame.x)
            if frame.picture:
                self.facts.add_picture(min(row, MAX_ROWS - 1), min(column, MAX_COLUMNS - 1), frame.picture)


def ods_sheets(archive: Archive) -> list[OdsSheet]:
    """Reads all sheets.

    Raises:
        WorkbookError: it is broken, protected with a password, or few cells stand for more than any table has.
    """
    reader = _Reader()
    for _ in feed(archive.chunks("content.xml"), start=reader.start, end=reader.end, text=reader.text):
        pass
    for sheet in reader.sheets:
        sheet.place_frames()
    return reader.sheets


class _Reader:
    """Takes beginnings, ends and texts in their order."""

    def __init__(self) -> None:
        self.sheets: list[OdsSheet] = []
        #: Style → size of a row or a column, and tables that are not shown.
        self._sizes: dict[str, float] = {}
        self._unseen: set[str] = set()
        self._style = ""
        self._row = 0
        self._row_count = 1
        self._cells: list[str] = []
        self._written = 0
        self._cell: _Cell | None = None
        #: How deep within notes and shapes, whose text is not the cell's.
        self._aside = 0
        self._frame: _Frame | None = None
        self._on_start: dict[str, Callable[[dict[str, str]], None]] = {
            "style:style": self._begin_style,
            "style:table-row-properties": self._size("style:row-height"),
            "style:table-column-properties": self._size("style:column-width"),
            "style:table-properties": self._table_style,
            "table:table": self._begin_table,
            "table:table-column": self._column,
            "table:table-row": self._begin_row,
            "table:table-cell": self._begin_cell,
            "table:covered-table-cell": self._begin_cell,
            "text:p": lambda _: self._line(),
            "text:a": self._link,
            "text:line-break": lambda _: self._add("\n"),
            "text:tab": lambda _: self._add("\t"),
            "text:s": lambda attributes: self._add(" " * min(1000, _count(attributes, "text:c"))),
            "draw:frame": self._begin_frame,
            "draw:image": self._image,
        }

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if name in {"office:annotation", "draw:frame", "draw:custom-shape", "draw:g"}:
            self._aside += 1
        if (then := self._on_start.get(name)) and (self.sheets or name.startswith(("style:", "table:table"))):
            then(attributes)

    def end(self, name: str) -> None:
        """An element ends."""
        if name in {"table:table-cell", "table:covered-table-cell"} and self._cell:
            self._end_cell(self._cell)
            self._cell = None
        elif name == "table:table-row" and self.sheets:
            self._end_row()
        elif name in {"office:annotation", "draw:frame", "draw:custom-shape", "draw:g"}:
            self._aside -= 1

    def text(self, text: str) -> None:
        """Text between them."""
        if self._cell and not self._aside and self._cell.lines:
            self._cell.lines[-1] += text

    def _add(self, text: str) -> None:
        self.text(text)

    def _begin_style(self, attributes: dict[str, str]) -> None:
        self._style = attributes.get("style:name", "")

    def _size(self, key: str) -> Callable[[dict[str, str]], None]:
        def note(attributes: dict[str, str]) -> None:
            if key in attributes:
                self._sizes[self._style] = _emu(attributes[key])

        return note

    def _table_style(self, attributes: dict[str, str]) -> None:
        if attributes.get("table:display") == "false":
            self._unseen.add(self._style)

    def _begin_table(self, attributes: dict[str, str]) -> None:
        hidden = attributes.get("table:style-name", "") in self._unseen
        self.sheets.append(OdsSheet(name=attributes.get("table:name", ""), hidden=hidden))
        self._row = 0

    def _column(self, attributes: dict[str, str]) -> None:
        sheet, count = self.sheets[-1], _count(attributes, "table:number-columns-repeated")
        size = self._sizes.get(attributes.get("table:style-name", ""), _COLUMN_EMU)
        hidden = attributes.get("table:visibility") in _HIDDEN
        sheet.widths.add(sheet.columns, size, sheet.columns + count - 1, hidden=hidden)
        sheet.columns += count

    def _begin_row(self, attributes: dict[str, str]) -> None:
        self._row_count = _count(attributes, "table:number-rows-repeated")
        self._cells, self._written = [], 0
        sheet, last = self.sheets[-1], self._row + self._row_count - 1
        hidden = attributes.get("table:visibility") in _HIDDEN
        if hidden:
            sheet.facts.hidden.add(self._row, value=True, last=last)
        size = self._sizes.get(attributes.get("table:style-name", ""), _ROW_EMU)
        sheet.heights.add(self._row, size, last, hidden=hidden)

    def _end_row(self) -> None:
        while self._cells and not self._cells[-1]:
            self._cells.pop()
        if self._cells:
            self.sheets[-1].values.add(self._row, self._row + self._row_count - 1, self._cells, self._written)
        self._row += self._row_count

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        kind = attributes.get("office:value-type", "")
        value = attributes.get(
            {"date": "office:date-value", "boolean": "office:boolean-value"}.get(kind, "office:value")
        )
        self._cell = _Cell(
            kind=kind,
            value=value or attributes.get("office:string-value", ""),
            repeated=_count(attributes, "table:number-columns-repeated"),
            rows=_count(attributes, "table:number-rows-spanned"),
            columns=_count(attributes, "table:number-columns-spanned"),
        )
        call = call_of(attributes.get("table:formula", "").partition("=")[2])
        if call and call.function == "HYPERLINK":
            self._cell.link = call.target

    def _end_cell(self, cell: _Cell) -> None:
        sheet, row, column = self.sheets[-1], self._row, len(self._cells)
        text = _text(cell)
        self._written += 1
        self._cells.extend([text] * min(cell.repeated, MAX_COLUMNS))
        if cell.link:
            sheet.facts.links.setdefault(row, {})[column] = cell.link
        if cell.rows > 1 and sheet.values.merged_cell_ranges is not None:
            bottom, right = row + cell.rows - 1, column + cell.columns - 1
            sheet.values.merged_cell_ranges.append(((row, column), (bottom, right)))

    def _line(self) -> None:
        if self._cell and not self._aside:
            self._cell.lines.append("")

    def _link(self, attributes: dict[str, str]) -> None:
        """Paths are counted from within the file, as if it were a folder: one step up is where it lies."""
        target = attributes.get("xlink:href", "")
        if self._cell and not self._aside and not target.startswith("#"):
            self._cell.link = (link_of(target) or "").removeprefix("../")

    def _begin_frame(self, attributes: dict[str, str]) -> None:
        in_cell = self._cell is not None
        x, y = (
            _emu(attributes.get(f"svg:{place}", "")) + _emu(attributes.get(f"svg:{size}", "")) / 2
            for place, size in (("x", "width"), ("y", "height"))
        )
        row, column = (self._row, len(self._cells)) if in_cell else (0, 0)
        self._frame = _Frame(row=row, column=column, x=x, y=y, fastened=in_cell)
        self.sheets[-1].frames.append(self._frame)

    def _image(self, attributes: dict[str, str]) -> None:
        """A frame holds the picture first, then others for programs that do not know its kind."""
        target = attributes.get("xlink:href", "")
        if self._frame and not self._frame.picture:
            self._frame.picture = target.removeprefix("./")


def _text(cell: _Cell) -> str:
    shown = "\n".join(cell.lines)
    if cell.kind in _NUMBERS and cell.value:
        return number_text(cell.value, shown)
    if cell.kind == "date" and cell.value:
        return cell.value.replace("T", " ")
    if cell.kind == "boolean" and cell.value:
        return cell.value.upper()
    return shown or (cell.value if cell.kind == "string" else "")


def _count(attributes: dict[str, str], name: str) -> int:
    text = attributes.get(name, "1")
    return max(1, int(text)) if text.isdecimal() and len(text) < 9 else 1  # noqa: PLR2004 beyond any sheet


def _emu(length: str) -> float:
    match = _LENGTH.fullmatch(length)
    try:
        return float(match[1]) * _EMU[match[2]] if match else 0.0
    except ValueError:
        return 0.0
