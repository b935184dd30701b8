"""Folders: where pictures and results go, and where local pictures come from."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from jobs.cli.doctor.check import Check, ok, warning, wrong

#: Bytes below which a batch's pictures may not fit.
TIGHT_BYTES = 2_000_000_000


def check_folder(name: str, folder: Path, holds: str, *, floor: int = 0) -> Check:
    """Whether it can be written to, now or once it is made, and how much room there is.

    `floor`: bytes below which nothing is bought.
    """
    there = _nearest(folder)
    try:
        # Asking for rights is not enough: a read-only mount or a full quota shows when something is written.
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"vton")
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(there).free
    except OSError as error:
        return wrong(
            name,
            f"{folder} cannot be written to: {error.strerror}",
            f"it is for {holds}: let this user write there",
        )
    found = f"{folder.absolute()}, {free / 1e9:.1f} GB free" + (
        "" if there == folder.absolute() else "; not yet made"
    )
    if free < floor:
        return wrong(name, found, "make room: nothing is bought below pictures.min_free_bytes")
    if free < TIGHT_BYTES:
        return warning(name, found, f"make room for a run's {holds}")
    return ok(name, found)


def check_roots(roots: Sequence[Path]) -> Check:
    """Whether local pictures can be read from where they may come from."""
    if not roots:
        return ok("pictures", "local ones from beside each manifest (pictures.roots is empty)")
    unread = [str(root) for root in roots if not (root.is_dir() and os.access(root, os.R_OK | os.X_OK))]
    if unread:
        return wrong(
            "pictures",
            f"pictures.roots: {', '.join(unread)}: no folder that this user can read",
            "mount it, grant it, or take it from pictures.roots; the workers need the same path",
        )
    return ok("pictures", f"local ones from {', '.join(str(root) for root in roots)}")


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there: it will be made in that."""
    path = folder.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
