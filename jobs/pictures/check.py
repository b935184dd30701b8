"""The check of local pictures: inside the allowed folders, whole, of a size HiDream takes; then hashed."""

import hashlib
import io
import os
import stat
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import TypeVar

from PIL import Image, UnidentifiedImageError

from jobs.config.settings import PictureSettings
from jobs.errors import VtonError
from jobs.manifest.addresses import is_address, scheme_of, unreachable
from jobs.pictures.weight import MAX_SCANS, ManyScansError, bound_texts, is_whole
from jobs.records import LocalFile, Source, Url

#: Paths, and contents, whose outcome is remembered.
_REMEMBERED = 20_000
_FORMATS = ("JPEG", "PNG", "WEBP")
#: Device, inode, size in bytes, time of change in ns: who has the same four has the same content.
_Stamp = tuple[int, int, int, int]

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class PictureError(VtonError):
    """A local picture that cannot be sent."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        #: A sentence for the merchandiser.
        self.why = why


class LocalPictures:
    """Turns what a row says into a source, looking at each file once as long as it does not change."""

    def __init__(self, settings: PictureSettings, folder: Path, *, extracted: Path | None = None) -> None:
        """Takes the limits and the folder that relative paths begin at.

        `extracted`: where pictures lie that stood in a workbook; they count as lying beside it.
        """
        self._settings = settings
        self._folder = folder.resolve()
        self._roots = tuple(root.resolve() for root in settings.roots) or (self._folder,)
        if extracted is not None:
            self._roots += (extracted.resolve(),)
        #: Text of the row → its path before links are followed, the file as it was, and what was found.
        self._by_text: OrderedDict[str, tuple[str, _Stamp, LocalFile]] = OrderedDict()
        #: A file as it was → its digest, or why it is refused; shared by all texts that lead to it.
        self._by_stamp: OrderedDict[_Stamp, str | PictureError] = OrderedDict()

    def source(self, text: str) -> Source:
        """The source that a URL or a path names.

        Raises:
            PictureError: the path leads to no picture that may and can be sent.
        """
        if is_address(text):
            if self._settings.private_hosts == "refuse" and (why := unreachable(text)):
                raise PictureError(why)
            return Url(url=text)
        known = self._by_text.get(text)
        path = known[0] if known else str(self._path(text))
        stamp = _stamp(path)
        if known and known[1] == stamp:
            self._by_text.move_to_end(text)
            return known[2]
        real = self._inside(Path(path))
        found = LocalFile(path=str(real), sha256=self._digest(real, stamp))
        _remember(self._by_text, text, (path, stamp, found))
        return found

    def _path(self, text: str) -> Path:
        if text.startswith("~"):
            raise PictureError("a path with ~ is not read; give the path from the manifest's folder")
        scheme = scheme_of(text)
        if scheme == "file":
            raise PictureError("file: addresses are not read; give the path from the manifest's folder")
        if scheme and "//" in text:
            raise PictureError(
                f"addresses of the kind {scheme}:// are not read; only http:// and https:// are"
            )
        if not text or "\0" in text:
            raise PictureError("the path is empty or holds a NUL character")
        return self._folder / text

    def _inside(self, path: Path) -> Path:
        """The path with its links followed, if it is inside an allowed folder."""
        real = path.resolve()
        if not any(real.is_relative_to(root) for root in self._roots):
            raise PictureError("the file is outside the folders that pictures may come from (pictures.roots)")
        return real

    def _digest(self, real: Path, stamp: _Stamp) -> str:
        found = self._by_stamp.get(stamp)
        if found is None:
            try:
                found = self._looked_at(real, stamp)
            except PictureError as error:
                found = PictureError(error.why)  # without the traceback, which would hold the content
            _remember(self._by_stamp, stamp, found)
        self._by_stamp.move_to_end(stamp)
        if isinstance(found, PictureError):
            raise PictureError(found.why)
        return found

    def _looked_at(self, real: Path, stamp: _Stamp) -> str:
        """The digest of the content that was also proven to be a picture: both from the same bytes."""
        size = stamp[2]
        if not size:
            raise PictureError("the file is empty")
        if size > self._settings.max_bytes:
            raise PictureError(f"the file has {size:,} bytes; at most {self._settings.max_bytes:,} are sent")
        content = _content(real, stamp)
        self._check_picture(content)
        return hashlib.sha256(content).hexdigest()

    def _check_picture(self, content: bytes) -> None:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata, which is nobody's harm, and of bombs, which are measured below.
            warnings.simplefilter("ignore")
            bound_texts()
            try:
                with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
                    self._check_size(*picture.size)
                    whole = is_whole(picture, content)
            except PictureError:
                raise
            except ManyScansError:
                raise PictureError(
                    f"the picture has more than {MAX_SCANS} scans, which no camera writes; save it anew"
                ) from None
            except UnidentifiedImageError:
                raise PictureError("the file is no JPEG, PNG or WEBP picture") from None
            except Image.DecompressionBombError:
                raise PictureError(
                    f"the picture has more than {self._settings.max_pixels:,} pixels"
                ) from None
            except Exception:  # noqa: BLE001 decoders raise whatever a hostile file makes them raise
                whole = False
        if not whole:
            raise PictureError("the picture is damaged or cut off")

    def _check_size(self, width: int, height: int) -> None:
        limits = self._settings
        size = f"the picture has {width} x {height} pixels"
        if width * height > limits.max_pixels:
            raise PictureError(f"{size}; at most {limits.max_pixels:,} altogether are sent")
        if min(width, height) < limits.min_side:
            raise PictureError(f"{size}; each side needs at least {limits.min_side}")


def _stamp(path: str) -> _Stamp:
    """What tells whether the file is still the same; follows links."""
    try:
        found = os.stat(path)  # noqa: PTH116 every row of a night asks, and a Path costs more than the call
    except (FileNotFoundError, NotADirectoryError):
        hint = "; write / instead of \\ in paths" if "\\" in path else ""
        raise PictureError(f"there is no such file{hint}") from None
    except OSError as error:
        raise PictureError(f"the file cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise PictureError(
            "this is a folder" if stat.S_ISDIR(found.st_mode) else "this is not an ordinary file"
        )
    return _stamp_of(found)


def _stamp_of(status: os.stat_result) -> _Stamp:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _content(real: Path, stamp: _Stamp) -> bytes:
    """The file's bytes, if it is still the one that was looked at; never waits on a pipe put in its place."""
    try:
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        with open(descriptor, "rb") as file:  # noqa: PTH123 a descriptor has no path
            opened = os.fstat(descriptor)
            content = file.read(stamp[2] + 1)
    except OSError as error:
        raise PictureError(f"the file cannot be read: {error.strerror}") from None
    if _stamp_of(opened) != stamp or len(content) != stamp[2]:
        raise PictureError("the file was changed while it was being read")
    return content


def _remember(memory: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    memory[key] = value
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)
