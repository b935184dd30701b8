"""The reserve of an embedded Redis: room on its disk that is given up when the disk is full, so that it can go on writing.

Redis ends when its append-only file takes no more. Pictures are stored and bought only above a floor of free bytes
(`pictures.min_free_bytes`); what others write on the same disk may take that too.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

RESERVE_BYTES = 64_000_000


def keep_reserve(folder: Path, *, size: int = RESERVE_BYTES) -> None:
    """Writes the reserve unless it is there; does nothing when the disk has not three times its size free."""
    path = folder / "reserve"
    with suppress(OSError):
        if path.exists() or shutil.disk_usage(folder).free < 3 * size:
            return
        new = path.with_suffix(".tmp")
        try:
            with new.open("wb") as file:
                # Written, not sparse, and of bytes that no file system leaves out.
                for _ in range(size // 1_000_000):
                    file.write(os.urandom(1_000_000))
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)


def give_up_reserve(folder: Path, *, size: int = RESERVE_BYTES) -> bool:
    """Removes the reserve when the disk has less than its size free; False when there is none or no need."""
    path = folder / "reserve"
    with suppress(OSError):
        if path.exists() and shutil.disk_usage(folder).free < size:
            path.unlink()
            return True
    return False
