"""A back-up of a ledger: one compressed file, whole or refused."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct, msgpack

from jobs.errors import ConfigError, NotFoundError
from jobs.ledger.copying import Piece
from jobs.whole_files import on_disk

#: Moved when an older version could not read it.
_FORM = 1
_LENGTH_BYTES = 4


class Head(Struct, frozen=True, kw_only=True):
    """What stands before the pieces."""

    form: int = _FORM
    #: The ledger's id, how many orders it had counted, and the prefix of its keys.
    ledger: str
    orders: int
    prefix: str
    #: When it was made, ms of the ledger's time.
    at_ms: int


class _Tail(Struct, frozen=True, kw_only=True):
    pieces: int


@contextmanager
def writing(path: Path, head: Head) -> Iterator[Callable[[Piece], None]]:
    """Takes pieces; the file has its name, and is on disk, once the block is left without an error."""
    count = 0
    with (
        on_disk(path) as file,
        gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, filename="", mtime=0) as packed,
    ):
        _put(packed, head)

        def take(piece: Piece) -> None:
            nonlocal count
            count += 1
            _put(packed, piece)

        yield take
        _put(packed, _Tail(pieces=count))


def _put(file: Any, record: Struct) -> None:
    content = msgpack.encode(record)
    file.write(len(content).to_bytes(_LENGTH_BYTES, "big") + content)


def read_head(path: Path) -> Head:
    """What a back-up is of. Raises as `read_pieces`."""
    with _opened(path) as file:
        return _head(file, path)


def read_pieces(path: Path) -> Iterator[Piece]:
    """The pieces of a back-up.

    Raises:
        NotFoundError: there is no such file.
        ConfigError: it is no back-up, a newer version's, or is cut or damaged.
    """
    with _opened(path) as file:
        _head(file, path)
        count = 0
        before = b""
        for content in _contents(file):
            if before:
                count += 1
                yield msgpack.decode(before, type=Piece)
            before = content
        try:
            whole = msgpack.decode(before, type=_Tail).pieces == count
        except msgspec.DecodeError:
            whole = False
        if not whole:
            raise ConfigError(f"{path}: the back-up is cut")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with gzip.open(path, "rb") as file:
            yield file  # type: ignore[misc]  # it reads like one
    except FileNotFoundError:
        raise NotFoundError(f"no such file: {path}") from None
    except (EOFError, OSError, zlib.error, msgspec.DecodeError) as error:
        raise ConfigError(f"{path}: no back-up, or a damaged one ({type(error).__name__})") from None


def _head(file: BinaryIO, path: Path) -> Head:
    content = next(_contents(file), b"")
    head = msgpack.decode(content, type=Head)
    if head.form != _FORM:
        raise ConfigError(f"{path}: a newer version of vton has made this back-up")
    return head


def _contents(file: BinaryIO) -> Iterator[bytes]:
    while length := file.read(_LENGTH_BYTES):
        content = file.read(int.from_bytes(length, "big"))
        if len(content) != int.from_bytes(length, "big"):
            raise EOFError
        yield content
