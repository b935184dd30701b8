"""Small pictures as `data:` addresses, so that the page is one file that needs no network."""

import base64
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

#: Pixels beyond which a picture is not opened: a thumbnail is not worth the memory.
_MAX_PIXELS: Final = 60_000_000
_QUALITY: Final = 80


class Thumbnails:
    """Makes thumbnails and remembers them; hold on to one while a batch's page is written again and again.

    Args:
        capacity: thumbnails remembered; about 15 KB each.
    """

    def __init__(self, capacity: int = 2_000) -> None:
        self._made = lru_cache(capacity)(_thumbnail)

    def of(self, path: Path, side: int) -> str | None:
        """The picture as a JPEG `data:` address.

        Args:
            path: a picture on disk.
            side: the longest side in pixels; a smaller picture keeps its size.

        Returns:
            None when there is no such file, or it is no picture that can be read.
        """
        try:
            stat = path.stat()
        except (OSError, ValueError):
            return None
        return self._made(path, side, stat.st_mtime_ns, stat.st_size)


def _thumbnail(path: Path, side: int, _modified_ns: int, _bytes: int) -> str | None:
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                return None
            # A JPEG decodes at a fraction of its size when asked before it is loaded.
            picture.draft("RGB", (side, side))
            ImageOps.exif_transpose(picture, in_place=True)
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
            jpeg = BytesIO()
            _opaque(picture).save(jpeg, "JPEG", quality=_QUALITY, optimize=True)
    except Exception:  # noqa: BLE001 Pillow's decoders raise nearly anything on broken files, bomb warnings too
        return None
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.getvalue()).decode()}"


def _opaque(picture: Image.Image) -> Image.Image:
    """The picture on white; JPEG knows no transparency, and cut-outs of garments have it."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    white = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(white, layered).convert("RGB")
