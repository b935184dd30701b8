"""Compound files, the small file systems that old Office files are: one stream of them, piece by piece."""

import os
import struct
from array import array
from collections.abc import Iterator
from itertools import islice
from typing import IO

from jobs.manifest.workbook.errors import WorkbookError

_HEADER_BYTES, _ENTRY_BYTES = 512, 128
#: Sectors of the table of sectors that the header itself lists.
_LISTED = 109
_LAST = 0xFFFFFFFA
_SECTOR_SHIFTS = (9, 12)
_BROKEN = "the workbook is broken or cut off; open it in Excel or LibreOffice and save it again"


class CompoundFile:
    """An open compound file."""

    def __init__(self, file: IO[bytes]) -> None:
        """Reads its tables. Raises WorkbookError: they contradict each other."""
        self._fd = file.fileno()
        header = self._at(0, _HEADER_BYTES)
        shift, mini_shift = struct.unpack_from("<HH", header, 30)
        if shift not in _SECTOR_SHIFTS or mini_shift != 6:  # noqa: PLR2004 there is no other
            raise WorkbookError(_BROKEN)
        self._bytes: int = 1 << shift
        self._most = os.fstat(self._fd).st_size // self._bytes + 1
        directory, self._cutoff, mini_fat, _, listing = struct.unpack_from("<I4xIIII", header, 48)
        self._next = self._table(self._fat_sectors(header, listing))
        self._mini_next = self._table(self._chain(mini_fat))
        entries = b"".join(self._sector(place) for place in self._chain(directory))
        found = [_entry(entries[at : at + _ENTRY_BYTES]) for at in range(0, len(entries), _ENTRY_BYTES)]
        if not found:
            raise WorkbookError(_BROKEN)
        #: Small streams lie together in the one of the first entry, whatever its name is.
        self._small = found[0][1][0]
        #: Name → first sector, size.
        self._streams = dict(found)
        #: Name → its sectors, of those that somebody has read in.
        self._sectors: dict[str, array[int]] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._streams

    def chunks(self, name: str) -> Iterator[bytes]:
        """Streams a stream."""
        first, size = self._streams[name]
        small = size < self._cutoff
        for piece in self._mini_sectors(first) if small else map(self._sector, self._chain(first)):
            yield piece[:size]
            size -= len(piece)
            if size <= 0:
                return
        raise WorkbookError(_BROKEN)

    def place(self, name: str, offset: int) -> int:
        """Where in the file a byte of a stream stands; 0 for one of a small stream."""
        first, size = self._streams[name]
        if size < self._cutoff:
            return 0
        sector = next(islice(self._chain(first), offset // self._bytes, None), 0)
        return (sector + 1) * self._bytes + offset % self._bytes

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Some bytes of a stream; fewer at its end."""
        first, whole = self._streams[name]
        if whole < self._cutoff:
            return b"".join(self.chunks(name))[offset : offset + size]
        if name not in self._sectors:
            self._sectors[name] = array("L", self._chain(first))
        begin, end = offset // self._bytes, -(-(offset + size) // self._bytes)
        found = b"".join(map(self._sector, self._sectors[name][begin:end]))
        return found[offset - begin * self._bytes :][:size]

    def _mini_sectors(self, first: int) -> Iterator[bytes]:
        """Small streams lie together in one that the root has."""
        whole = b"".join(self._sector(place) for place in self._chain(self._small))
        for _ in range(self._cutoff // 64 + 1):
            if first >= _LAST:
                return
            yield whole[first * 64 : first * 64 + 64]
            first = self._mini_next[first] if first < len(self._mini_next) else _LAST

    def _fat_sectors(self, header: bytes, listing: int) -> list[int]:
        found = list(struct.unpack_from(f"<{_LISTED}I", header, 76))
        while listing < _LAST and len(found) <= self._most:
            *more, listing = struct.unpack(f"<{self._bytes // 4}I", self._sector(listing))
            found += more
        return [place for place in found if place < _LAST]

    def _table(self, sectors: list[int] | Iterator[int]) -> tuple[int, ...]:
        whole = b"".join(map(self._sector, sectors))
        return struct.unpack(f"<{len(whole) // 4}I", whole)

    def _chain(self, place: int) -> Iterator[int]:
        """Sectors one after the other; never more than the file has, so that a chain that leads back to itself ends too."""
        return islice(self._following(place), self._most)

    def _following(self, place: int) -> Iterator[int]:
        while place < _LAST:
            yield place
            place = self._next[place] if place < len(self._next) else _LAST

    def _sector(self, place: int) -> bytes:
        return self._at((place + 1) * self._bytes, self._bytes)

    def _at(self, offset: int, size: int) -> bytes:
        return os.pread(self._fd, size, offset).ljust(size, b"\0")


def _entry(entry: bytes) -> tuple[str, tuple[int, int]]:
    length = min(64, struct.unpack_from("<H", entry, 64)[0])
    name = entry[: max(0, length - 2)].decode("utf-16-le", errors="replace")
    first, size = struct.unpack_from("<II", entry, 116)
    return name, (first, size)
