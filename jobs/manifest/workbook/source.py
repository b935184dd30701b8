"""A workbook as a source of records: the names first, then a record a row, numbered as the workbook numbers them."""

from collections.abc import Callable, Iterable, Iterator

from jobs.errors import ManifestError
from jobs.manifest.content import Content
from jobs.manifest.reading import Reading
from jobs.manifest.table import Record
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
            self._sheet, self._header = _found(sheets, reading.is_known)
        except WorkbookError as error:
            raise ManifestError(f"{content.name}: {error}") from error
        #: What messages about the names call it.
        self.name = f"{content.name}:{self._sheet.name}"
        hidden = self._hidden()
        #: What the merchandiser should know, a sentence each.
        self.remarks: tuple[str, ...] = (self._of_hidden(hidden),) if hidden else ()

    def records(self) -> Iterator[Record]:
        """Streams the records from the names on, blank ones left out; may be called again."""
        header = self._header
        yield header.row + 1, list(header.names), ""
        pictures = [self._reading.is_picture(name) for name in header.names]
        yield from self._sheet.records(header, pictures, visible_only=self._reading.visible_only)

    def where(self, line: int, column: str = "") -> str:
        """A row, or its cell under a name, as the spreadsheet program writes it: Sheet1!12, Sheet1!C12."""
        names = self._header.names
        place = letters(self._header.places[names.index(column)]) if column in names else ""
        return sheet_reference(self._sheet.name, f"{place}{line}")

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


def _found(sheets: Iterable[Sheet], is_known: Callable[[str], object]) -> tuple[Sheet, Header]:
    """The first sheet that has names, and where they are."""
    seen = []
    for sheet in sheets:
        if header := find_header(sheet.first_rows(), is_known):
            return sheet, header
        seen.append(sheet.name)
    raise WorkbookError(
        f"no sheet names a known column ({', '.join(seen[:5])}); a row must hold names like sku, person, upper_clothes,"
        " dress"
    )
