"""The traits of a picture: what flags need of it, taken from its pixels once and then compared without them."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from PIL import ExifTags, Image, ImageChops, ImageFilter, ImageOps, ImageStat

from jobs.errors import VtonError
from jobs.pictures.decoding import decoding
from jobs.pictures.weight import is_light, jpeg_structure

#: Columns and rows in which pictures are compared. A cell of a picture of 1 MP is about 36 pixels wide: noise and
#: compression average out.
GRID: Final = (24, 32)
#: Columns and rows of the small copy from which a part can still be cut.
SMALL: Final = (96, 128)
#: Pixels a side that are looked at in full; of a bigger JPEG a half, a quarter or an eighth is decoded.
_SIDE: Final = 1024
_MAX_PIXELS: Final = 40_000_000
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "MPO")
#: Its middle, in which edges are looked for: columns and rows of pixels.
_MIDDLE: Final = (480, 800)
#: Least contrast, in levels, in which edges differ from noise.
_CONTRAST: Final = 4

#: Red, green and blue, 0 to 255.
Cell = tuple[int, int, int]


class NotMeasuredError(VtonError):
    """A picture that is too heavy to look at beside the work, or none that can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One picture as it is compared, upright."""

    #: Its small copy, RGB of SMALL; what is see-through has no meaning.
    small: Image.Image
    #: How opaque the small copy is, 0 to 255; None when all of it is.
    cover: Image.Image | None = None
    #: Width over height.
    aspect: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What one picture looks like, upright."""

    #: Pixels.
    width: int
    height: int
    look: Look
    #: Below which 95 % of its pixels are as bright, in levels of 255.
    light: float
    #: Spread of its brightness, in levels of 255.
    contrast: float
    #: How far its most colourful cells, a twentieth of all, are from grey at least, in levels of 255.
    chroma: float
    #: Fine contrast over coarse contrast: about 0.5 in a sharp picture, 0.2 in a blurred one; None when it has no edges.
    sharpness: float | None


def traits_of(content: bytes, *, sharpness: bool = True) -> Traits:
    """Looks at a picture, in about 10 ms a megapixel.

    Args:
        content: of its file.
        sharpness: whether it is asked for.

    Raises:
        NotMeasuredError: see there.
    """
    try:
        with decoding(), Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
            _allow(opened, content)
            size = _upright_size(opened)
            opened.draft("RGB", (_SIDE, _SIDE))
            ImageOps.exif_transpose(opened, in_place=True)
            return _measured(opened, size, sharpness=sharpness)
    except (NotMeasuredError, MemoryError):
        raise
    except Exception as error:
        # Bytes from outside make Pillow raise nearly everything.
        raise NotMeasuredError(f"it cannot be read: {type(error).__name__}") from error


def _allow(opened: Image.Image, content: bytes) -> None:
    scans = jpeg_structure(content).scans if opened.format in {"JPEG", "MPO"} else 1
    if opened.width * opened.height > _MAX_PIXELS or not is_light(opened, scans):
        raise NotMeasuredError("it is too heavy to be decoded beside the work")


def _upright_size(opened: Image.Image) -> tuple[int, int]:
    sideways = opened.getexif().get(ExifTags.Base.Orientation) in {5, 6, 7, 8}
    return (opened.height, opened.width) if sideways else opened.size


def _measured(picture: Image.Image, size: tuple[int, int], *, sharpness: bool) -> Traits:
    cover = None
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    picture = picture if picture.mode == mode else picture.convert(mode)
    small = picture.resize(SMALL, Image.Resampling.BOX)
    if picture.mode == "RGBA":
        cover = small.getchannel("A")
        small = small.convert("RGB")
    grey = picture.convert("L")
    levels = grey.histogram()
    contrast = ImageStat.Stat(levels).stddev[0]
    colourful = sorted(max(cell) - min(cell) for cell in cells_of(small))
    return Traits(
        width=size[0],
        height=size[1],
        look=Look(small=small, cover=cover, aspect=size[0] / size[1]),
        light=_light(levels),
        contrast=contrast,
        chroma=colourful[-len(colourful) // 20],
        sharpness=_sharpness(grey) if sharpness and contrast >= _CONTRAST else None,
    )


def _light(histogram: Sequence[int]) -> float:
    """The level that 19 of 20 pixels do not pass."""
    levels = accumulate(histogram)
    wanted = 0.95 * sum(histogram)
    return float(next(level for level, pixels in enumerate(levels) if pixels >= wanted))


def cells_of(small: Image.Image) -> list[Cell]:
    """The cells of a small copy."""
    return list(zip(*[iter(small.resize(GRID, Image.Resampling.BOX).tobytes())] * 3, strict=True))


def _sharpness(grey: Image.Image) -> float | None:
    """How much of the contrast within 9 pixels lies within 3: what was blurred has lost the fine part alone."""
    if (times := max(grey.size) // _SIDE) > 1:
        grey = grey.reduce(times)
    left, top = ((side - min(side, most)) // 2 for side, most in zip(grey.size, _MIDDLE, strict=True))
    grey = grey.crop((left, top, grey.width - left, grey.height - top))
    fine, coarse = (_within(grey, radius) for radius in (1, 4))
    return fine / coarse if coarse else None


def _within(grey: Image.Image, radius: int) -> float:
    around = grey.filter(ImageFilter.BoxBlur(radius))
    mean: float = ImageStat.Stat(ImageChops.difference(grey, around)).mean[0]
    return mean
