"""Writes pairs as a manifest: whole or not at all, in columns that are known only when the last product has been read."""

import csv
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from jobs.cells import safe_cell
from jobs.manifest.aliases import OURS, column_of, misspelt
from jobs.products.pairing import Pair
from jobs.products.records import GARMENT_SLOTS
from jobs.whole_files import on_disk

#: What every manifest that is made of products begins with.
COLUMNS = ("sku", "person", *(slot.value for slot in GARMENT_SLOTS), "source_line")
#: Characters of a row that a manifest's reader surely takes, and of each own cell when a row would be longer.
_ROW_CHARS = 130_000
_ROW_LINES = 900
_CELL_CHARS = 1_000
#: Own columns of one manifest, and characters of a name.
_MOST_COLUMNS = 1_000
_NAME_CHARS = 100
#: The end of a row while its width is not known: no text has this character, and if it had, it would lose it.
_END = "\x1e"
_COPIED_BYTES = 1 << 20


class Body:
    """Rows on their way: each as wide as the columns known so far."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._writer = csv.writer(self)
        self._line = ""
        #: The product's own column → its name in the manifest.
        self._own: dict[str, str] = {}
        #: Columns that have been met, those that were too many among them.
        self._known: set[str] = set()
        #: Where in the file rows of another width begin, and that width.
        self._widths: list[tuple[int, int]] = [(0, 0)]
        #: Rows whose own cells were cut.
        self.cut = 0
        #: Own columns that were too many.
        self.dropped = False
        self.ascii = True

    def write(self, text: str) -> int:
        """Takes a line of the csv module, without its end."""
        self._line = text[:-2]
        return len(text)

    def add(self, pair: Pair) -> None:
        """Writes a row."""
        product, slot = pair.garment.product, pair.garment.slot
        own = product.fields
        if not own.keys() <= self._known:
            self._widen(own)
        pictures = [pair.garment.picture if slot is each else "" for each in GARMENT_SLOTS]
        head = [safe_cell(product.sku), pair.person, *pictures, safe_cell(pair.source_line)]
        self._writer.writerow([*head, *[_cell(own.get(name, "")) for name in self._own]])
        if len(self._line) > _ROW_CHARS or self._line.count("\n") > _ROW_LINES:
            self.cut += 1
            short = (" ".join(own.get(name, "")[:_CELL_CHARS].split()) for name in self._own)
            self._writer.writerow(
                [*head, *[safe_cell(text[: _ROW_CHARS // len(self._own)]) for text in short]]
            )
        line = self._line.replace(_END, " ") if _END in self._line else self._line
        self.ascii = self.ascii and line.isascii()
        self._file.write(f"{line}{_END}\n".encode("utf-8", "backslashreplace"))

    def finish(self, out: IO[bytes]) -> None:
        """Copies the rows behind their header, all in the same width."""
        names = [_header_cell(name) for name in self._own.values()]
        self._writer.writerow([*COLUMNS, *names])
        header = self._line.encode("utf-8", "backslashreplace")
        # A spreadsheet takes text for its own system's, but for a mark before it.
        out.write(b"" if self.ascii and header.isascii() else b"\xef\xbb\xbf")
        out.write(header + b"\r\n")
        ends = [*[start for start, _ in self._widths[1:]], self._file.tell()]
        for (start, width), end in zip(self._widths, ends, strict=True):
            self._file.seek(start)
            self._copy(out, end - start, "," * (len(self._own) - width))

    def _copy(self, out: IO[bytes], count: int, padding: str) -> None:
        mark, end = f"{_END}\n".encode(), f"{padding}\r\n".encode()
        while count > 0:
            chunk = self._file.read(min(count, _COPIED_BYTES))
            if chunk.endswith(_END.encode()):
                chunk += self._file.read(1)
            count -= len(chunk)
            out.write(chunk.replace(mark, end))

    def _widen(self, fields: Mapping[str, str]) -> None:
        taken = {*COLUMNS, *self._own.values()}
        for name in fields:
            if name in self._known:
                continue
            self._known.add(name)
            if len(self._own) >= _MOST_COLUMNS:
                self.dropped = True
                continue
            self._own[name] = _own_name(name, taken)
            taken.add(self._own[name])
        self._widths.append((self._file.tell(), len(self._own)))


def write_manifest(path: Path, pairs: Iterable[Pair]) -> Body:
    """Writes the manifest; it takes its name only when it is whole and on disk.

    Raises:
        whatever `pairs` raises; then the path is as it was.
    """
    with tempfile.TemporaryFile() as spool, on_disk(path) as file:
        body = Body(spool)
        for pair in pairs:
            body.add(pair)
        body.finish(file)
    return body


def _cell(text: str) -> str:
    """A cell as `safe_cell` has it; most begin with a letter or a digit, and need no look."""
    return text if text[:1].isalnum() else safe_cell(text)


def _own_name(name: str, taken: set[str]) -> str:
    """A product's column as the manifest calls it: none that means something there, and none twice."""
    short = name[:_NAME_CHARS]
    meaning = column_of(short) or misspelt(short)
    if (meaning and meaning != "sku") or short in COLUMNS or short.startswith(OURS):
        short = f"product {short}"
    made, count = short, 1
    while made in taken:
        count += 1
        made = f"{short} ({count})"
    return made


def _header_cell(name: str) -> str:
    return safe_cell(name).replace("\n", " ").replace("\r", " ").replace(_END, " ")
