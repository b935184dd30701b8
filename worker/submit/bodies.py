"""Builds the body of a submit: local pictures are proven unchanged, then read and encoded while they are sent.

Where it was planned so, a JPEG is made first, and sent instead. A batch has few people and many garments: pictures that are
sent again and again are kept as base64, within a bound.
"""

import base64
import hashlib
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader

from jobs.errors import VtonError
from jobs.pictures.converted import ConvertedPictures, SourceChangedError
from jobs.records import Failure, LocalFile, Owner, Pair, Url
from worker.hidream.wire import Base64, Body, Streamed, submit_body

#: Bytes of a file that are read at once; a multiple of three, so that their base64 can be joined.
BLOCK_BYTES = 3 * 128 * 1024
#: Files of which is remembered that they were proven to be the planned ones.
_PROVEN = 20_000
#: Inode, size in bytes, times of change in ns.
_Stamp = tuple[int, int, int, int]


class PictureUnusableError(VtonError):
    """A local picture cannot be sent; the job fails by `failure`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class PictureMissingError(PictureUnusableError):
    """The file is not there any more. Of the same kind: a bought picture that the store has lost, jobs.pictures.stored."""

    def __init__(self, path: str) -> None:
        super().__init__(_failure("picture_missing", f"{path}: no such file", retryable=True))


class PictureChangedError(PictureUnusableError):
    """The file is not the one that was planned; as another picture it is another job."""

    def __init__(self, path: str) -> None:
        message = f"{path}: changed since it was planned; run the same manifest again"
        super().__init__(_failure("picture_changed", message, retryable=False))


class PictureUnreadableError(PictureUnusableError):
    """The file is there and cannot be read: a permission, a mount, a disk."""

    def __init__(self, path: str, why: str) -> None:
        message = f"{path}: cannot be read: {why}"
        super().__init__(_failure("picture_unreadable", message, retryable=True, owner=Owner.OPS))


class Bodies:
    """Builds bodies from any thread."""

    def __init__(
        self,
        *,
        converted: ConvertedPictures | None = None,
        max_cached_bytes: int = 32_000_000,
        max_picture_bytes: int = 10_000_000,
    ) -> None:
        """Sets the bounds.

        Args:
            converted: makes JPEGs of pictures that are not sent as they are.
            max_cached_bytes: base64 kept, the least recently used goes first.
            max_picture_bytes: a larger file cannot be the planned one and is not read to its end.
        """
        self._converted = converted
        self._max_cached_bytes = max_cached_bytes
        self._max_picture_bytes = max_picture_bytes
        self._lock = threading.Lock()
        self._cached: OrderedDict[str, Base64] = OrderedDict()
        self._cached_bytes = 0
        #: Digest → the file that was proven to have it.
        self._proven: OrderedDict[str, _Stamp] = OrderedDict()

    def build(self, pair: Pair, request_id: str, notify_url: str | None = None) -> Body:
        """Builds the body of a job.

        Raises:
            PictureUnusableError: a local picture is missing, changed or unreadable.
        """
        slots = [(slot, self._picture(source)) for slot, source in pair.slots()]
        return submit_body(slots, request_id=request_id, notify_url=notify_url)

    def has(self, pair: Pair) -> bool:
        """Whether a body of the pair is built without reading a file."""
        return all(
            isinstance(source, Url) or (not source.jpeg and source.sha256 in self._cached)
            for _, source in pair.slots()
        )

    @property
    def cached_bytes(self) -> int:
        """Base64 kept now."""
        return self._cached_bytes

    def keep(self, digest: str, encoded: Base64) -> None:
        """Keeps a picture's base64 for later bodies, unless it alone is more than the bound."""
        if len(encoded.text) > self._max_cached_bytes:
            return
        with self._lock:
            if digest in self._cached:
                return
            self._cached[digest] = encoded
            self._cached_bytes += len(encoded.text)
            while self._cached_bytes > self._max_cached_bytes:
                _, oldest = self._cached.popitem(last=False)
                self._cached_bytes -= len(oldest.text)

    def _picture(self, source: Url | LocalFile) -> str | Base64 | Streamed:
        if isinstance(source, Url):
            return source.url
        if source.jpeg:
            source = self._jpeg(source)
        with self._lock:
            if (cached := self._cached.get(source.sha256)) is not None:
                self._cached.move_to_end(source.sha256)
                return cached
        return self._streamed(source)

    def _jpeg(self, source: LocalFile) -> LocalFile:
        """The JPEG that is sent instead."""
        assert self._converted is not None
        with _told(source):
            try:
                return self._converted.of(source)
            except SourceChangedError:
                raise PictureChangedError(source.shown) from None
            except (ValueError, MemoryError) as error:
                raise PictureUnreadableError(source.shown, str(error) or "no memory for it") from error

    def _streamed(self, source: LocalFile) -> "StreamedFile":
        """The file as it will be sent, proven to be the planned one, so that no POST begins in vain."""
        with _reading(source) as file:
            stamp = _stamp(file)
            size = stamp[1]
            again = self._proven.get(source.sha256) == stamp
            if size > self._max_picture_bytes or (not again and _digest(file) != source.sha256):
                raise PictureChangedError(source.shown)
        with self._lock:
            self._proven[source.sha256] = stamp
            if len(self._proven) > _PROVEN:
                self._proven.popitem(last=False)
        # What comes a second time comes more often.
        return StreamedFile(source=source, size=size, bodies=self, kept=again)

    def forget(self, digest: str) -> None:
        """The file that was proven to have the digest is to be proven again."""
        with self._lock:
            self._proven.pop(digest, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedFile:
    """A file that is read, hashed and encoded while it is sent; in memory there is a block of it."""

    source: LocalFile
    #: Bytes.
    size: int
    #: Hears what becomes of it; None: nobody does.
    bodies: Bodies | None = None
    #: Whether they keep its base64 once it was whole.
    kept: bool = False

    @property
    def length(self) -> int:
        """Bytes of its base64."""
        return 4 * -(-self.size // 3)

    def blocks(self) -> Iterator[bytes]:
        """The base64; the last block only if the file is still the planned one.

        Raises:
            PictureUnusableError: it is missing, changed or unreadable by now.
        """
        try:
            yield from self._blocks()
        except PictureUnusableError:
            # The POST that broke off is tried again; only whoever reads the file before it can say why it fails.
            if self.bodies:
                self.bodies.forget(self.source.sha256)
            raise

    def _blocks(self) -> Iterator[bytes]:
        hashed, left = hashlib.sha256(), self.size
        kept: list[bytes] = []
        with _reading(self.source) as file:
            while left:
                block = file.read(min(BLOCK_BYTES, left))
                hashed.update(block)
                left -= len(block)
                if not block or (not left and hashed.hexdigest() != self.source.sha256):
                    raise PictureChangedError(self.source.shown)
                encoded = base64.b64encode(block)
                if self.kept:
                    kept.append(encoded)
                if not left and self.kept and self.bodies:
                    self.bodies.keep(self.source.sha256, Base64(text=b"".join(kept)))
                yield encoded


@contextmanager
def _reading(source: LocalFile) -> Iterator[BufferedReader]:
    """The opened file. Raises PictureUnusableError, for what fails while it is open too; never waits on a pipe."""
    with _told(source), open(source.path, "rb", opener=_opened) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise PictureChangedError(source.shown)
        yield file


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


@contextmanager
def _told(source: LocalFile) -> Iterator[None]:
    """What the disk says of a file, in our words."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise PictureMissingError(source.shown) from None
    except OSError as error:
        raise PictureUnreadableError(source.shown, error.strerror or type(error).__name__) from error


def _stamp(file: BufferedReader) -> _Stamp:
    found = os.fstat(file.fileno())
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _digest(file: BufferedReader) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()


def _failure(kind: str, message: str, *, retryable: bool, owner: Owner = Owner.MERCH) -> Failure:
    return Failure(kind=kind, message=message, retryable=retryable, owner=owner)
