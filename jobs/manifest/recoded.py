"""Text of another encoding as a stream of UTF-8, so that every reader of text knows one encoding only."""

import codecs
import io
from typing import Any

from jobs.errors import ManifestError

_CHUNK_BYTES = 1 << 16
_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
#: Of the first bytes of UTF-16 without a mark nearly half are NUL, at every second place.
_LOOK_BYTES = 4096
_NUL_SHARE = 0.1


class Recoded(io.RawIOBase):
    """Reads a stream and gives it as UTF-8."""

    def __init__(self, stream: io.BufferedReader, encoding: str, name: str, *, guessed: bool = False) -> None:
        """Takes the stream from its first byte.

        Args:
            stream: the text.
            encoding: its encoding.
            name: what messages call it.
            guessed: bytes that the encoding does not have are passed on, as no UTF-8; else they are a ManifestError.
        """
        self._stream = stream
        self._errors = "surrogateescape" if guessed else "strict"
        self._decoder = codecs.getincrementaldecoder(encoding)(self._errors)
        self._encoding = encoding
        self._name = name
        self._held = b""
        self._ended = False

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer as far as the stream goes."""
        while not self._held and not self._ended:
            raw = self._stream.read(_CHUNK_BYTES)
            self._ended = not raw
            try:
                self._held = self._decoder.decode(raw, self._ended).encode("utf-8", self._errors)
            except UnicodeError as error:
                raise ManifestError(f"{self._name}: is no {self._encoding} text: {error}") from error
        count = min(len(buffer), len(self._held))
        buffer[:count], self._held = self._held[:count], self._held[count:]
        return count


def utf16_of(head: bytes) -> str | None:
    """Which UTF-16 a text begins in, with or without a mark; None for another encoding, or no text."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark) and not head.startswith(codecs.BOM_UTF32_LE):
            return encoding
    look = head[:_LOOK_BYTES]
    even, odd = look[::2].count(0), look[1::2].count(0)
    if even + odd <= _NUL_SHARE * len(look) or max(even, odd) <= 8 * min(even, odd):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def known_encoding(name: str) -> str | None:
    """The encoding of a name as Python knows it; None for one that it does not know or that is no text."""
    try:
        return codecs.lookup(name).name if codecs.lookup(name)._is_text_encoding else None  # noqa: SLF001 no other way
    except (LookupError, ValueError):
        return None
