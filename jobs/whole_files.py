"""Files of the data folder's caches: each stands whole under its name, or under way in a folder that is swept."""

import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

#: Where files stand until they are whole.
_UNDER_WAY: Final = ".tmp"


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
