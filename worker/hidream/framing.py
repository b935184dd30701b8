"""Where a reply ends on its connection: what comes behind it was asked for by nobody.

aiohttp's parser does not say: it drops what is no whole message, or fails the reply for it.
"""

from collections.abc import Generator

#: To be skipped when the end is not given, or not understood: such a reply ends with its connection.
_ENDLESS = 1 << 62
_LONGEST_LINE = 65_536


class ReplyFraming:
    """Follows one reply as it comes; keeps no more of it than a line."""

    def __init__(self) -> None:
        #: One whole reply has come, and not a byte more.
        self.clean = False
        self._line = bytearray()
        self._steps = _follow()
        #: Bytes to be skipped before the next line; None: the reply has ended.
        self._skip: int | None = next(self._steps)

    def take(self, data: bytes) -> bytes:
        """Takes what has come; returns what of it belongs to the reply."""
        at = 0
        while at < len(data) and self._skip is not None:
            if self._skip:
                skipped = min(self._skip, len(data) - at)
                at += skipped
                self._skip -= skipped
                if not self._skip:
                    self._go_on(b"")
                continue
            end = data.find(b"\n", at) + 1 or len(data)
            self._line += data[at:end]
            at = end
            if self._line.endswith(b"\n") or len(self._line) > _LONGEST_LINE:
                line, self._line = bytes(self._line).strip(), bytearray()
                self._go_on(line)
        self.clean = self._skip is None and at == len(data)
        return data[:at]

    def _go_on(self, line: bytes) -> None:
        try:
            self._skip = self._steps.send(line)
        except StopIteration:
            self._skip = None
        except ValueError:
            self._skip = _ENDLESS


def _follow() -> Generator[int, bytes, None]:
    """Yields the bytes to be skipped, 0 for the next line; ends where the reply does. Raises ValueError: it is none."""
    status = b""
    while status[9:10] in {b"", b"1"}:
        # What precedes the reply (100, 103) has a head only.
        status = yield 0
        length, chunked = _ENDLESS, False
        while line := (yield 0):
            name, _, value = line.lower().partition(b":")
            if name == b"content-length":
                length = _number(value.strip(), 10)
            elif name == b"transfer-encoding":
                chunked, length = value.strip() == b"chunked", _ENDLESS
    if status[9:12] in {b"204", b"304"}:
        return
    if not chunked:
        if length:
            yield length
        return
    while size := _number((yield 0).partition(b";")[0].strip(), 16):
        # With the line break behind it.
        yield size + 2
    trailer = b"-"
    while trailer:
        trailer = yield 0


def _number(text: bytes, base: int) -> int:
    """Digits only, while `int` takes signs too."""
    if not text.isalnum():
        raise ValueError(text)
    return int(text, base)
