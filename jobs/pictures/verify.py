"""Proves that a downloaded file is a whole picture: by decoding all of it, or by its structure when that is too heavy."""

import errno
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import IO

from PIL import Image

from jobs.pictures.weight import MAX_SCANS, ManyScansError, bound_texts, is_whole

#: Pillow's name of a format → our file extension.
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


class BrokenPictureError(Exception):
    """The file is no whole picture of a format we take; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What decoding has shown."""

    extension: str
    #: Pixels.
    width: int
    height: int


def prove(path: Path, *, max_pixels: int) -> Proof:
    """Looks at all of a file, in about 64 MB at most; one at a time per process.

    Raises:
        BrokenPictureError: no JPEG, PNG or WEBP, more pixels than `max_pixels`, truncated or corrupt.
        OSError: the file cannot be read, or there is no memory for it; that says nothing about the picture.
    """
    if path.stat().st_size == 0:
        raise BrokenPictureError("an empty file")
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return _prove(file, content, max_pixels)


def _prove(file: IO[bytes], content: mmap, max_pixels: int) -> Proof:
    bound_texts()
    try:
        with Image.open(file, formats=tuple(EXTENSIONS)) as picture:
            # Pillow gives a JPEG with a second picture behind the first another name.
            kind = "JPEG" if picture.format == "MPO" else picture.format or ""
            width, height = _within(*picture.size, max_pixels)
            whole = is_whole(picture, content, pixels=True)
    except BrokenPictureError:
        raise
    except ManyScansError as error:
        raise BrokenPictureError(f"a JPEG of more than {MAX_SCANS} scans, which no camera writes") from error
    except Image.DecompressionBombError as error:
        raise BrokenPictureError(f"more than {max_pixels:,} pixels") from error
    except MemoryError as error:
        raise OSError(errno.ENOMEM, "no memory to decode it") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            # The system's, not Pillow's: its own have no number.
            raise
        # Bytes from outside make Pillow raise nearly everything.
        raise BrokenPictureError(f"not a whole picture: {type(error).__name__}") from error
    if not whole:
        raise BrokenPictureError(f"the end of the {kind} is missing")
    return Proof(extension=EXTENSIONS[kind], width=width, height=height)


def _within(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    if width * height > max_pixels:
        raise BrokenPictureError(f"{width}x{height} pixels are more than {max_pixels:,}")
    return width, height
