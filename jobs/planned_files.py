"""Reads a file that was planned as a picture, and may be anything by now: a pipe, a device, a file of any size."""

import os
import stat
from pathlib import Path

#: A larger file is no picture of a manifest, unless the settings say so, bytes.
MOST_BYTES = 64_000_000


def read_planned(path: str | Path, most: int = MOST_BYTES) -> bytes | None:
    """The whole file; None: by now it is no ordinary file, or has more than `most` bytes. Raises OSError. Never waits."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            return None
        content = file.read(most + 1)
    return content if len(content) <= most else None
