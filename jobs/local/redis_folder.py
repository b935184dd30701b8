"""The folder of an embedded Redis, for whoever meets it: where its socket is, and who uses the server.

A socket's address is short, so a deep folder's socket lies in a private temporary one, which a note names. The note holds
for its own folder alone, by device and inode: in a copy of the folder it would lead to the server of the original.
"""

import fcntl
import json
import os
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: A socket's address holds 108 bytes on Linux and 104 elsewhere, the closing zero among them.
_SOCKET_BYTES = 100
#: Shared by every user; who can have it alone is the last one.
USERS = "users.lock"
_NOTE = "socket"


def socket_path(folder: Path, *, running: bool) -> Path:
    """Where the folder's server listens, or shall; makes a private temporary folder when the path is too long.

    `running`: this folder's server runs now, so that a note of an earlier version, which names no folder, is its own too.
    """
    inside = folder / "server.sock"
    if len(os.fsencode(inside)) < _SOCKET_BYTES:
        return inside
    kept = _noted(folder, unbound=running)
    if kept is not None and (running or not answers(kept)):
        return kept
    made = Path(tempfile.mkdtemp(prefix="vton-")) / "server.sock"
    note = {"socket": os.fsdecode(os.fsencode(made)), "folder": _identity(folder)}
    write_private(folder / _NOTE, json.dumps(note).encode())
    return made


def answers(path: Path) -> bool:
    """Whether somebody listens at a socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2)
        try:
            client.connect(os.fsencode(path))
        except TimeoutError:
            return True
        except OSError:
            return False
    return True


def forget_socket(folder: Path, path: Path) -> None:
    """Removes what only a running server needs."""
    path.unlink(missing_ok=True)
    if path.parent != folder:
        (folder / _NOTE).unlink(missing_ok=True)
        with suppress(OSError):
            path.parent.rmdir()


def use(data_dir: Path, url: str) -> int | None:
    """Counts this process among the users of the data folder's server as long as it lives.

    Returns:
        The lock's descriptor; None when the address is not that of this folder's server.
    """
    folder = data_dir.resolve() / "redis"
    if not url.startswith("unix:") or not (folder / USERS).exists():
        return None
    if Path(unquote(urlsplit(url).path)) not in {folder / "server.sock", _noted(folder, unbound=True)}:
        return None
    lock = os.open(folder / USERS, os.O_RDWR | os.O_CLOEXEC)
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only this user can read."""
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(target, "wb") as file:
        file.write(content)


def _noted(folder: Path, *, unbound: bool) -> Path | None:
    try:
        content = (folder / _NOTE).read_bytes()
    except OSError:
        return None
    try:
        note = json.loads(content)
        path, bound = Path(note["socket"]), note["folder"] == _identity(folder)
    except (ValueError, KeyError, TypeError):
        # An earlier version wrote the path alone.
        path, bound = Path(os.fsdecode(content)), False
    return path if (bound or unbound) and _is_private(path.parent) else None


def _identity(folder: Path) -> list[int]:
    found = folder.stat()
    return [found.st_dev, found.st_ino]


def _is_private(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
