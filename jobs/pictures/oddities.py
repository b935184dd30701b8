"""What is odd about a picture: how it lies, how fine its colours are, and what one should look at before it is bought."""

import io
from collections.abc import Iterator
from typing import Any

from PIL import Image

from jobs.pictures.verdict import Remark
from jobs.pictures.weight import is_light

_ORIENTATION = 0x0112
_TURNS = range(1, 9)
#: Those whose width becomes their height.
SIDEWAYS = range(5, 9)
#: Where Pillow has a PNG's metadata, if they stand before its pixels.
_PNG_METADATA = ("xmp", "XML:com.adobe.xmp", "Raw profile type exif")
_DEPTH_AT = 24
#: A PNG of one colour has fewer bytes than pixels by this factor.
_BLANK_PNG = 20
#: Between the darkest and the brightest pixel of a channel, when all of them are as good as the same.
_SAME = 2
#: How often the short side goes into the long one of what is a strip or a banner, hardly a person or a garment.
_STRIP = 5
#: Alpha from which on nobody sees through a pixel.
_OPAQUE = 250


def orientation(picture: Image.Image, content: bytes) -> int:
    """How an opened picture lies by its metadata, 1 to 8 as EXIF counts; 1 is upright."""
    if picture.format == "PNG":
        # Its metadata may stand behind its pixels: Pillow decodes all of them to find out.
        told = b"eXIf" in content or any(name in picture.info for name in _PNG_METADATA)
        if not told or not is_light(picture, 0):
            return 1
        with Image.open(io.BytesIO(content), formats=("PNG",)) as another:
            return _orientation(another)
    return _orientation(picture)


def _orientation(picture: Image.Image) -> int:
    try:
        found = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 metadata that cannot be read turn nothing
        return 1
    return found if found in _TURNS else 1


def bits_a_channel(picture: Image.Image, content: bytes) -> int:
    """8, or more."""
    if picture.format == "PNG":
        return max(8, content[_DEPTH_AT])
    return 16 if picture.mode[0] in "IF" else 8


def oddities(picture: Image.Image, content: bytes) -> Iterator[Remark]:
    """What HiDream may not take as it is meant, of a picture whose wholeness has been looked at."""
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format in {"PNG", "WEBP", "AVIF"}:
        yield Remark(
            "moving", f"a moving picture of {frames} frames; which of them HiDream takes is not known"
        )
    times = max(picture.size) // min(picture.size)
    if times >= _STRIP:
        yield Remark("strip", f"its long side is {times} times its short one")
    decoded = _decoded(picture, content)
    if decoded is None:
        return
    if decoded.has_transparency_data:
        decoded = decoded.convert("RGBA")
        if _ends(decoded)[3][0] < _OPAQUE:
            yield Remark("transparent", "has transparent parts; what HiDream puts behind them is not known")
    if all(high - low <= _SAME for low, high in _ends(decoded)):
        yield Remark("blank", "all of it has one colour")


def _ends(decoded: Image.Image) -> list[tuple[float, float]]:
    """The darkest and the brightest pixel of each channel."""
    found: Any = decoded.getextrema()
    return list(found) if isinstance(found[0], tuple) else [found]


def _decoded(picture: Image.Image, content: bytes) -> Image.Image | None:
    """The picture's pixels if they are at hand, or cost little."""
    if picture.format != "PNG":
        light = picture.format != "WEBP" or is_light(picture, 0)
        # A JPEG that was too heavy to decode has tiles left.
        return picture if light and not getattr(picture, "tile", None) else None
    few = len(content) * _BLANK_PNG < picture.width * picture.height
    if not (few or picture.has_transparency_data) or not is_light(picture, 0):
        return None
    return Image.open(io.BytesIO(content), formats=("PNG",))
