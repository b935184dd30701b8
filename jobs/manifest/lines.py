"""Lines of bounded length, decoded and numbered; a record's own are held until it is known to be whole."""

import io
from collections import deque
from collections.abc import Iterator

#: Bytes of one line, and of one record of several lines.
RECORD_BYTES = 1_000_000
#: Lines of one record: a cell of more is a quotation mark that nobody closed.
RECORD_LINES = 1_000
#: A file that made so many lines be read again opens quotation marks on purpose: its records may have fewer.
_PATIENCE_LINES = 200_000
_IMPATIENT_LINES = 20

BOM = b"\xef\xbb\xbf"
_UTF8, GB18030 = "utf-8", "gb18030"

TOO_LONG = "the line is longer than 1 MB"
_NUL = "the line holds a NUL byte; save the file as text again"
_UNDECODABLE = "the line is neither UTF-8 nor GB18030 text; save the file as “CSV UTF-8”"

#: Number, text, and what is wrong with it ("" when nothing).
Line = tuple[int, str, str]


class RecordTooLongError(Exception):
    """A record goes on for more lines or bytes than any real one."""


class Lines:
    """Feeds text lines to a parser.

    The parser's user clears `held` and `flaw` before each record, so that `held` is the record's own lines.
    """

    def __init__(self, stream: io.BufferedReader, encoding: str | None) -> None:
        """Takes the stream from its first byte; without an encoding the first line not ASCII settles it."""
        self.held: list[Line] = []
        #: What is wrong with one of the lines held.
        self.flaw = ""
        self._readline = stream.readline
        self._encoding = encoding
        self._again: deque[Line] = deque()
        self._number = 0
        self._size = 0
        self._read_again = 0

    def feed(self) -> Iterator[str]:
        """Lines with their ends, until the stream's end.

        Raises:
            RecordTooLongError: the lines held are too many; `give_back` serves them again.
        """
        held, again, read = self.held, self._again, self._read
        while line := again.popleft() if again else read():
            held.append(line)
            if line[2]:
                self.flaw = line[2]
            if len(held) > 1:
                self._weigh(line)
            yield line[1]

    def give_back(self) -> None:
        """Serves all lines held but the first once more: after a broken record the next line begins anew."""
        self._again.extendleft(reversed(self.held[1:]))
        self._read_again += len(self.held) - 1

    def _weigh(self, last: Line) -> None:
        if len(self.held) == 2:  # noqa: PLR2004 the record turns out to have more than one line
            self._size = len(self.held[0][1])
        self._size += len(last[1])
        most = RECORD_LINES if self._read_again < _PATIENCE_LINES else _IMPATIENT_LINES
        if len(self.held) > most or self._size > RECORD_BYTES or last[2] is TOO_LONG:
            raise RecordTooLongError

    def _read(self) -> Line | None:
        raw = self._readline(RECORD_BYTES + 1)
        if not raw:
            return None
        self._number += 1
        if len(raw) > RECORD_BYTES:
            self._skip_rest(raw)
            return self._number, "\n", TOO_LONG
        if self._number == 1:
            raw = raw.removeprefix(BOM)
        if self._encoding is None and not raw.isascii():
            self._encoding = encoding_of(raw)
        encoding = self._encoding or _UTF8
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            return self._number, raw.decode(encoding, errors="replace"), _UNDECODABLE
        return self._number, text, _NUL if "\0" in text else ""

    def _skip_rest(self, raw: bytes) -> None:
        while raw and not raw.endswith(b"\n"):
            raw = self._readline(RECORD_BYTES)


def encoding_of(head: bytes) -> str | None:
    """The encoding that fits most of the lines; None when all are ASCII and a later one must show it."""
    lines = head.removeprefix(BOM).split(b"\n")
    if len(lines) > 1:
        lines.pop()  # may be cut in the middle of a character
    foreign = [line for line in lines if not line.isascii()]
    if not foreign:
        return None
    utf8, gb18030 = (sum(_decodes(line, name) for line in foreign) for name in (_UTF8, GB18030))
    return _UTF8 if utf8 == len(foreign) or utf8 >= gb18030 else GB18030


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
