"""A JSON array of objects as a source of entries, read object by object."""

import codecs
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from jobs.errors import ManifestError
from jobs.manifest.content import Content
from jobs.manifest.jsonl import entry_of, whole
from jobs.manifest.mappings import Entry, Names

#: How such a text begins; a YAML list in brackets begins otherwise.
_BEGIN = re.compile(rb'(?:\xef\xbb\xbf)?\s*\[\s*(?:\{\s*["}]|\]|$)')
_BLANK = re.compile(r"[\s,]*")
_CHUNK_BYTES = 1 << 16
#: Characters of one object.
_OBJECT_CHARS = 1_000_000


def is_json_array(head: bytes) -> bool:
    """Whether a text begins as an array of objects does."""
    return _BEGIN.match(head) is not None


class JsonArray:
    """An array of objects; nothing is defined beside them. It is read to its end before its first row is used."""

    def __init__(self, content: Content) -> None:
        """Reads it through.

        Raises:
            ManifestError: it is no JSON to its end, with the line, or empty.
        """
        self._content = content
        self.names = Names()
        if next(self.entries(), None) is None:
            raise ManifestError(f"{content.name}: is empty")
        for _ in self.entries():
            pass

    def entries(self) -> Iterator[tuple[int, Entry | str]]:
        """Streams the objects with the lines they begin at, or why an element is none."""
        text = _Text(self._content.stream(), self._content.name)
        text.skip("[")
        while not text.at_end():
            line = text.line
            found, source = text.value()
            if isinstance(found, Entry):
                yield line, whole(found, source)
            else:
                yield line, "every element must be one object: {…}"


class _Text:
    """The characters that are not read yet, as far as they are needed."""

    def __init__(self, stream: io.BufferedReader, name: str) -> None:
        #: Where the next one stands.
        self.line = 1
        self._stream = stream
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._held = ""
        self._place = 0
        self._ended = False
        self._json = json.JSONDecoder(
            parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=entry_of
        )

    def skip(self, sign: str) -> None:
        """Passes over a sign and the blanks before it."""
        self._blanks()
        if self._held[self._place : self._place + 1] != sign:
            raise self._error(f"a “{sign}” is missing")
        self._place += 1

    def at_end(self) -> bool:
        """Whether the array ends here; what stands behind its end is an error."""
        self._blanks()
        if self._held[self._place : self._place + 1] != "]":
            return False
        self._place += 1
        self._blanks()
        if self._place < len(self._held):
            raise self._error("something stands behind the end of the array")
        return True

    def value(self) -> tuple[Any, str]:
        """The next element, and how it is written."""
        while True:
            try:
                found, end = self._json.raw_decode(self._held, self._place)
            except RecursionError:
                raise self._error("an element is nested too deeply") from None
            except json.JSONDecodeError as error:
                if len(self._held) - self._place > _OBJECT_CHARS:
                    raise self._error("an element is longer than 1 MB, or no JSON") from None
                if not self._more():
                    self.line += self._held.count("\n", self._place, error.pos)
                    raise self._error(f"is not JSON: {error.msg}") from None
                continue
            if end < len(self._held) or not self._more():
                source = self._held[self._place : end]
                self.line += source.count("\n")
                self._place = end
                return found, source

    def _blanks(self) -> None:
        while True:
            found = _BLANK.match(self._held, self._place)
            end = found.end() if found else self._place
            self.line += self._held.count("\n", self._place, end)
            self._place = end
            if end < len(self._held) or not self._more():
                return

    def _more(self) -> bool:
        """Takes more in, and lets go what is read; False at the end of the stream."""
        if self._ended:
            return False
        raw = self._stream.read(_CHUNK_BYTES)
        self._ended = not raw
        try:
            self._held = self._held[self._place :] + self._decoder.decode(raw, self._ended)
        except UnicodeDecodeError:
            raise self._error("holds bytes that are no text") from None
        self._place = 0
        return True

    def _error(self, why: str) -> ManifestError:
        return ManifestError(f"{self._name}:{self.line}: {why}")
