"""Builds the body of a submit: local pictures are read, proven unchanged and kept as base64.

A night has few people and many garments: most bodies of it share a picture with the one before.
"""

import base64
import hashlib
import threading
from collections import OrderedDict
from concurrent.futures import Future

from jobs.errors import VtonError
from jobs.records import Failure, LocalFile, Owner, Pair, Url
from worker.hidream.wire import Base64, Body, submit_body


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
    """Builds bodies from any thread; each picture is encoded by one thread while the others wait."""

    def __init__(self, *, max_cached_bytes: int = 256_000_000, max_picture_bytes: int = 10_000_000) -> None:
        """Sets the bounds.

        Args:
            max_cached_bytes: base64 kept, the least recently used goes first.
            max_picture_bytes: a larger file cannot be the planned one and is not read to its end.
        """
        self._max_cached_bytes = max_cached_bytes
        self._max_picture_bytes = max_picture_bytes
        self._lock = threading.Lock()
        self._cached: OrderedDict[str, Base64] = OrderedDict()
        self._cached_bytes = 0
        self._encoding: dict[str, Future[Base64 | None]] = {}

    def build(self, pair: Pair, request_id: str, notify_url: str | None = None) -> Body:
        """Builds the body of a job.

        Raises:
            PictureUnusableError: a local picture is missing, changed or unreadable.
        """
        slots = [(slot, self._picture(source)) for slot, source in pair.slots()]
        return submit_body(slots, request_id=request_id, notify_url=notify_url)

    def has(self, pair: Pair) -> bool:
        """Whether a body of the pair is built without reading a file."""
        return all(isinstance(source, Url) or source.sha256 in self._cached for _, source in pair.slots())

    @property
    def cached_bytes(self) -> int:
        """Base64 kept now."""
        return self._cached_bytes

    def _picture(self, source: Url | LocalFile) -> str | Base64:
        if isinstance(source, Url):
            return source.url
        while True:
            with self._lock:
                cached = self._cached.get(source.sha256)
                if cached is not None:
                    self._cached.move_to_end(source.sha256)
                    return cached
                waiting = self._encoding.get(source.sha256)
                if waiting is None:
                    mine = self._encoding[source.sha256] = Future()
            if waiting is None:
                return self._encode(source, mine)
            # None: whoever encoded it failed, perhaps at another path of the same content.
            encoded = waiting.result()
            if encoded is not None:
                return encoded

    def _encode(self, source: LocalFile, mine: "Future[Base64 | None]") -> Base64:
        encoded: Base64 | None = None
        try:
            encoded = Base64(text=base64.b64encode(self._read(source)))
        finally:
            with self._lock:
                del self._encoding[source.sha256]
                if encoded is not None:
                    self._keep(source.sha256, encoded)
            mine.set_result(encoded)
        return encoded

    def _read(self, source: LocalFile) -> bytes:
        try:
            with open(source.path, "rb") as file:  # noqa: PTH123 the path is a str by contract
                content = file.read(self._max_picture_bytes + 1)
        except (FileNotFoundError, NotADirectoryError):
            raise PictureMissingError(source.shown) from None
        except OSError as error:
            raise PictureUnreadableError(source.shown, error.strerror or type(error).__name__) from error
        if hashlib.sha256(content).hexdigest() != source.sha256:
            raise PictureChangedError(source.shown)
        return content

    def _keep(self, digest: str, encoded: Base64) -> None:
        if len(encoded.text) > self._max_cached_bytes:
            return
        self._cached[digest] = encoded
        self._cached_bytes += len(encoded.text)
        while self._cached_bytes > self._max_cached_bytes:
            _, oldest = self._cached.popitem(last=False)
            self._cached_bytes -= len(oldest.text)


def _failure(kind: str, message: str, *, retryable: bool, owner: Owner = Owner.MERCH) -> Failure:
    return Failure(kind=kind, message=message, retryable=retryable, owner=owner)
