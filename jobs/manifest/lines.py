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

TOO_LONG = "the line is longer than 1 MB"
_NUL = "the line holds a NUL byte; save the file as text again"

#: Number, text, and what is wrong with it ("" when nothing).
Line = tuple[int, str, str]


class RecordTooLongError(Exception):
    """A record goes on for more lines or bytes than any real one."""


class Lines:
    """Feeds text lines to a parser.

    The parser's user clears `held` and `flaw` before each record, so that `held` is the record's own lines.
    """

    def __init__(self, stream: io.BufferedReader, encoding: str = "") -> None:
        """Takes the stream of UTF-8 from its first byte. `encoding`: what messages call the file's own; "" for UTF-8."""
        self.held: list[Line] = []
        #: What is wrong with one of the lines held.
        self.flaw = ""
        self._readline = stream.readline
        self._undecodable = f"the line is no {encoding or 'UTF-8'} text; save the file as “CSV UTF-8”"
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
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return self._number, raw.decode(errors="replace"), self._undecodable
        return self._number, text, _NUL if "\0" in text else ""

    def _skip_rest(self, raw: bytes) -> None:
        while raw and not raw.endswith(b"\n"):
            raw = self._readline(RECORD_BYTES)
