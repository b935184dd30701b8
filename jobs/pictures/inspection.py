"""The inspection of a picture's bytes: whole, of a size that HiDream takes as it is, or once a JPEG is made of it."""

import io
import math
import threading
from contextlib import nullcontext
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from jobs.config.settings import PictureSettings
from jobs.heic import open_heic, phone_format
from jobs.pictures.decoding import decoding, formats_of
from jobs.pictures.oddities import SIDEWAYS, bits_a_channel, oddities, orientation
from jobs.pictures.verdict import PictureError, Remark, too_many_bytes
from jobs.pictures.weight import JPEG_PARTS, MAX_SCANS, ManyScansError, conversion_bytes, is_whole

#: Memory that making a JPEG of a picture may take, bytes.
_CONVERSION_BYTES = 400_000_000
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What stands in a verdict beside the digest."""

    #: As in `Verdict`.
    jpeg: str = ""
    remarks: tuple[Remark, ...] = ()


def inspect(content: bytes, limits: PictureSettings) -> Found:
    """Looks at all of a picture.

    Raises:
        PictureError: it cannot be sent. MemoryError: that says nothing of it.
    """
    phone = phone_format(content)
    if phone and limits.convert == "off":
        raise PictureError(
            f"a picture of the kind {phone} is not sent: save it as JPEG (or pictures.convert: auto)"
        )
    if phone == "HEIC" and not open_heic():
        raise PictureError("a HEIC picture needs pip install 'vton-batch[heic]' here, or save it as JPEG")
    # All of a phone's picture is decoded: some hundred megabytes.
    with decoding(), _ONE_AT_A_TIME if phone else nullcontext():
        try:
            with Image.open(io.BytesIO(content), formats=formats_of(phone)) as picture:
                found = _found(picture, content, limits, phone)
                whole = is_whole(picture, content)
                if whole:
                    return Found(jpeg=found.jpeg, remarks=(*found.remarks, *oddities(picture, content)))
        except (PictureError, MemoryError):
            raise
        except ManyScansError:
            why = f"the picture has more than {MAX_SCANS} scans, which no camera writes; save it anew"
            raise PictureError(why) from None
        except UnidentifiedImageError:
            if not phone:
                _check_bytes(content, limits)
                raise PictureError("the file is no JPEG, PNG or WEBP picture") from None
        except Image.DecompressionBombError:
            raise PictureError(f"the picture has more than {limits.max_pixels:,} pixels") from None
        except Exception:  # noqa: BLE001, S110 decoders raise whatever a hostile file makes them raise
            pass
    raise PictureError("the picture is damaged or cut off")


def _found(picture: Image.Image, content: bytes, limits: PictureSettings, phone: str) -> Found:
    """Whether the picture goes out as it is, or what JPEG is made of it."""
    width, height = picture.size
    if min(width, height) < limits.min_side:
        raise PictureError(f"{_size_words(width, height)}; each side needs at least {limits.min_side}")
    if limits.convert == "auto":
        turned = orientation(picture, content)
        if turned in SIDEWAYS:
            width, height = height, width
        scale = _scale(picture, width, height, limits)
        reasons = [
            words
            for words, holds in (
                (f"{phone} picture", bool(phone)),
                ("turned upright", turned != 1),
                ("CMYK colours", picture.mode == "CMYK"),
                ("16 bits a channel", bits_a_channel(picture, content) > 8),  # noqa: PLR2004 what a JPEG has
                (f"scaled down from {width} x {height}", scale < 1),
                (f"{len(content):,} bytes", len(content) > limits.max_bytes and scale == 1),
            )
            if holds
        ]
        if reasons and conversion_bytes(picture, scale) <= _CONVERSION_BYTES:
            across, down = (max(1, int(side * scale)) for side in (width, height))
            if min(across, down) >= limits.min_side:
                words = f"{', '.join(reasons)}: sent as a JPEG of {across} x {down}"
                return Found(jpeg=f"{across}x{down}", remarks=(Remark("converted", words),))
    if width * height > limits.max_pixels:
        words = _size_words(*picture.size)
        raise PictureError(f"{words}; at most {limits.max_pixels:,} altogether are sent")
    _check_bytes(content, limits)
    if phone:
        raise PictureError(f"{_size_words(width, height)}, too many to make a JPEG of this {phone} picture")
    return Found()


def _scale(picture: Image.Image, width: int, height: int, limits: PictureSettings) -> float:
    """What the sides are multiplied by, at most 1; less than would do where a JPEG is too heavy to decode so large."""
    by_side = limits.max_side / max(width, height) if limits.max_side else 1.0
    scale = min(1.0, by_side, math.sqrt(limits.max_pixels / (width * height)))
    if scale == 1:
        return scale
    light = (part for part in (scale, *JPEG_PARTS) if conversion_bytes(picture, part) <= _CONVERSION_BYTES)
    return next((part for part in light if part <= scale), scale)


def _check_bytes(content: bytes, limits: PictureSettings) -> None:
    if len(content) > limits.max_bytes:
        raise too_many_bytes(len(content), limits.max_bytes)


def _size_words(width: int, height: int) -> str:
    return f"the picture has {width} x {height} pixels"
