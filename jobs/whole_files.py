"""Files that stand whole under their name or not at all; those of caches are under way in a folder that is swept."""

import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

#: Where files stand until they are whole.
_UNDER_WAY: Final = ".tmp"


@contextmanager
def on_disk(path: Path) -> Iterator[BinaryIO]:
    """A file, its owner's only, that takes its name when it is whole and on disk; gone on leaving the block by an error."""
    descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=".whole-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(new).replace(path)
    finally:
        Path(new).unlink(missing_ok=True)


def keep_whole(root: Path, target: Path, content: bytes) -> None:
    """Writes a file of a cache. Raises OSError.

    Args:
        root: the cache's folder.
        target: in it.
        content: of the file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    new = under_way(root)
    try:
        new.write_bytes(content)
        new.replace(target)
    finally:
        with suppress(FileNotFoundError):
            new.unlink()


def under_way(root: Path) -> Path:
    """A new name in a folder that `sweep` looks after."""
    new = root / _UNDER_WAY / secrets.token_hex(8)
    new.parent.mkdir(parents=True, exist_ok=True)
    return new


def sweep(root: Path, *, older_than_s: float = 3600) -> None:
    """Removes what killed processes left under way."""
    for path in (root / _UNDER_WAY).glob("*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime <= time.time() - older_than_s:
                path.unlink()
