"""CSV and TSV as a source of records; a broken one is reported by its line, and the next line begins anew."""

import csv
from collections.abc import Iterator
from itertools import islice

from jobs.errors import ManifestError
from jobs.manifest.aliases import column_of
from jobs.manifest.content import Content
from jobs.manifest.lines import RECORD_LINES, Lines, RecordTooLongError
from jobs.manifest.names import LOOKED_AT
from jobs.manifest.quotes import swallows_rows
from jobs.manifest.records import Record
from jobs.records import Dialect

_DELIMITERS = (",", ";", "\t", "|")
_OPEN_QUOTE = "a quotation mark is opened here and never closed"
#: Words of the csv module's messages → ours. Nothing else keeps its errors apart.
_CSV_FAULTS = {
    "unexpected end of data": _OPEN_QUOTE,
    "field larger than": f"a cell is longer than {csv.field_size_limit():,} characters",
    "expected after": "text follows a closing quotation mark; write a quotation mark inside a cell twice",
    "new-line character": "a carriage return stands in the middle of the line; put its cell in quotes",
}


class Delimited:
    """Text of cells between commas, semicolons, tabs or bars."""

    def __init__(self, content: Content, delimiter: str = "") -> None:
        """Finds, without a delimiter, the one that fits the column names best.

        Raises:
            ManifestError: the lines have no ends that are read.
        """
        head = content.head()
        if b"\r" in head and b"\n" not in head:
            raise ManifestError(
                f"{content.name}: has the line ends of an old Macintosh; save it as “CSV UTF-8”"
            )
        #: What messages call it.
        self.name = content.name
        self._content = content
        first_line = head.split(b"\n", 1)[0]
        self._delimiter = delimiter or max(_DELIMITERS, key=lambda one: self._fitness(one, first_line))
        self.dialect = Dialect(delimiter=self._delimiter, bom=content.foreign)

    def records(self) -> Iterator[Record]:
        """Streams the records from the column names on, blank ones left out."""
        return self._records(self._delimiter)

    def _records(self, delimiter: str) -> Iterator[Record]:
        """The records split by this delimiter; Excel's own first line `sep=;` is left out."""
        found = _split(Lines(self._content.stream(), self._content.encoding), delimiter)
        for first in found:
            if first[2] or not first[1][0].lower().startswith("sep="):
                yield first
            break
        yield from found

    def _fitness(self, delimiter: str, first_line: bytes) -> tuple[int, int]:
        """How well the best of the first lines reads with this delimiter: known names first, then how many cells it has."""
        look = islice(self._records(delimiter), LOOKED_AT)
        fits = [
            (sum(column_of(name) is not None for name in names), len(names))
            for _, names, flaw in look
            if not flaw
        ]
        # Where all quotation marks are wrong only the look of the line is left.
        return max(fits, default=(0, first_line.count(delimiter.encode())))


def _split(lines: Lines, delimiter: str) -> Iterator[Record]:
    held = lines.held
    reader = csv.reader(lines.feed(), delimiter=delimiter, strict=True)
    while True:
        held.clear()
        lines.flaw = ""
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, RecordTooLongError) as error:
            fault = _fault(error)
        else:
            lost = len(held) > 1 and swallows_rows([text for _, text, _ in held], cells, delimiter)
            fault = _OPEN_QUOTE if lost else ""
        if fault:
            # The flaw of a later line is not this one's: that line is served again and has it itself.
            yield held[0][0], [], held[0][2] or fault
            lines.give_back()
            # The feed may have ended with its exception, and the parser be in the middle of a cell: both anew.
            reader = csv.reader(lines.feed(), delimiter=delimiter, strict=True)
            continue
        if lines.flaw:
            yield held[0][0], [cell.replace("\0", "\ufffd") for cell in cells], lines.flaw
        elif any(cells) and (len(cells) > 1 or not cells[0].isspace()):
            yield held[0][0], cells, ""


def _fault(error: Exception) -> str:
    if isinstance(error, RecordTooLongError):
        return f"{_OPEN_QUOTE} (not within {RECORD_LINES:,} lines or 1 MB)"
    text = str(error)
    return next(
        (ours for theirs, ours in _CSV_FAULTS.items() if theirs in text), f"the line cannot be read: {text}"
    )
