"""What holds while pictures from outside are opened, in however many threads."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from jobs.pictures.weight import bound_texts

#: What HiDream takes, and what a JPEG is made of besides, as Pillow calls them. Nothing else is ever opened.
_SENT = ("JPEG", "PNG", "WEBP")
_CONVERTED = {"AVIF": ("AVIF",), "HEIC": ("HEIF",)}


def formats_of(phone: str) -> tuple[str, ...]:
    """What Pillow may take a picture for; `phone`: by jobs.heic.phone_format."""
    return _CONVERTED.get(phone, _SENT)


class _Quiet:
    """No warnings while anybody is inside: Python's own block of that kind is not made for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._block = warnings.catch_warnings()

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._block = warnings.catch_warnings()
                self._block.__enter__()
                warnings.simplefilter("ignore")

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._block.__exit__(None, None, None)


_quiet = _Quiet()


@contextmanager
def decoding() -> Iterator[None]:
    """Pillow says nothing of odd metadata, which is nobody's harm, or of bombs, which are measured; texts stay small."""
    bound_texts()
    _quiet.enter()
    try:
        yield
    finally:
        _quiet.leave()
