"""The files of a batch folder: each is replaced as a whole, and only while the batch's lease is held.

A temporary file is its writer's own. Whoever takes a batch over removes those of the writers before: one that stood still
between its last look at the lease and the rename finds nothing left to rename.
"""

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from jobs.pictures.stored import rights_in

#: Rights of files when nothing else is set: their owner's.
PRIVATE: Final = 0o600

#: Renews the lease; raises LeaseLostError when it is another's.
Renew = Callable[[], None]


@contextmanager
def replacing(
    path: Path, renew: Renew, *, bom: bool = False, errors: str = "strict", rights: int | None = None
) -> Iterator[TextIO]:
    """A text file that takes its name only when it is whole and on disk; gone on leaving the block by an error.

    `bom`: with a mark before its text. `errors`: what becomes of half characters. `rights`: None: those of its folder.
    """
    new = temporary(path)
    try:
        with new.open("x", encoding="utf-8-sig" if bom else "utf-8", errors=errors, newline="") as file:
            os.fchmod(file.fileno(), rights_in(path.parent) if rights is None else rights)
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


def make_folder(folder: Path, mode: int) -> None:
    """Makes a folder for files with these rights, and those above it that are missing; what there is stays as it is."""
    for each in reversed([folder, *folder.parents]):
        if not each.is_dir():
            each.mkdir(mode=0o700, exist_ok=True)
            each.chmod(folder_rights(mode))


def folder_rights(mode: int) -> int:
    """The rights of a folder whose files have these: whoever may read them may enter it."""
    return mode | (mode & 0o444) >> 2


def share(folder: Path, mode: int) -> None:
    """Gives everything in a folder, and the folder, these rights, as far as it is ours to give."""
    for path, _, names in os.walk(folder):
        with suppress(PermissionError, FileNotFoundError):
            _give(Path(path), folder_rights(mode))
        for name in names:
            # Temporary files may be gone by now.
            with suppress(PermissionError, FileNotFoundError):
                _give(Path(path, name), mode)


def _give(path: Path, mode: int) -> None:
    found = path.lstat()
    if not stat.S_ISLNK(found.st_mode) and stat.S_IMODE(found.st_mode) != mode:
        path.chmod(mode)


def sweep(folder: Path, renew: Renew) -> None:
    """Removes the temporary files of earlier exporters; call it before making any.

    The lease is renewed after they are found: none of a later exporter can be among them.
    """
    found = list(folder.glob(".*.tmp"))
    if found:
        renew()
    for path in found:
        path.unlink(missing_ok=True)
