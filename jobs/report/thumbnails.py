"""Small pictures, made once for each content and kept in the data folder: the sheet only links to them."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from jobs.heic import open_heic, phone_format
from jobs.planned_files import read_planned
from jobs.records import LocalFile, Pair, Url
from jobs.signed_addresses import unsigned
from jobs.whole_files import keep_whole, sweep, under_way

#: Longest side, pixels; a smaller picture keeps its size.
SIDE: Final = 320
#: Pixels beyond which a picture is not opened: a thumbnail is not worth the memory.
MAX_PIXELS: Final = 60_000_000
#: The same where several are made at once, or beside other work.
LIGHT_PIXELS: Final = 14_000_000
#: Longest side that a thumbnail of what was put in has at least, pixels: the contact sheet shows it smaller than the result.
INPUT_SIDE: Final = 288
#: What pictures are put in as and come out as, by jobs.heic.phone_format. Pillow's other decoders are for files that one
#: trusts: that of EPS starts Ghostscript.
_FORMATS: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("JPEG", "PNG", "WEBP"),
    "AVIF": ("AVIF",),
    "HEIC": ("HEIF",),
}
_QUALITY: Final = 76
#: Of Pillow's 0 to 6: collect processes make them while pictures come in, so time counts more than bytes.
_EFFORT: Final = 0


class Thumbnails:
    """A folder of thumbnails, `<2 hex>/<sha256 of the picture>.webp`; any number of processes may add to it."""

    def __init__(self, root: Path, *, max_pixels: int = MAX_PIXELS) -> None:
        self.root = root
        self._max_pixels = max_pixels

    def place(self, key: str) -> Path:
        """Where the thumbnail of a picture is, or would be; `key`: its SHA-256, or an `address_key`."""
        return self.root / key[:2] / f"{key}.webp"

    def of_address(self, url: Url) -> Path:
        """Where the thumbnail of a manifest's address is, or would be."""
        return self.place(address_key(url.url))

    def has(self, key: str) -> bool:
        """Whether there is one; an empty file is what a power cut has left."""
        try:
            return self.place(key).stat().st_size > 0
        except OSError:
            return False

    def make(self, key: str, picture: Path | bytes, *, verify: bool = False, least: int = SIDE) -> bool:
        """Makes a thumbnail unless there is one. Never raises: the sheet shows a name in its place.

        Args:
            key: what it is called.
            picture: a picture on disk, or its bytes.
            verify: only of a file whose SHA-256 the key is.
            least: longest side of one that will do, pixels; half of the time is decoding, which knows halves only.

        Returns:
            Whether there is one now.
        """
        if self.has(key):
            return True
        try:
            content = picture if isinstance(picture, bytes) else read_planned(picture)
            if content is None or (verify and hashlib.sha256(content).hexdigest() != key):
                return False
            small = _small(content, self._max_pixels, least)
            if small is None:
                return False
            keep_whole(self.root, self.place(key), small)
        except Exception:  # noqa: BLE001 Pillow's decoders raise nearly anything on broken files, bomb warnings too
            return False
        return True

    def make_all(self, pair: Pair, pictures: Iterable[tuple[Path, str]]) -> None:
        """Makes those of a pair's pictures, each with its SHA-256, and of the files that were put in."""
        for picture, sha256 in pictures:
            self.make(sha256, picture)
        for _, source in pair.slots():
            if isinstance(source, LocalFile):
                self.make(source.sha256, Path(source.path), verify=True, least=INPUT_SIDE)

    def link(self, key: str, target: Path, under_way: Path) -> bool:
        """Puts a thumbnail into a folder that may leave this host: by a hard link where the disk has it, else a copy.

        `under_way`: a temporary name in the target's file system.

        Returns:
            False when there is none. Raises OSError: the folder does not take it.
        """
        if target.exists():
            return True
        if not self.has(key):
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(self.place(key), target)
        except FileExistsError:
            return True
        except OSError:
            try:
                shutil.copyfile(self.place(key), under_way)
                under_way.replace(target)
            finally:
                with suppress(FileNotFoundError):
                    under_way.unlink()
        return True

    def sweep(self, *, older_than_s: float = 3600) -> None:
        """Removes what killed processes left under way."""
        sweep(self.root, older_than_s=older_than_s)

    def under_way(self) -> Path:
        """A new name in a folder that `sweep` looks after."""
        return under_way(self.root)


def address_key(url: str) -> str:
    """What the thumbnail of an address is called; an address counts without what signs it."""
    return hashlib.sha256(f"address:{unsigned(url)}".encode("utf-8", "surrogatepass")).hexdigest()


def small_copy(content: bytes, max_pixels: int) -> bytes | None:
    """A thumbnail of a picture's bytes, kept nowhere; None when none can be made."""
    try:
        return _small(content, max_pixels, SIDE)
    except Exception:  # noqa: BLE001 as `make`
        return None


def _small(content: bytes, max_pixels: int, least: int) -> bytes | None:
    phone = phone_format(content[:64])
    if phone == "HEIC" and not open_heic():
        return None
    with Image.open(BytesIO(content), formats=_FORMATS[phone]) as picture:
        if picture.width * picture.height > max_pixels:
            return None
        # A JPEG decodes at a half, a quarter or an eighth of its size when asked before it is loaded.
        longest = max(picture.size)
        width, height = (max(1, least * side // longest) for side in picture.size)
        picture.draft("RGB", (width, height))
        ImageOps.exif_transpose(picture, in_place=True)
        # A better filter takes twice as long as all the rest, and nobody sees it at this size.
        picture.thumbnail((SIDE, SIDE), Image.Resampling.HAMMING, reducing_gap=1.0)
        webp = BytesIO()
        _opaque(picture).save(webp, "WEBP", quality=_QUALITY, method=_EFFORT)
    return webp.getvalue()


def _opaque(picture: Image.Image) -> Image.Image:
    """The picture on white, where cut-outs of garments are judged."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    white = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(white, layered).convert("RGB")
