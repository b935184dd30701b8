"""How heavy a picture is to decode, as its header says, before anything is decoded.

A file of a few bytes may ask for hundreds of megabytes of pixels. What is too heavy is not decoded; its structure
proves that it came whole: checksums in a PNG, lengths in a WEBP, the segments of a JPEG up to its end marker.
"""

import re
from dataclasses import dataclass
from mmap import mmap
from typing import Any

from PIL import Image, PngImagePlugin

#: Memory that decoding one picture may take, bytes.
DECODING_BYTES = 56_000_000
#: Passes over all of its pixels that a JPEG may ask for; cameras and libraries write ten.
MAX_SCANS = 100
#: Segments of a JPEG that are looked at; a real one has a few dozen.
_MAX_SEGMENTS = 20_000
#: The next marker among segments, and within coded pixels, where restarts and stuffed bytes belong to them.
_MARKER = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_START_OF_SCAN, _END = 0xDA, 0xD9
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
#: What may follow coded pixels: further scans, their tables, comments, application segments.
_AFTER_SCAN = frozenset({_START_OF_SCAN, 0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)})

#: Bytes a pixel that Pillow's decoders were measured to take.
_PNG_PIXEL = 4.0
_WEBP_PIXEL = 15.5
#: The same when a JPEG is made of them, with what turning and colours take.
_JPEG_PIXEL = 8.0
#: Of its sides; a JPEG is decoded at the smallest that is enough.
JPEG_PARTS = (1 / 2, 1 / 4, 1 / 8)
_OTHER_PIXEL = 10.0
#: Unpacked texts of a PNG that Pillow may keep, bytes; by itself it allows sixteen times as much.
_TEXT_BYTES = 4_000_000
#: Behind the end of a PNG there may be other things.
_TAIL_BYTES = 64 * 1024
_RIFF_HEAD = 8


class ManyScansError(Exception):
    """A JPEG that asks for more passes over its pixels than any camera writes."""


def bound_texts() -> None:
    """Keeps the texts that a PNG may unpack small; call before opening pictures from outside."""
    PngImagePlugin.MAX_TEXT_MEMORY = _TEXT_BYTES


def is_light(picture: Image.Image, scans: int) -> bool:
    """Whether an opened JPEG, PNG or WEBP may be decoded within `DECODING_BYTES`; `scans`: of a JPEG."""
    pixels = picture.width * picture.height
    match picture.format:
        case "PNG":
            needed = pixels * _PNG_PIXEL
        case "WEBP":
            needed = pixels * _WEBP_PIXEL
        case _:
            needed = pixels * _coefficient_bytes(picture) if scans > 1 else 0
    return needed <= DECODING_BYTES


def conversion_bytes(picture: Image.Image, scale: float) -> float:
    """Memory that making a JPEG of an opened picture takes at most, bytes; `scale`: of its sides, at most 1."""
    pixels = picture.width * picture.height
    if picture.format in {"JPEG", "MPO"}:
        decoded = min((part for part in JPEG_PARTS if part >= scale), default=1.0)
        progressive = picture.info.get("progressive") or picture.info.get("progression")
        return pixels * (_JPEG_PIXEL * decoded**2 + (_coefficient_bytes(picture) if progressive else 0))
    return pixels * (_WEBP_PIXEL if picture.format == "WEBP" else _OTHER_PIXEL)


def has_many_scans(content: bytes) -> bool:
    """Whether it is a JPEG that asks for more than MAX_SCANS passes: a few hundred kilobytes of them take minutes."""
    return content.startswith(b"\xff\xd8") and jpeg_structure(content).scans > MAX_SCANS


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegStructure:
    """What the segments of a JPEG tell."""

    #: Passes over its pixels; counting ends behind MAX_SCANS.
    scans: int
    #: Its end marker was found where it belongs. What lies behind it (a video, a second picture) is no part of it.
    whole: bool


def jpeg_structure(content: bytes | mmap) -> JpegStructure:
    """Follows a JPEG's segments from the first to the end marker.

    Decoders forgive a picture that is cut off and followed by other bytes; its segments do not lead to an end.
    """
    scans, at = 0, 2
    for _ in range(_MAX_SEGMENTS):
        found = (_MARKER_IN_SCAN if scans else _MARKER).search(content, at)
        if found is None or scans > MAX_SCANS:
            break
        marker, at = found.group()[1], found.end()
        if marker == _END:
            return JpegStructure(scans=scans, whole=scans > 0)
        if scans and marker not in _AFTER_SCAN:
            break
        if marker in _WITHOUT_LENGTH:
            continue
        at += max(2, int.from_bytes(content[at : at + 2], "big"))
        if marker == _START_OF_SCAN:
            scans += 1
        elif scans and content[at : at + 1] != b"\xff":
            break
    return JpegStructure(scans=scans, whole=False)


def is_whole(picture: Image.Image, content: bytes | mmap, *, pixels: bool = False) -> bool:
    """Looks at all of an opened picture, as cheaply as its format allows; raises what Pillow raises.

    Args:
        picture: opened, not yet decoded.
        content: of its file.
        pixels: decode a PNG too, and look for its end; else its checksums are enough.

    Raises:
        ManyScansError: a JPEG of more than MAX_SCANS.
    """
    match picture.format:
        case "PNG":
            if pixels and is_light(picture, 0):
                picture.load()
            else:
                picture.verify()  # every chunk's checksum to the last one
            # Decoders forgive a missing end once all pixels have come.
            return not pixels or b"IEND" in content[-_TAIL_BYTES:]
        case "WEBP":
            if is_light(picture, 0):
                picture.load()
            return _RIFF_HEAD + int.from_bytes(content[4:_RIFF_HEAD], "little") <= len(content)
        case "AVIF" | "HEIF":
            picture.load()
            return True
        case _:
            structure = jpeg_structure(content)
            if structure.scans > MAX_SCANS:
                raise ManyScansError
            if structure.whole and is_light(picture, structure.scans):
                # An eighth of a JPEG is decoded in a fraction of the time and memory, yet all of its data is read.
                picture.draft("RGB", (max(1, picture.width // 8), max(1, picture.height // 8)))
                picture.load()
            return structure.whole


def _coefficient_bytes(picture: Image.Image) -> float:
    """What a JPEG of several scans keeps of each pixel until the last one has come: two bytes for each coefficient."""
    layers: Any = getattr(picture, "layer", ())
    parts = [across * down for _, across, down, _ in layers]
    return 2 * sum(parts) / max(parts, default=1) if parts else 2.0 * 4
