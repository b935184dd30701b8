"""What picture files hold, looked at before a row is said to have its picture."""

import fcntl
import hashlib
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

#: Files whose hash is remembered.
REMEMBERED = 200_000
#: Linux: a file that shares another's blocks until one of them is written to.
_FICLONE = 0x40049409

_Key = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Why a picture that was bought cannot be shown."""

    #: `picture_missing` or `picture_damaged`.
    kind: str
    #: What was found in the store.
    what: str


@dataclass(slots=True)
class Hashes:
    """SHA-256 of files, computed again only when a file is another one or was changed."""

    _known: dict[_Key, str] = field(default_factory=dict)

    def of(self, path: Path) -> str | None:
        """Hex digest; None for what is no regular file.

        Raises:
            OSError: it cannot be read.
        """
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return None
        key = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if key not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            with path.open("rb") as file:
                self._known[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._known[key]

    def gap(self, stored: Path, *, sha256: str, size: int) -> Gap | None:
        """What is wrong with a picture of the store; None when it has this hash and so many bytes."""
        try:
            found = stored.stat().st_size
            if found == size and self.of(stored) == sha256:
                return None
            what = f"has {found:,} of {size:,} bytes" if found != size else "was changed"
            return Gap(kind="picture_damaged", what=what)
        except FileNotFoundError:
            # A local picture that is gone when it is to be sent is of the same kind, but merch's (worker.submit.bodies).
            # Results of earlier versions have both by this name, and `vton recover` reads them.
            return Gap(kind="picture_missing", what="is not there")
        except OSError as error:
            return Gap(kind="picture_damaged", what=f"cannot be read ({error.strerror})")


def copy_file(source: Path, target: Path, new: Path) -> None:
    """A file of its own with the same content: shared blocks where the file system has them, else a copy.

    Never a hard link: whoever edits the one must not change the other. `new`: a temporary name beside the target.

    Raises:
        OSError: no room, no rights.
    """
    try:
        if not _cloned(source, new):
            shutil.copyfile(source, new)
        new.chmod(rights_in(target.parent))
        new.replace(target)
    finally:
        with suppress(OSError):
            new.unlink()


def rights_in(folder: Path) -> int:
    """Rights of a file in a folder: whoever may look into it may read the file, whoever may add to it may write it."""
    return stat.S_IMODE(folder.stat().st_mode) & 0o666


def _cloned(source: Path, new: Path) -> bool:
    with source.open("rb") as old, new.open("wb") as clone:
        try:
            fcntl.ioctl(clone.fileno(), _FICLONE, old.fileno())
        except OSError:
            return False
    return True


def is_linked(path: Path, stored: Path) -> bool:
    """Whether both are one file by two names, as earlier versions made them."""
    try:
        return path.samefile(stored)
    except OSError:
        return False
