"""Proves that a downloaded file is a whole picture, by decoding all of it."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

#: Pillow's name of a format → our file extension.
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}

#: A JPEG may have bytes behind its end marker; the marker cannot occur inside its pixels.
_TAIL_BYTES = 64 * 1024
_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}


class BrokenPictureError(Exception):
    """The file is no whole picture of a format we take; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What decoding told."""

    extension: str
    #: Pixels.
    width: int
    height: int


def prove(path: Path, *, max_pixels: int) -> Proof:
    """Decodes a file; one at a time per process, since each may take 4 bytes a pixel.

    Raises:
        BrokenPictureError: no JPEG, PNG or WEBP, more pixels than `max_pixels`, truncated or corrupt.
    """
    if path.stat().st_size == 0:
        raise BrokenPictureError("an empty file")
    try:
        with Image.open(path, formats=tuple(EXTENSIONS)) as picture:
            kind, (width, height) = _known(picture.format), picture.size
            _within(width, height, max_pixels)
            if kind == "JPEG":
                # An eighth of the size: every coded byte is still read, with a sixty-fourth of the memory.
                picture.draft("RGB", (max(1, width // 8), max(1, height // 8)))
            picture.load()
    except BrokenPictureError:
        raise
    except Exception as error:
        # Bytes from outside make Pillow raise nearly everything.
        raise BrokenPictureError(f"not a whole picture: {type(error).__name__}") from error
    if not _ends_well(path, kind):
        raise BrokenPictureError(f"the end of the {kind} is missing")
    return Proof(extension=EXTENSIONS[kind], width=width, height=height)


def _known(kind: str | None) -> str:
    # Pillow gives a JPEG with a second picture behind the first another name.
    return "JPEG" if kind == "MPO" else kind or ""


def _within(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise BrokenPictureError(f"{width}x{height} pixels are more than {max_pixels:,}")


def _ends_well(path: Path, kind: str) -> bool:
    """Whether the format's end is there: decoders forgive a missing one once all pixels have come."""
    end = _ENDS.get(kind)
    if end is None:
        return True
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return end in file.read()
