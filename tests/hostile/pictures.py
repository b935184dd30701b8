"""Pictures that were made to break a decoder."""

# ruff: noqa: E501 a case is a row of a table

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from tests.hostile.case import Door, add
from tests.hostile.manifests import content

SIDE = (1024, 1365)
#: 40 megapixels, the most that the settings allow.
LARGE = (8000, 5000)


def plain(size: tuple[int, int] = SIDE) -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert("RGB")


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(*chunks: bytes, picture: bytes | None = None) -> bytes:
    """A whole PNG with these chunks behind its header."""
    whole = picture or saved(plain(), "PNG")
    return whole[:33] + b"".join(chunks) + whole[33:]


def scans(times: int) -> bytes:
    """A progressive JPEG whose last scan comes so many times more."""
    whole = saved(plain((300, 300)), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * times + whole[-2:]


def spoilt(whole: bytes) -> bytes:
    """Another picture's noise in the middle of its pixels."""
    middle = len(whole) // 2
    return whole[:middle] + b"\xff\x00\xd5" * 500 + whole[middle + 1500 :]


def several() -> list[Image.Image]:
    return [plain((512, 512)).rotate(90 * turn) for turn in range(3)]


def exif(size: int) -> bytes:
    """JPEG segments are short; many of them are not."""
    whole = saved(plain(), "JPEG")
    return (
        whole[:2] + (b"\xff\xe1" + struct.pack(">H", 65_535) + bytes(65_533)) * (size // 65_537) + whole[2:]
    )


PNG = saved(plain(), "PNG")
JPEG = saved(plain(), "JPEG", quality=95)
#: name, suffix, content, said of a local one, said of a download.
FILES: tuple[tuple[str, str, Callable[[], bytes], str, str], ...] = (
    ("nothing", "jpg", lambda: b"", r"refused: .*empty", r"broken: an empty file"),
    ("a page of HTML", "jpg", lambda: b"<!doctype html><html>" + b" " * 5000, r"refused: .*no JPEG", r"broken"),
    ("text that begins like a JPEG", "jpg", lambda: b"\xff\xd8\xff\xe0" + b"hello" * 500, r"refused: .*damaged or cut off", r"broken"),
    ("half a JPEG", "jpg", lambda: JPEG[: len(JPEG) // 2], r"refused: .*damaged or cut off", r"broken"),
    ("a JPEG without its last byte", "jpg", lambda: JPEG[:-1], r"refused: .*damaged or cut off", r"broken"),
    ("half a PNG", "png", lambda: PNG[: len(PNG) // 2], r"refused: .*damaged or cut off", r"broken"),
    ("a PNG without its end", "png", lambda: PNG[:-12], r"refused: .*damaged or cut off", r"broken"),
    ("a PNG with a wrong checksum", "png", lambda: spoilt(PNG), r"refused: .*damaged or cut off", r"broken"),
    ("half a WEBP", "webp", lambda: saved(plain(), "WEBP")[:3000], r"refused: .*damaged or cut off", r"broken"),
    ("a PNG that says 60,000 x 60,000", "png", lambda: b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(bytes(9999))) + chunk(b"IEND", b""), r"refused: .*pixels", r"broken: .*pixels"),
    ("40 megapixels, JPEG", "jpg", lambda: saved(plain(LARGE), "JPEG"), r"taken", r"kept 8000x5000"),
    ("40 megapixels, progressive JPEG", "jpg", lambda: saved(plain(LARGE), "JPEG", progressive=True, subsampling=0), r"taken", r"kept 8000x5000"),
    ("40 megapixels, progressive JPEG, cut off", "jpg", lambda: saved(plain(LARGE), "JPEG", progressive=True, subsampling=0)[:-70_000], r"refused: .*damaged or cut off", r"broken: the end"),
    ("40 megapixels, PNG", "png", lambda: saved(plain(LARGE), "PNG", compress_level=1), r"taken", r"kept 8000x5000"),
    ("40 megapixels, WEBP", "webp", lambda: saved(Image.new("RGB", LARGE, "navy"), "WEBP", quality=10, method=0), r"taken", r"kept 8000x5000"),
    ("40 megapixels, WEBP, cut off", "webp", lambda: saved(Image.new("RGB", LARGE, "navy"), "WEBP", quality=10, method=0)[:-9], r"refused: .*damaged or cut off", r"broken"),
    ("a progressive JPEG of 2,000 scans", "jpg", lambda: scans(2_000), r"refused: .*scans", r"broken: .*scans"),
    ("texts of 400 MB packed into a PNG", "png", lambda: png_with(*[chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000)))] * 400), r"refused: .*damaged or cut off", r"broken"),
    ("one text of 100 MB packed into a PNG", "png", lambda: png_with(chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(100_000_000), 1))), r"refused: .*damaged or cut off", r"broken"),
    ("a colour profile of 100 MB packed into a PNG", "png", lambda: png_with(chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(100_000_000), 1))), r"refused: .*damaged or cut off", r"broken"),
    ("a PNG with 8 MB of something unknown", "png", lambda: png_with(chunk(b"abCd", bytes(8_000_000))), r"taken", r"kept 1024x1365"),
    ("a PNG that moves", "png", lambda: saved(several()[0], "PNG", save_all=True, append_images=several()[1:]), r"taken", r"kept 512x512"),
    ("a WEBP that moves", "webp", lambda: saved(several()[0], "WEBP", save_all=True, append_images=several()[1:]), r"taken", r"kept 512x512"),
    ("several JPEGs in one", "jpg", lambda: saved(several()[0], "MPO", save_all=True, append_images=several()[1:]), r"taken", r"kept 512x512"),
    ("a JPEG with 8 MB of notes", "jpg", lambda: exif(8_000_000), r"taken", r"kept 1024x1365"),
    ("a JPEG with noise in the middle", "jpg", lambda: spoilt(JPEG), r"taken", r"kept 1024x1365"),
    ("a GIF called JPEG", "jpg", lambda: saved(plain((64, 64)), "GIF"), r"refused: .*no JPEG", r"broken"),
    ("a TIFF called PNG", "png", lambda: saved(plain((64, 64)), "TIFF"), r"refused: .*no JPEG", r"broken"),
    ("an SVG called PNG", "png", lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>' * 50, r"refused: .*no JPEG", r"broken"),
    ("a PostScript program called JPEG", "jpg", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n" + b"x" * 5000, r"refused: .*no JPEG", r"broken"),
    ("a Photoshop file called PNG", "png", lambda: b"8BPS\0\1" + bytes(5000), r"refused: .*no JPEG", r"broken"),
)  # fmt: skip


def _write(suffix: str, build: Callable[[], bytes]) -> Callable[[Path], Path]:
    """Builds the content when it is wanted, not before."""

    def make(folder: Path) -> Path:
        return content(f"a.{suffix}", build())(folder)

    return make


for _name, _suffix, _build, _local, _download in FILES:
    add(_name, Door.LOCAL, _write(_suffix, _build), _local)
    add(_name, Door.DOWNLOAD, _write(_suffix, _build), _download)


def _sparse(folder: Path) -> Path:
    path = folder / "a.jpg"
    with path.open("wb") as file:
        file.truncate(1_000_000_000)
    return path


def _link_out(folder: Path) -> Path:
    path = folder / "a.jpg"
    path.symlink_to("/etc/passwd")
    return path


def _pipe(folder: Path) -> Path:
    path = folder / "a.jpg"
    os.mkfifo(path)
    return path


def _folder(folder: Path) -> Path:
    path = folder / "a.jpg"
    path.mkdir()
    return path


add("a gigabyte", Door.LOCAL, _sparse, r"refused: .*at most 10,000,000")
add("a gigabyte", Door.DOWNLOAD, _sparse, r"refused: .*more than 50,000,000 bytes")
add("a link out of the folder", Door.LOCAL, _link_out, r"refused: .*outside")
add("a pipe that nobody writes into", Door.LOCAL, _pipe, r"refused: .*not an ordinary file")
add("a folder called JPEG", Door.LOCAL, _folder, r"refused: .*folder")
#: The server says of this name that it is packed.
add(
    "64 MB packed into 64 KB by the server",
    Door.DOWNLOAD,
    content("packed.jpg", zlib.compress(bytes(64_000_000))),
    r"refused: .*compressed",
)
