"""The bytes of a manifest, readable from the start as often as needed, unpacked when they are gzip."""

import gzip
import hashlib
import io
import os
import shutil
import stat
import sys
import tempfile
import weakref
import zlib
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from jobs.errors import ManifestError, NotFoundError
from jobs.manifest.recoded import Recoded

#: Bytes looked at to find out what the content is.
HEAD_BYTES = 1 << 20

_CHUNK_BYTES = 1 << 18
_GZIP = b"\x1f\x8b"


class Content:
    """An open manifest. It stays the same while it is read: a file replaced by another one is not noticed."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        #: What messages call it.
        self.name = name
        self._file = file
        # A Manifest has no close(): whoever reads one need not think of it, and the descriptor goes with it.
        weakref.finalize(self, file.close)
        self._stamp = self._now()
        #: Whether the bytes are gzip.
        self.packed = os.pread(file.fileno(), len(_GZIP), 0) == _GZIP
        #: The encoding of its text, if it is another one than UTF-8, which is all that readers of text know.
        self.encoding = ""
        #: Whether the encoding was guessed: a line that is not of it costs itself only.
        self.guessed = False
        #: The encodings that it may have, when that is not sure; "" when it is.
        self.unsure = ""
        #: Whether it is text with letters beyond ASCII.
        self.foreign = False
        #: What its giver should know, a sentence each.
        self.remarks: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes as they lie on disk (packed ones unopened), hex."""
        return hashlib.file_digest(self._raw(), "sha256").hexdigest()

    @property
    def file(self) -> IO[bytes]:
        """The open file itself, for formats that are read at places of their own choice (never by its position)."""
        return self._file

    def stream(self) -> io.BufferedReader:
        """A reader of its own, from the first byte, unpacked, recoded."""
        stream = self._raw()
        if self.packed:
            stream = io.BufferedReader(_Unpacked(stream, self.name), _CHUNK_BYTES)
        if self.encoding:
            stream = io.BufferedReader(
                Recoded(stream, self.encoding, self.name, guessed=self.guessed), _CHUNK_BYTES
            )
        return stream

    def head(self) -> bytes:
        """The first bytes, unpacked, at most HEAD_BYTES."""
        return self.stream().read(HEAD_BYTES)

    def check_unchanged(self) -> None:
        """Refuses a file that was written to since it was opened: its digest would name another content.

        Raises:
            ManifestError: size or time of change differ.
        """
        if self._now() != self._stamp:
            raise ManifestError(f"{self.name}: was changed while it was being read; run the command again")

    def _raw(self) -> io.BufferedReader:
        return io.BufferedReader(_Pages(self._file), _CHUNK_BYTES)

    def _now(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return status.st_mtime_ns, status.st_size


class _Pages(io.RawIOBase):
    """Reads an open file at an offset of its own, so that several readers share one descriptor."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._offset = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = os.preadv(self._file.fileno(), [buffer], self._offset)
        self._offset += count
        return count


class _Unpacked(io.RawIOBase):
    """Unpacks gzip; a broken archive is a ManifestError."""

    def __init__(self, packed: io.BufferedReader, name: str) -> None:
        self._gzip = gzip.GzipFile(fileobj=packed, mode="rb")
        self._name = name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            return self._gzip.readinto(buffer)
        except (OSError, EOFError, zlib.error) as error:
            raise ManifestError(f"{self._name}: the gzip archive is broken or cut off: {error}") from error


def open_content(path: str) -> Content:
    """Opens a file; `-` and whatever cannot be read twice (pipes) are copied to a temporary file first.

    Raises:
        NotFoundError: no such file.
        ManifestError: a folder, a device, or a file that may not be read.
    """
    if path == "-":
        return Content(_spooled(sys.stdin.buffer), "stdin")
    file = _opened(Path(path))
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISREG(mode):
        return Content(file, path)
    with file:
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            # Its end may never come, and the disk would be full before.
            raise ManifestError(f"{path}: is a device, not a manifest; - reads stdin")
        return Content(_spooled(file), path)


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise NotFoundError(f"no such file: {path}") from None
    except IsADirectoryError:
        raise ManifestError(f"{path}: is a folder, not a manifest") from None
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _spooled(source: IO[bytes]) -> IO[bytes]:
    copy = tempfile.TemporaryFile()  # noqa: SIM115 lives as long as the Content that gets it
    shutil.copyfileobj(source, copy, _CHUNK_BYTES)
    copy.flush()
    return copy
