"""The parts of a zip archive, unpacked as a stream; what claims absurd sizes is refused before it is unpacked."""

import errno
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from jobs.manifest.workbook.errors import WorkbookError

_CHUNK_BYTES = 1 << 18
#: Parts of an archive, and bytes of its directory: a picture is a part.
_MAX_PARTS = 60_000
_MAX_DIRECTORY_BYTES = 1 << 24
#: Bytes of a part that is no picture. Excel's own limit of rows, with long texts, needs about as many.
_MAX_PART_BYTES = 1 << 31
#: A part larger than this must not be packed more tightly than a table of equal rows is.
_SMALL_BYTES = 1 << 24
_MAX_RATIO = 300
#: The end record of the directory: its mark, and where the number of parts and the directory's size stand.
_END, _END_BYTES = b"PK\5\6", 22
#: A local header: its length, and where the lengths of the two fields behind it stand.
_LOCAL_BYTES = 30
_ENCRYPTED = 0x1


class Archive:
    """An open archive; its file is read at offsets of its own, so that others may read it too."""

    def __init__(self, file: IO[bytes]) -> None:
        """Reads the directory.

        Raises:
            WorkbookError: no archive, a broken one, or more parts than any workbook has.
        """
        self._fd = file.fileno()
        self._file = file
        self._refuse_absurd()
        try:
            with zipfile.ZipFile(io.BufferedReader(Pages(file))) as archive:
                entries = archive.infolist()
        except OSError as error:
            # A place that no file has is the directory's lie; anything else is the disk's trouble.
            if error.errno not in {None, errno.EINVAL}:
                raise
            raise WorkbookError(_BROKEN) from error
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise WorkbookError(_BROKEN) from error
        self._entries = {_key(entry.filename): entry for entry in entries}
        if len(self._entries) != len(entries):
            raise WorkbookError("holds two parts of one name; save it again in Excel or LibreOffice")

    def __contains__(self, part: object) -> bool:
        return isinstance(part, str) and _key(part) in self._entries

    def names(self) -> list[str]:
        """The parts' names as written, in the archive's order."""
        return [entry.filename for entry in self._entries.values()]

    def size(self, part: str) -> int:
        """Bytes of a part, unpacked, as the directory says; 0 for none."""
        entry = self._entries.get(_key(part))
        return entry.file_size if entry else 0

    def read(self, part: str, most: int) -> bytes:
        """A whole part.

        Raises:
            WorkbookError: it is larger than `most` bytes, broken or missing.
        """
        if self.size(part) > most:
            raise WorkbookError(f"the part {part} has {self.size(part):,} bytes; at most {most:,} are read")
        return b"".join(self.chunks(part))

    def chunks(self, part: str) -> Iterator[bytes]:
        """Streams a part, and proves at its end that it has the size and the checksum that the directory says.

        Raises:
            WorkbookError: it is missing, encrypted, broken, or larger than it says.
        """
        entry = self._entries.get(_key(part))
        if entry is None:
            raise WorkbookError(f"has no part {part}; save it again in Excel or LibreOffice")
        _refuse_bomb(entry)
        size, checksum = 0, 0
        for chunk in self._unpacked(entry):
            size += len(chunk)
            if size > entry.file_size:
                raise WorkbookError(_BROKEN)
            checksum = zlib.crc32(chunk, checksum)
            yield chunk
        if (size, checksum) != (entry.file_size, entry.CRC):
            raise WorkbookError(_BROKEN)

    def _unpacked(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        packed = self._packed(entry)
        if entry.compress_type == zipfile.ZIP_STORED:
            yield from packed
            return
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for chunk in packed:
                rest = chunk
                while rest and not inflater.eof:
                    yield inflater.decompress(rest, _CHUNK_BYTES)
                    rest = inflater.unconsumed_tail
            while not inflater.eof:  # what a full buffer has held back
                last = inflater.decompress(b"", _CHUNK_BYTES)
                if not last:
                    raise WorkbookError(_BROKEN)
                yield last
        except zlib.error as error:
            raise WorkbookError(_BROKEN) from error

    def _packed(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        """The bytes as they lie in the file. The local header's two last fields may differ from the directory's."""
        header = os.pread(self._fd, _LOCAL_BYTES, entry.header_offset)
        if len(header) < _LOCAL_BYTES:
            raise WorkbookError(_BROKEN)
        name, extra = struct.unpack("<HH", header[26:30])
        place, left = entry.header_offset + _LOCAL_BYTES + name + extra, entry.compress_size
        while left:
            chunk = os.pread(self._fd, min(left, _CHUNK_BYTES >> 2), place)
            if not chunk:
                raise WorkbookError(_BROKEN)
            place, left = place + len(chunk), left - len(chunk)
            yield chunk

    def _refuse_absurd(self) -> None:
        """Looks at the end record alone: the directory itself is read into memory at once."""
        size = os.fstat(self._fd).st_size
        tail = os.pread(self._fd, _END_BYTES + 0xFFFF, max(0, size - _END_BYTES - 0xFFFF))
        end = tail.rfind(_END)
        if end < 0 or len(tail) - end < _END_BYTES:
            raise WorkbookError(_BROKEN)
        parts, directory = struct.unpack("<HI", tail[end + 10 : end + 16])
        if parts > _MAX_PARTS or directory > _MAX_DIRECTORY_BYTES:
            raise WorkbookError(f"holds more than {_MAX_PARTS:,} parts; no workbook of ours is that large")


class Pages(io.RawIOBase):
    """Reads an open file at an offset of its own."""

    def __init__(self, file: IO[bytes]) -> None:
        self._fd = file.fileno()
        self._offset = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to an offset, counted from the start, from here or from the end."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._offset, os.SEEK_END: os.fstat(self._fd).st_size}[whence]
        self._offset = max(0, base + offset)
        return self._offset

    def tell(self) -> int:
        """The offset."""
        return self._offset

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fills the buffer as far as the file goes."""
        count = os.preadv(self._fd, [buffer], self._offset)
        self._offset += count
        return count


_BROKEN = "the workbook is broken or cut off; open it in Excel or LibreOffice and save it again"


def _key(part: str) -> str:
    """Names of parts do not tell capitals apart, and some writers use backslashes."""
    return part.replace("\\", "/").lstrip("/").casefold()


def _refuse_bomb(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & _ENCRYPTED:
        raise WorkbookError("is protected with a password; save it without one")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise WorkbookError(_BROKEN)
    size, packed = entry.file_size, entry.compress_size
    if size > _MAX_PART_BYTES or (size > _SMALL_BYTES and size > _MAX_RATIO * packed):
        raise WorkbookError(
            f"its part {entry.filename} would unpack to {size:,} bytes; that is no table of ours"
        )
