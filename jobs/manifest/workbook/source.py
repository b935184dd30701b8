"""A workbook as a source of records: the names first, then a record a row, numbered as the workbook numbers them."""

from collections.abc import Iterable, Iterator
from itertools import dropwhile, islice

from jobs.errors import ManifestError
from jobs.manifest.content import Content
from jobs.manifest.reading import Reading
from jobs.manifest.records import Record
from jobs.manifest.workbook.cells import letters, sheet_reference
from jobs.manifest.workbook.errors import WorkbookError
from jobs.manifest.workbook.header import Header, find_header
from jobs.manifest.workbook.sheet import Sheet
from jobs.manifest.workbook.sheets import sheets_of
from jobs.records import Dialect


class WorkbookSource:
    """The sheet of a workbook that lists the rows."""

    #: Who works with workbooks opens the tables of a batch in one too.
    dialect = Dialect(bom=True)

    def __init__(self, content: Content, reading: Reading) -> None:
        """Finds the sheet and its names.

        Args:
            content: the open workbook; its file stays open for as long as this is there.
            reading: how it is to be read.

        Raises:
            ManifestError: no workbook, or none of its sheets has a known name.
        """
        self._content = content
        self._reading = reading
        try:
            sheets = sheets_of(content.file, reading.pictures, reading.sheet)
            self._sheet, self._header, others = _found(sheets, reading)
        except WorkbookError as error:
            raise ManifestError(f"{content.name}: {error}") from error
        #: What messages about the names call it.
        self.name = f"{content.name}:{self._sheet.name}"
        self._is_picture = [reading.is_picture(name) for name in self._header.names]
        hidden = self._hidden()
        self._remarks: tuple[str, ...] = (self._of_hidden(hidden),) if hidden else ()
        if others:
            self._remarks += (_of_others(self._sheet.name, others),)
        if unread := self._sheet.facts.unread:
            self._remarks += (f"{self._sheet.name}: {unread}",)
        if altered := self._altered():
            what = "cut or turned in the sheet: sent whole, as it was inserted"
            self._remarks += (self._of_pictures(altered, what),)
        if beside := self._beside():
            what = "outside of the columns of persons and garments: left out"
            self._remarks += (self._of_pictures(beside, what),)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the merchandiser should know, a sentence each; of all pictures once the records are read."""
        over = self._sheet.passed_over
        what = "over cells that say something themselves: their text is read"
        return self._remarks + ((self._of_pictures(over, what),) if over else ())

    def records(self) -> Iterator[Record]:
        """Streams the records from the names on, blank ones left out; may be called again."""
        header = self._header
        yield header.row + 1, list(header.names), ""
        found = self._sheet.records(header, self._is_picture, visible_only=self._reading.visible_only)
        yield from dropwhile(lambda record: record[0] <= header.row_before, found)

    def where(self, line: int, column: str = "") -> str:
        """A row, or its cell under a name, as the spreadsheet program writes it: Sheet1!12, Sheet1!C12."""
        names = self._header.names
        place = letters(self._header.places[names.index(column)]) if column in names else ""
        return sheet_reference(self._sheet.name, f"{place}{line}")

    def _picture_columns(self) -> set[int]:
        columns = zip(self._header.places, self._is_picture, strict=True)
        return {column for column, is_picture in columns if is_picture}

    def _altered(self) -> list[str]:
        """The cells below the names whose picture is not sent as the sheet shows it."""
        picture_columns = self._picture_columns()
        return [
            f"{letters(column)}{row + 1}"
            for row, column in sorted(self._sheet.facts.altered)
            if row > self._header.row and column in picture_columns
        ]

    def _beside(self) -> list[str]:
        """The cells below the names that hold pictures where none is looked for."""
        picture_columns = self._picture_columns()
        return [
            f"{letters(column)}{row + 1}"
            for row, there in sorted(self._sheet.facts.pictures.items())
            if row > self._header.row
            for column in sorted(there)
            if column not in picture_columns
        ]

    def _of_pictures(self, cells: list[str], what: str) -> str:
        lies = "1 picture lies" if len(cells) == 1 else f"{len(cells):,} pictures lie"
        more = ", …" if len(cells) > _EXAMPLES else ""
        return f"{self._sheet.name}: {lies} {what} ({', '.join(cells[:_EXAMPLES])}{more})"

    def _hidden(self) -> int:
        stretches = self._sheet.facts.hidden.stretches()
        return sum(
            last - max(first, self._header.row + 1) + 1
            for first, last, _ in stretches
            if last > self._header.row
        )

    def _of_hidden(self, count: int) -> str:
        rows = "1 row is hidden" if count == 1 else f"{count:,} rows are hidden"
        if self._reading.visible_only:
            return f"{self._sheet.name}: {rows} and left out"
        return (
            f"{self._sheet.name}: {rows} in the sheet and read all the same; --visible-only leaves them out"
        )


def _found(sheets: Iterable[Sheet], reading: Reading) -> tuple[Sheet, Header, list[str]]:
    """The first sheet that has all columns, else the first that has any; where they are; other sheets with all of them."""
    first: tuple[Sheet, Header] | None = None
    whole: tuple[Sheet, Header] | None = None
    seen: list[str] = []
    others: list[str] = []
    for sheet in islice(sheets, _LOOKED_AT):
        seen.append(sheet.name)
        header = find_header(sheet.first_rows(), reading.is_known)
        if header is None:
            continue
        first = first or (sheet, header)
        if reading.is_whole(header.names):
            others += [sheet.name] if whole else []
            whole = whole or (sheet, header)
    found = whole or first
    if found is None:
        raise WorkbookError(
            f"no sheet names a known column ({', '.join(seen[:5])}); a row must hold names like sku, person,"
            " upper_clothes, dress"
        )
    return *found, others


def _of_others(taken: str, others: list[str]) -> str:
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    have = "has such columns too" if len(others) == 1 else "have such columns too"
    return f"the sheet {taken} is read; {', '.join(others[:_SHOWN])}{more} {have}: --sheet NAME takes another"


#: Sheets that are looked at, and other ones that are named.
_LOOKED_AT = 50
_SHOWN = 5
#: Cells that are named.
_EXAMPLES = 3
