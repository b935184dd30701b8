"""The picture store: whole files named by their content, `<sha256[:2]>/<sha256>.<ext>`, never a half one."""

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Self

from jobs.failpoints import reach

#: Everything under way stands here, in the store's own file system, so that a rename is atomic.
_UNDER_WAY = ".tmp"


class StoreFullError(Exception):
    """The store takes no more: disk full, quota, read-only, no permission."""


class Spool:
    """A file under way, made by its first write; gone on leaving the block unless it was kept."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._fd = -1
        self._hash = hashlib.sha256()
        self.path = root / _UNDER_WAY
        self.bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._fd >= 0:
            self._close()
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()

    @property
    def sha256(self) -> str:
        """Hex digest of what was written so far."""
        return self._hash.hexdigest()

    def write(self, content: bytes) -> None:
        """Adds to the file.

        Raises:
            StoreFullError: the disk does not take it.
        """
        rest = memoryview(content)
        try:
            if self._fd < 0:
                self._open()
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            raise _full(error) from error
        self._hash.update(content)
        self.bytes += len(content)

    def _open(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        # mkstemp makes it 0600.
        self._fd, name = tempfile.mkstemp(dir=self.path, prefix="picture-")
        self.path = Path(name)

    def _close(self) -> None:
        os.close(self._fd)
        self._fd = -1

    def sync(self) -> None:
        """Waits until what was written is on disk. Raises OSError."""
        os.fsync(self._fd)

    def keep(self, extension: str) -> str:
        """Makes the file durable under its content's name; the same content again replaces its like.

        Returns:
            The file's name, `<sha256>.<extension>`.

        Raises:
            StoreFullError: the disk does not take it.
        """
        name = f"{self.sha256}.{extension}"
        target = place(self._root, name)
        try:
            reach("picture_spooled")
            self.sync()
            if not target.parent.is_dir():
                target.parent.mkdir(exist_ok=True)
                _sync_folder(self._root)
            self.path.replace(target)
            _sync_folder(target.parent)
            self._close()
            reach("picture_renamed")
        except OSError as error:
            raise _full(error) from error
        return name


class PictureStore:
    """Pictures under `<data_dir>/pictures`."""

    def __init__(self, data_dir: Path, *, min_free_bytes: int = 0) -> None:
        """`min_free_bytes`: with less room on the disk nothing is stored; the ledger may live there too."""
        self.root = data_dir / "pictures"
        self._min_free_bytes = min_free_bytes

    def spool(self) -> Spool:
        """Begins a file.

        Raises:
            StoreFullError: it cannot be made.
        """
        try:
            if self.below_floor():
                raise StoreFullError("the picture store: less room than pictures.min_free_bytes")
            return Spool(self.root)
        except OSError as error:
            raise _full(error) from error

    def below_floor(self, size: int = 0) -> bool:
        """Whether the disk has less room than is kept free, or would have with so many bytes more. Raises OSError."""
        if not self._min_free_bytes:
            return False
        if not self.root.is_dir():
            self.root.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self.root).free - size < self._min_free_bytes

    def takes(self, size: int) -> bool:
        """Whether the disk really takes so many bytes now: quota, inodes and rights are asked by writing."""
        block = bytes(1_000_000)
        try:
            if self.below_floor(size):
                return False
            with self.spool() as spool:
                for _ in range(max(1, size // len(block))):
                    spool.write(block)
                spool.sync()
        except (StoreFullError, OSError):
            return False
        return True

    def sweep(self, *, older_than_s: float = 3600, now_s: float | None = None) -> int:
        """Removes what a killed process left under way; returns how many files."""
        limit = (time.time() if now_s is None else now_s) - older_than_s
        swept = 0
        for path in (self.root / _UNDER_WAY).glob("picture-*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime <= limit:
                    path.unlink()
                    swept += 1
        return swept


def place(root: Path, name: str) -> Path:
    """Where a picture stands under the store's root."""
    return root / name[:2] / name


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _full(error: OSError) -> StoreFullError:
    return StoreFullError(f"the picture store: {error.strerror or type(error).__name__}")
