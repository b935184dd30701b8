"""Where pictures are delivered to: a folder, or a store of objects. The only place that knows obstore."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol

from jobs.errors import ConfigError, UsageError
from jobs.results.files import make_folder

#: Folder for what is under way, inside the target so that a rename is atomic; gone when the delivery has ended.
_UNDER_WAY: Final = ".vton-delivery"
_SCHEMES: Final = frozenset({"s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl"})
_MEDIA: Final = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "json": "application/json"}


class NotStoredError(Exception):
    """The target did not take a picture; the same command again may bring it there."""


class Target(Protocol):
    """Takes whole objects by name."""

    def address(self, name: str) -> str:
        """What an object is called for people and programs."""
        ...

    def create(self, name: str, content: bytes) -> None:
        """Stores what was not there. Raises FileExistsError: it may be this very object, whose reply was lost."""
        ...

    def replace(self, name: str, content: bytes) -> None:
        """Stores it in the place of what is there."""
        ...

    def read(self, name: str) -> bytes | None:
        """What is there; None when there is nothing."""
        ...

    def close(self) -> None:
        """Leaves nothing of its own behind."""
        ...


def open_target(to: str, *, mode: int) -> Target:
    """The target that an address or a path names.

    Args:
        to: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, or a folder.
        mode: rights of the files in a folder; their folders have those that go with it.

    Raises:
        UsageError: no address that this knows.
        ConfigError: it cannot be opened, or the library for it is not installed.
    """
    scheme = re.match(r"([a-z0-9+]+)://", to)
    if scheme is None:
        return FolderTarget(Path(to), mode=mode)
    if scheme[1] not in _SCHEMES:
        raise UsageError(f"--to {to}: a folder, s3://, gs:// or az://")
    return ObjectTarget(to.rstrip("/"))


class FolderTarget:
    """A folder: a file takes its name only when it is whole and on disk."""

    def __init__(self, root: Path, *, mode: int) -> None:
        """`mode`: rights of a file. Raises ConfigError: the folder cannot be made or written to."""
        self._root = root.absolute()
        self._mode = mode
        self._under_way = self._root / _UNDER_WAY
        try:
            make_folder(self._under_way, mode)
            # Of a delivery that was killed; who delivers this batch holds its lock.
            self._sweep()
        except OSError as error:
            raise ConfigError(f"{self._root}: cannot be delivered to: {error.strerror}") from None

    def address(self, name: str) -> str:
        """The file's path."""
        return str(self._root / name)

    def create(self, name: str, content: bytes) -> None:
        """See Target."""
        with self._written(name, content) as new:
            target = self._root / name
            try:
                # Unlike a rename it never takes another file's place.
                os.link(new, target)
            except FileExistsError:
                raise
            except OSError:
                # A file system without hard links.
                if target.exists():
                    raise FileExistsError(target) from None
                new.replace(target)
            self._sync(target.parent)

    def replace(self, name: str, content: bytes) -> None:
        """See Target."""
        with self._written(name, content) as new:
            new.replace(self._root / name)
            self._sync((self._root / name).parent)

    def read(self, name: str) -> bytes | None:
        """See Target."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise NotStoredError(f"{error.filename}: {error.strerror}") from error

    def close(self) -> None:
        """Removes the folder of what was under way, unless another delivery has something in it."""
        with suppress(OSError):
            self._under_way.rmdir()

    @contextmanager
    def _written(self, name: str, content: bytes) -> Iterator[Path]:
        new = self._under_way / f"{os.getpid()}-{secrets.token_hex(8)}"
        try:
            make_folder((self._root / name).parent, self._mode)
            with new.open("xb") as file:
                os.fchmod(file.fileno(), self._mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            yield new
        except FileExistsError:
            raise
        except OSError as error:
            raise NotStoredError(f"{error.filename or self._root}: {error.strerror}") from error
        finally:
            with suppress(OSError):
                new.unlink()

    def _sweep(self) -> None:
        """Removes what processes that are gone have left half written."""
        for path in self._under_way.iterdir():
            writer = path.name.partition("-")[0]
            if writer.isdigit() and not Path("/proc", writer).exists() and Path("/proc").is_dir():
                path.unlink(missing_ok=True)

    @staticmethod
    def _sync(folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class ObjectTarget:
    """A store of objects; keys, regions and endpoints come from the environment, as the stores' own tools have it."""

    def __init__(self, url: str) -> None:
        """Speaks to nobody yet. Raises ConfigError: obstore is not installed, or does not know what to do with it."""
        try:
            import obstore  # noqa: PLC0415 an extra
            import obstore.exceptions  # noqa: PLC0415
            from obstore.store import from_url  # noqa: PLC0415
        except ImportError:
            raise ConfigError(
                "delivery to a store needs obstore: pip install 'vton-batch[deliver]'"
            ) from None
        self._obstore: Any = obstore
        self._url = url
        self._refused = (
            obstore.exceptions.PermissionDeniedError,
            obstore.exceptions.UnauthenticatedError,
            obstore.exceptions.UnknownConfigurationKeyError,
        )
        try:
            self._store: Any = from_url(url)
        except (ValueError, obstore.exceptions.BaseError) as error:
            raise ConfigError(f"--to {url}: {_first_line(error)}") from None

    def address(self, name: str) -> str:
        """The object's own."""
        return f"{self._url}/{name}"

    def create(self, name: str, content: bytes) -> None:
        """See Target."""
        self._put(name, content, "create")

    def replace(self, name: str, content: bytes) -> None:
        """See Target."""
        self._put(name, content, "overwrite")

    def read(self, name: str) -> bytes | None:
        """See Target."""
        with self._translated():
            try:
                return bytes(self._obstore.get(self._store, name).bytes())
            except FileNotFoundError:
                return None

    def close(self) -> None:
        """Nothing is open."""

    def _put(self, name: str, content: bytes, mode: str) -> None:
        media = {"Content-Type": _MEDIA[name.rpartition(".")[2]]}
        with self._translated():
            try:
                # In one request: an object is there as a whole or not at all.
                self._obstore.put(
                    self._store, name, content, mode=mode, attributes=media, use_multipart=False
                )
            except self._obstore.exceptions.AlreadyExistsError:
                raise FileExistsError(name) from None
            except FileNotFoundError:
                # An object that is new cannot be missing: what holds it is.
                raise ConfigError(f"{self._url}: there is no such bucket or container") from None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (FileExistsError, ConfigError):
            raise
        except self._refused as error:
            raise ConfigError(f"{self._url}: {_first_line(error)}") from None
        except Exception as error:
            # Whatever a store and the way to it may say.
            raise NotStoredError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
