"""How heavy a picture is to decode, told by its header, before anything is decoded.

A file of a few bytes may ask for hundreds of megabytes of pixels. What is too heavy is not decoded; its structure
proves that it came whole: checksums in a PNG, lengths in a WEBP, the end marker of a JPEG.
"""

from typing import Any

from PIL import Image, PngImagePlugin

#: Memory that decoding one picture may take, bytes.
DECODING_BYTES = 56_000_000
#: Passes over all of its pixels that a JPEG may ask for; cameras and libraries write ten.
MAX_SCANS = 100
#: What begins each of them. Inside the coded pixels these two bytes never meet.
SCAN = b"\xff\xda"

#: Bytes a pixel that Pillow's decoders were measured to take.
_PNG_PIXEL = 4.0
_WEBP_PIXEL = 15.5
#: Unpacked texts of a PNG that Pillow may keep, bytes; by itself it allows sixteen times as much.
_TEXT_BYTES = 4_000_000
#: Behind its end a JPEG may have other things: a second picture, a maker's notes.
TAIL_BYTES = 64 * 1024
_RIFF_HEAD = 8


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


def ends_whole(kind: str, size: int, head: bytes, tail: bytes) -> bool:
    """Whether a file has the end that its format promises.

    Args:
        kind: Pillow's name of the format.
        size: of the file, bytes.
        head: its first bytes, eight at least.
        tail: its last bytes, `TAIL_BYTES` or all.
    """
    match kind:
        case "PNG":
            return b"IEND" in tail
        case "WEBP":
            return _RIFF_HEAD + int.from_bytes(head[4:_RIFF_HEAD], "little") <= size
        case _:
            return b"\xff\xd9" in tail


def _coefficient_bytes(picture: Image.Image) -> float:
    """What a JPEG of several scans keeps of each pixel until the last one has come: two bytes for each coefficient."""
    layers: Any = getattr(picture, "layer", ())
    parts = [across * down for _, across, down, _ in layers]
    return 2 * sum(parts) / max(parts, default=1) if parts else 2.0 * 4
