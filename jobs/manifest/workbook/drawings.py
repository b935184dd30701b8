"""Pictures of old workbooks (.xls): those that the whole keeps, and over which cells of a sheet they lie."""

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from jobs.manifest.workbook.compound import CompoundFile
from jobs.manifest.workbook.errors import WorkbookError
from jobs.manifest.workbook.floating import Floating
from jobs.manifest.workbook.runs import Axis, Sizes

#: Parts of a drawing: a shape, its properties, where it lies, where it lies in a group; a kept picture's entry.
_SHAPE, _PROPERTIES, _ANCHOR, _IN_GROUP, _ENTRY = 0xF004, 0xF00B, 0xF010, 0xF00F, 0xF007
_PICTURES = range(0xF018, 0xF118)
_PARTS = range(0xF000, 0xF200)
#: The property that names a shape's picture, by its number from 1; of a property's own number the bits that are it.
_PICTURE_OF, _NUMBER = 0x104, 0x3FFF
#: Bytes of an entry before its name, and where the name's length stands.
_ENTRY_BYTES, _NAME_LENGTH = 36, 33
#: Parts of all drawings of one kind, and bytes of a sheet's: every shape has some.
_MOST_PARTS, _MOST_BYTES = 100_000, 1 << 22
_LAST_COLUMN, _MOST_SIZES = 255, 1 << 17
#: How far into a column and a row an anchor may point.
_ACROSS, _DOWN = 1024, 256

#: Reads so many bytes at a place.
_Read = Callable[[int, int], bytes]


class OldPictures:
    """The pictures that a workbook keeps, by their numbers from 1 as texts."""

    def __init__(self, compound: CompoundFile, stream: str) -> None:
        """Nothing is read yet. `stream`: the one that the records are in."""
        self._compound = compound
        self._stream = stream
        #: Where each piece of the whole begins in it, and where in the stream.
        self._begins: list[int] = []
        self._offsets: list[int] = []
        self._size = 0
        self._places: list[tuple[int, int]] | None = None

    def add(self, offset: int, size: int) -> None:
        """A piece of the whole, by where it lies in the stream."""
        self._begins.append(self._size)
        self._offsets.append(offset)
        self._size += size

    def __contains__(self, part: str) -> bool:
        return self.size(part) > 0

    def size(self, part: str) -> int:
        """Bytes of a picture; 0 for none."""
        return self._place(part)[1]

    def read(self, part: str, most: int) -> bytes:
        """A picture. Raises WorkbookError: it is larger than `most` bytes."""
        begin, size = self._place(part)
        if size > most:
            raise WorkbookError(f"the picture has {size:,} bytes; at most {most:,} are read")
        return self._read(begin, size)

    def _place(self, part: str) -> tuple[int, int]:
        if self._places is None:
            self._places = []
            with suppress(ValueError):  # those behind what cannot be read are missing
                self._places.extend(self._found())
        number = int(part)
        return self._places[number - 1] if 0 < number <= len(self._places) else (0, 0)

    def _found(self) -> Iterator[tuple[int, int]]:
        """Begin and size of each entry's picture; nothing for an entry without one."""
        waiting = False
        for kind, instance, begin, size in _parts(self._read, self._size):
            if kind == _ENTRY:
                if waiting:
                    yield 0, 0
                waiting = True
            elif kind in _PICTURES and waiting:
                # Digests stand before a picture: one, or two where the number is odd; and a byte.
                before = 16 * (1 + instance % 2) + 1
                yield begin + before, max(0, size - before)
                waiting = False
        if waiting:
            yield 0, 0

    def _read(self, at: int, size: int) -> bytes:
        found = bytearray()
        piece = bisect_right(self._begins, at) - 1
        end = min(at + size, self._size)
        while at < end:
            begin = self._begins[piece]
            piece += 1
            stop = min(end, self._begins[piece] if piece < len(self._begins) else self._size)
            found += self._compound.read(self._stream, self._offsets[piece - 1] + at - begin, stop - at)
            at = stop
        return bytes(found)


@dataclass(slots=True, kw_only=True)
class Drawing:
    """What lies over a sheet's cells, and how large these are: columns in 1/256 of a digit, rows in 1/20 of a point."""

    widths: Sizes = field(default_factory=Sizes)
    heights: Sizes = field(default_factory=Sizes)
    usual_width: float = 2340
    usual_height: float = 255
    _content: bytearray = field(default_factory=bytearray)
    _sizes: int = 0

    def set_width(self, first: int, last: int, width: float, *, hidden: bool) -> None:
        """Of columns. Raises WorkbookError: there are more sizes than a sheet has rows and columns."""
        self._set(self.widths, first, min(last, _LAST_COLUMN), width, hidden=hidden)

    def set_height(self, row: int, height: float, *, hidden: bool) -> None:
        """Of a row. Raises WorkbookError: as `set_width`."""
        self._set(self.heights, row, row, height, hidden=hidden)

    def _set(self, sizes: Sizes, first: int, last: int, size: float, *, hidden: bool) -> None:
        self._sizes += 1
        if self._sizes > _MOST_SIZES:
            raise WorkbookError(_BROKEN)
        if first <= last:
            sizes.add(first, size, last, hidden=hidden)

    def add(self, piece: bytes) -> None:
        """A piece of the drawing; what comes behind an absurd length is not kept."""
        if len(self._content) < _MOST_BYTES:
            self._content += piece

    def pictures(self) -> Iterator[Floating]:
        """The pictures, each with the cell under its middle; one in a group with the cell under the group's.

        Raises:
            ValueError: the drawing cannot be read on.
        """
        rows = self.heights.axes(self.usual_height)
        columns = self.widths.axes(self.usual_width)
        content = bytes(self._content)
        picture, cell = 0, (0, 0)
        for kind, instance, begin, size in _parts(lambda at, many: content[at : at + many], len(content)):
            if kind == _SHAPE:
                picture = 0
            elif kind == _PROPERTIES:
                pairs = struct.iter_unpack("<HI", content[begin : begin + min(instance, size // 6) * 6])
                picture = next((value for number, value in pairs if number & _NUMBER == _PICTURE_OF), 0)
            elif kind == _ANCHOR:
                left, right, top, bottom = _sides(content[begin : begin + size])
                down, across = rows.for_anchor(top[0], bottom[0]), columns.for_anchor(left[0])
                cell = _middle(down, top, bottom, _DOWN), _middle(across, left, right, _ACROSS)
            if kind in {_ANCHOR, _IN_GROUP} and picture:
                yield Floating(row=cell[0], column=cell[1], picture=str(picture))
        if len(content) >= _MOST_BYTES:
            raise ValueError(_TOO_MANY)


def _parts(read: _Read, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Kind, instance, begin and size of each part, those inside others too.

    Raises:
        ValueError: what follows is no part, or there are absurdly many.
    """
    at = count = 0
    while at + 8 <= end:
        head, kind, size = struct.unpack("<HHI", read(at, 8).ljust(8, b"\0"))
        begin, count = at + 8, count + 1
        if kind not in _PARTS:
            raise ValueError(kind)
        if count > _MOST_PARTS:
            raise ValueError(_TOO_MANY)
        yield kind, head >> 4, begin, min(size, end - begin)
        if head & 0xF == 0xF:  # noqa: PLR2004 others are inside of it
            at = begin
        elif kind == _ENTRY and size > _ENTRY_BYTES:
            at = begin + _ENTRY_BYTES + read(begin + _NAME_LENGTH, 1)[0]
        else:
            at = begin + size


_Side = tuple[int, int]


def _sides(anchor: bytes) -> tuple[_Side, _Side, _Side, _Side]:
    """Left, right, top and bottom: the column or row, and how far into it."""
    _, left, dx, top, dy, right, dx2, bottom, dy2 = struct.unpack("<9H", anchor[:18].ljust(18, b"\0"))
    return (left, dx), (right, dx2), (top, dy), (bottom, dy2)


def _middle(axis: Axis, first: _Side, last: _Side, whole: int) -> int:
    def position(side: _Side) -> float:
        begin = axis.begin(side[0])
        return begin + min(side[1], whole) / whole * (axis.begin(side[0] + 1) - begin)

    return axis.under((position(first) + position(last)) / 2)


_BROKEN = "the workbook is broken; open it in Excel or LibreOffice and save it again"
_TOO_MANY = "more shapes than any table of ours has"
