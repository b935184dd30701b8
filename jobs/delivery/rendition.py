"""A picture as a channel wants it: format, size, background, bytes. What asks for nothing leaves it byte for byte."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from PIL import Image, ImageColor, ImageOps

from jobs.config.delivery import ProfileSettings

#: Our extension → Pillow's name.
_FORMATS: Final = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
_EXTENSIONS: Final = {"jpeg": "jpg", "png": "png", "webp": "webp"}
#: Below it a picture is not worth delivering: it is refused.
_WORST: Final = 50
#: Pixels that are opened, as many as come in at most.
_MAX_PIXELS: Final = 100_000_000

Draw = Callable[[Image.Image], Image.Image]


class UnfitError(Exception):
    """The picture cannot be made as the profile wants it; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """A picture made for a channel."""

    content: bytes
    #: Pixels.
    width: int
    height: int
    #: Its pixels were encoded anew, so its metadata has to be carried over.
    anew: bool


def extension_of(profile: ProfileSettings, stored: str) -> str:
    """The extension that a stored picture has once it is made so."""
    return stored if profile.format == "keep" else _EXTENSIONS[profile.format]


def render(original: bytes, extension: str, profile: ProfileSettings, draw: Draw | None = None) -> Rendition:
    """Makes it.

    Args:
        original: the stored picture.
        extension: that of `extension_of`.
        profile: what the channel wants.
        draw: draws the visible label; None: none is wanted.

    Raises:
        UnfitError: too small, or too many bytes whatever its quality.
    """
    try:
        with Image.open(BytesIO(original), formats=tuple(_FORMATS.values())) as opened:
            if opened.width * opened.height > _MAX_PIXELS:
                raise UnfitError(f"{opened.width}x{opened.height} pixels are too many")
            if min(opened.size) < profile.min_side:
                raise UnfitError(
                    f"{opened.width}x{opened.height} pixels; the profile wants {profile.min_side} at least"
                )
            same = ("JPEG" if opened.format == "MPO" else opened.format) == _FORMATS[extension]
            if same and draw is None and _fits(opened.size, len(original), profile):
                return Rendition(content=original, width=opened.width, height=opened.height, anew=False)
            return _made(opened, extension, profile, draw)
    except OSError as error:
        raise UnfitError(f"it cannot be read: {error}") from error


def _fits(size: tuple[int, int], content: int, profile: ProfileSettings) -> bool:
    return (
        (not profile.longest_side or max(size) <= profile.longest_side)
        and (profile.size is None or size == profile.size)
        and (not profile.max_bytes or content <= profile.max_bytes)
    )


def _made(opened: Image.Image, extension: str, profile: ProfileSettings, draw: Draw | None) -> Rendition:
    picture = ImageOps.exif_transpose(opened)
    icc, exif = opened.info.get("icc_profile"), picture.getexif()
    if picture.mode not in {"RGB", "RGBA"}:
        # A profile is of the mode that it was made for.
        icc = icc if picture.mode == "P" else None
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    picture = _sized(picture, profile, opaque=extension == "jpg")
    if draw is not None:
        picture = draw(picture)
    kept: dict[str, Any] = {"icc_profile": icc} if icc else {}
    kept |= {"exif": exif} if len(exif) else {}
    content = _encoded(picture, extension, profile, kept)
    return Rendition(content=content, width=picture.width, height=picture.height, anew=True)


def _sized(picture: Image.Image, profile: ProfileSettings, *, opaque: bool) -> Image.Image:
    """Scaled down into the limits, then put onto the background where it has to be."""
    width, height = profile.size or picture.size
    longest = profile.longest_side or max(width, height)
    box = min(width, longest), min(height, longest)
    if picture.width > box[0] or picture.height > box[1]:
        picture = picture.copy()
        picture.thumbnail(box, Image.Resampling.LANCZOS)
    target = box if profile.size else picture.size
    if target == picture.size and not (opaque and picture.mode == "RGBA"):
        return picture
    ground = Image.new("RGB", target, ImageColor.getrgb(profile.background))
    place = (target[0] - picture.width) // 2, (target[1] - picture.height) // 2
    ground.paste(picture, place, picture if picture.mode == "RGBA" else None)
    return ground


def _encoded(picture: Image.Image, extension: str, profile: ProfileSettings, kept: dict[str, Any]) -> bytes:
    """As good as the limit of bytes lets it be."""

    def at(quality: int) -> bytes:
        out = BytesIO()
        options = {} if extension == "png" else {"quality": quality}
        picture.save(out, _FORMATS[extension], **options, **kept)
        return out.getvalue()

    best = at(profile.quality)
    if not profile.max_bytes or len(best) <= profile.max_bytes:
        return best
    low, high, found = _WORST, profile.quality - 1, None
    while extension != "png" and low <= high:
        middle = (low + high) // 2
        content = at(middle)
        if len(content) <= profile.max_bytes:
            found, low = content, middle + 1
        else:
            high = middle - 1
    if found is None:
        raise UnfitError(f"{len(best):,} bytes; the profile takes {profile.max_bytes:,} at most")
    return found
