"""What stands in an Office sheet's XML beside the values: hidden rows, styles, errors, formulas, links, sizes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from jobs.manifest.workbook.cells import area_of, place_of
from jobs.manifest.workbook.elements import feed, local
from jobs.manifest.workbook.errors import WorkbookError
from jobs.manifest.workbook.extent import Extent
from jobs.manifest.workbook.facts import Facts
from jobs.manifest.workbook.formulas import call_of
from jobs.manifest.workbook.links import cover
from jobs.manifest.workbook.runs import Axes, Runs, Sizes

_EMU_PER_POINT = 12_700
_EMU_PER_PIXEL = 9_525
#: Excel's own row and column when a sheet says nothing: 15 points, 64 pixels.
_ROW_EMU, _COLUMN_EMU = 15 * _EMU_PER_POINT, 64 * _EMU_PER_PIXEL


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSources:
    """What a cell's mark or formula leads to."""

    #: Number of a cell's rich value → part or address, None when it is no picture.
    rich: Callable[[int], str | None] = lambda _: None
    #: Id of WPS → part.
    wps: Callable[[str], str | None] = lambda _: None
    #: Id of a relationship → where it leads outside of the workbook.
    link: Callable[[str], str | None] = lambda _: None


@dataclass(slots=True, kw_only=True)
class _Cell:
    """The cell that is being read."""

    row: int = 0
    column: int = 0
    style: int = 0
    kind: str = ""
    rich: int = 0
    #: Its value and its formula; None as long as there is none.
    value: list[str] | None = None
    formula: list[str] | None = None


@dataclass(slots=True, kw_only=True)
class SheetXml:
    """Reads a sheet's XML into facts."""

    facts: Facts
    sources: PictureSources = field(default_factory=PictureSources)
    extent: Extent = field(default_factory=Extent)
    _row: int = -1
    _cell_before: int = -1
    _cell: _Cell | None = None
    _into: list[str] | None = None
    _usual: dict[str, float] = field(default_factory=dict)
    _heights: Sizes = field(default_factory=Sizes)
    _widths: Sizes = field(default_factory=Sizes)
    _names: dict[str, str] = field(default_factory=dict)

    def read(self, chunks: Iterable[bytes]) -> None:
        """Reads the sheet to its end.

        Raises:
            WorkbookError: no XML, or cells so far from each other that no memory would do.
        """
        for _ in feed(chunks, start=self._start, end=self._end, text=self._text):
            self.extent.refuse_absurd()

    def rows(self) -> Axes:
        """Where the rows begin."""
        usual = self._usual.get("defaultRowHeight")
        return self._heights.axes(usual * _EMU_PER_POINT if usual else _ROW_EMU)

    def columns(self) -> Axes:
        """Where the columns begin."""
        usual = self._usual.get("defaultColWidth")
        return self._widths.axes(_width(usual) if usual else _COLUMN_EMU)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match self._names.get(name) or self._names.setdefault(name, local(name)):
            case "c":
                self._cell = self._cell_of(attributes)
            case "v" | "t" if self._cell:
                self._cell.value = self._into = self._cell.value or []
            case "f" if self._cell:
                self._cell.formula = self._into = []
            case "row":
                self._begin_row(attributes)
            case "rPh":  # how a Japanese text is spoken: not what it says
                self._into = None
            case "col":
                self._begin_columns(attributes)
            case "sheetFormatPr":
                self._usual = {key: _decimal(value) for key, value in attributes.items()}
            case "hyperlink":
                self._link(attributes)
            case _:
                pass

    def _text(self, text: str) -> None:
        if self._into is not None:
            self._into.append(text)

    def _end(self, name: str) -> None:
        plain = self._names[name]
        if plain == "c" and self._cell:
            self._conclude(self._cell)
            self._cell = None
        elif plain in {"v", "t", "f"}:
            self._into = None

    def _cell_of(self, attributes: dict[str, str]) -> _Cell:
        address = attributes.get("r")
        last = self._cell_before
        if address is None:
            row, column = self._row, last + 1
        elif (place := place_of(address)) is None:
            raise WorkbookError(f"has a cell {address[:20]}, which no spreadsheet has")
        else:
            row, column = place
        self._cell_before = column
        return _Cell(
            row=row,
            column=column,
            style=_whole(attributes.get("s")),
            kind=attributes.get("t", ""),
            rich=_whole(attributes.get("vm")),
        )

    def _begin_row(self, attributes: dict[str, str]) -> None:
        self._row = _whole(attributes["r"]) - 1 if "r" in attributes else self._row + 1
        self._cell_before = -1
        hidden = _true(attributes.get("hidden"))
        if hidden:
            self.facts.hidden.add(self._row, value=True)
        if hidden or "ht" in attributes:
            self._heights.add(self._row, _decimal(attributes.get("ht", "")) * _EMU_PER_POINT, hidden=hidden)

    def _begin_columns(self, attributes: dict[str, str]) -> None:
        first, last = _whole(attributes.get("min")) - 1, _whole(attributes.get("max")) - 1
        if 0 <= first <= last:
            width = _width(_decimal(attributes.get("width", "")))
            self._widths.add(first, width, last, hidden=_true(attributes.get("hidden")))

    def _conclude(self, cell: _Cell) -> None:
        value = "".join(cell.value or ())
        if value:
            self.extent.add(cell.row, cell.column)
        if cell.style in self.facts.formats:
            self.facts.styles.setdefault(cell.column, Runs()).add(cell.row, cell.style)
        if cell.rich and (picture := self.sources.rich(cell.rich)):
            self.facts.add_picture(cell.row, cell.column, picture)
            return
        if cell.kind == "e":
            self._say(cell, value)
        if cell.formula is not None:
            self._follow(cell, "".join(cell.formula), value)

    def _follow(self, cell: _Cell, formula: str, value: str) -> None:
        """What a formula says though nobody has computed it, or its value is an error of another program."""
        call = call_of(formula)
        if call and call.function == "DISPIMG":
            if picture := self.sources.wps(call.target):
                self.facts.add_picture(cell.row, cell.column, picture)
            else:
                self._say(cell, f"={formula}")
        elif call and call.function == "IMAGE":
            self._say(cell, call.target)
        elif call:
            self.facts.links.setdefault(cell.row, {})[cell.column] = call.target
            if not value:
                self._say(cell, call.label or call.target)
        elif not value and cell.kind != "str" and formula:
            self._say(cell, f"={formula}")

    def _say(self, cell: _Cell, text: str) -> None:
        self.facts.texts.setdefault(cell.row, {})[cell.column] = text

    def _link(self, attributes: dict[str, str]) -> None:
        by_name = {local(key): value for key, value in attributes.items()}
        target = self.sources.link(by_name.get("id", ""))
        area = area_of(by_name.get("ref", ""))
        if target and area:
            cover(self.facts, area, target)


def _width(characters: float) -> float:
    """A column's width in EMU, in the font that nearly every workbook has (7 pixels a digit, 5 of margin)."""
    return (int(characters * 7 + 5) if characters else 0) * _EMU_PER_PIXEL


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0  # noqa: PLR2004 beyond any row


def _decimal(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if 0 <= number < 1e6 else 0.0  # noqa: PLR2004 no row is that high, and no NaN passes


def _true(text: str | None) -> bool:
    return text in {"1", "true"}
