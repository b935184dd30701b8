"""Making a JPEG of a picture that HiDream does not take as it is: upright, in sRGB, on white, as large as was planned."""

import io

from PIL import Image, ImageCms, ImageOps

from jobs.heic import open_heic, phone_format
from jobs.pictures.decoding import decoding, formats_of
from jobs.pictures.oddities import SIDEWAYS, orientation

#: Tried one after the other until the JPEG is small enough.
_QUALITIES = (92, 85, 75, 60)
#: 16 bits a channel → 8.
_TO_8_BITS = 1 / 256


def to_jpeg(content: bytes, size: tuple[int, int], max_bytes: int) -> bytes:
    """The picture as a JPEG.

    Args:
        content: of a file that `jobs.pictures.inspection` has found to be whole.
        size: width and height of the JPEG, pixels.
        max_bytes: the JPEG has at most so many.

    Raises:
        ValueError: it cannot be made.
    """
    phone = phone_format(content)
    if phone == "HEIC" and not open_heic():
        raise ValueError("a HEIC picture needs pip install 'vton-batch[heic]' here")
    with decoding():
        try:
            with Image.open(io.BytesIO(content), formats=formats_of(phone)) as opened:
                # A JPEG decodes at a fraction of its size when asked before it is loaded.
                lies = orientation(opened, content) in SIDEWAYS
                opened.draft(None, size[::-1] if lies else size)
                picture = ImageOps.exif_transpose(opened)
            picture = _srgb(_eight_bits(picture))
            if picture.size != size:
                picture = picture.resize(size, Image.Resampling.LANCZOS)
            for quality in _QUALITIES:
                jpeg = io.BytesIO()
                picture.save(jpeg, "JPEG", quality=quality, optimize=True)
                if jpeg.tell() <= max_bytes:
                    return jpeg.getvalue()
        except Exception as error:
            # A decoder raises whatever a file makes it raise.
            raise ValueError(f"no JPEG can be made of it: {type(error).__name__}") from error
    raise ValueError(f"even as a JPEG it has more than {max_bytes:,} bytes")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """8 bits a channel: where a picture of one channel has more, Pillow's own way cuts the brighter ones off."""
    if picture.mode in {"I", "I;16", "I;16L", "I;16B", "I;16N"}:
        return picture.convert("I").point(lambda value: value * _TO_8_BITS).convert("L")
    return picture


def _srgb(picture: Image.Image) -> Image.Image:
    """Colours as every viewer shows them; transparent parts on white."""
    profile = picture.info.get("icc_profile")
    if picture.has_transparency_data:
        layered = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    elif picture.mode not in {"L", "CMYK"}:
        picture = picture.convert("RGB")
    if profile:
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            turned = ImageCms.profileToProfile(picture, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            turned = None  # a profile of another kind of picture, or a broken one
        picture = turned or picture
    picture = picture.convert("RGB")
    picture.info.clear()
    return picture
