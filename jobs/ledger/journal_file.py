"""Files that one process appends to, and others bring in once it has ended: whose they are, their lines."""

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def open_new(path: Path) -> int:
    """A new file of mode 0600 that lies in a folder of mode 0700, locked as long as its process lives. Raises OSError.

    A file system without locks does without: what is brought in twice changes nothing.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Readable too: over NFS a shared lock needs it.
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def locked_alone(descriptor: int) -> bool | None:
    """Takes the file alone; False when its process lives, None where there are no locks. Over NFS it must be writable."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def line_of(fields: Mapping[str, Any]) -> bytes:
    """One entry. The line break comes first: what a full disk has cut off must not spoil the next line."""
    return b"\n" + json.dumps(fields).encode()
