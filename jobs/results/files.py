"""The files of a batch folder: each is replaced as a whole, and only while the batch's lease is held.

A temporary file is its writer's own. Whoever takes a batch over removes those of the writers before: one that stood still
between its last look at the lease and the rename finds nothing left to rename.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

#: Renews the lease; raises LeaseLostError when it is another's.
Renew = Callable[[], None]


@contextmanager
def replacing(path: Path, renew: Renew, *, bom: bool = False, errors: str = "strict") -> Iterator[TextIO]:
    """A text file that takes its name only when it is whole and on disk; gone on leaving the block by an error.

    `bom`: with a mark before its text. `errors`: what becomes of half characters.
    """
    new = temporary(path)
    try:
        with new.open("x", encoding="utf-8-sig" if bom else "utf-8", errors=errors, newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        renew()
        new.replace(path)
    finally:
        with suppress(OSError):
            new.unlink()


def temporary(path: Path) -> Path:
    """A name beside the path that no other writer has."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def sweep(folder: Path, renew: Renew) -> None:
    """Removes the temporary files of earlier exporters; call it before making any.

    The lease is renewed after they are found: none of a later exporter can be among them.
    """
    found = list(folder.glob(".*.tmp"))
    if found:
        renew()
    for path in found:
        path.unlink(missing_ok=True)
