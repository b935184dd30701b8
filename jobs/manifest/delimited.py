"""Splits delimited text into records; a broken one is told by its line, and the next line begins anew."""

import csv
from collections.abc import Iterator

from jobs.manifest.content import Content
from jobs.manifest.lines import RECORD_LINES, Lines, RecordTooLongError

#: Line where the record begins, its cells as far as they can be told, what is wrong with it ("": nothing).
Record = tuple[int, list[str], str]

_OPEN_QUOTE = "a quotation mark is opened here and never closed"
#: Words of the csv module's messages → ours. It has no other way to tell its errors apart.
_CSV_FAULTS = {
    "unexpected end of data": _OPEN_QUOTE,
    "field larger than": f"a cell is longer than {csv.field_size_limit():,} characters",
    "expected after": "text follows a closing quotation mark; write a quotation mark inside a cell twice",
    "new-line character": "a carriage return stands in the middle of the line; put its cell in quotes",
}


def records(content: Content, encoding: str | None, delimiter: str) -> Iterator[Record]:
    """Streams the records, blank ones left out.

    Args:
        content: what to read, from its start.
        encoding: of the text; None lets the first line that is not ASCII tell.
        delimiter: one character.
    """
    lines = Lines(content.stream(), encoding)
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
            # The flaw of a later line is not this one's: that line is served again and tells it itself.
            yield held[0][0], [], held[0][2] or _fault(error)
            lines.give_back()
            # The feed ended with its exception, and the parser is in the middle of a cell: both anew.
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
