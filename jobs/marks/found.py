"""Which marks of AI origin a picture bears. Reads with Pillow: another reader than the library that writes them."""

import re
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final, get_args

from PIL import Image

from jobs.config.delivery import SourceType

#: Where IPTC's terms live; a term without it is no mark to those who look for one.
SOURCE_TYPES: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
#: What a mark is called in results: IPTC's has its term behind it, e.g. `iptc:trainedAlgorithmicMedia`.
IPTC: Final = "iptc:"
TC260: Final = "tc260"
C2PA: Final = "c2pa"

# As an attribute, as an element's text, or as its rdf:resource.
_SOURCE: Final = re.compile(
    rb"""DigitalSourceType\s*(?:=\s*["']|>\s*|\s[^<>]*resource\s*=\s*["'])\s*"""
    rb"""https?://cv\.iptc\.org/newscodes/digitalsourcetype/(\w+)"""
)
_AIGC: Final = re.compile(rb"TC260:AIGC\b|tc260\.org\.cn/ns/AIGC[^>]*?:AIGC\b", re.IGNORECASE)
#: What stands before a packet of XMP in a JPEG, PNG and WebP; most pictures have none.
_PACKETS: Final = (b"http://ns.adobe.com/xap/1.0/", b"XML:com.adobe.xmp", b"XMP ")
#: The description box of a C2PA manifest store: its kind, and the first half of its UUID.
_MANIFEST_STORE: Final = b"jumdc2pa\x00\x11\x00\x10"


def marks_of(content: bytes) -> tuple[str, ...]:
    """The marks of a JPEG, PNG or WebP, in a fixed order; none when it cannot be read."""
    found = []
    xmp = _xmp(content)
    if (source := _SOURCE.search(xmp)) and source[1].decode() in get_args(SourceType):
        found.append(IPTC + source[1].decode())
    if _AIGC.search(xmp):
        found.append(TC260)
    if _MANIFEST_STORE in content:
        found.append(C2PA)
    return tuple(found)


@lru_cache(200_000)
def marks_of_stored(path: Path, sha256: str) -> tuple[str, ...]:
    """The same of a file with this content; looked at once. Raises OSError."""
    del sha256
    return marks_of(path.read_bytes())


def _xmp(content: bytes) -> bytes:
    """The XMP packet; empty without one."""
    if not any(sign in content for sign in _PACKETS):
        return b""
    try:
        with Image.open(BytesIO(content)) as picture:
            found = picture.info.get("xmp", b"")
    except Exception:  # noqa: BLE001 Pillow raises nearly anything on broken files
        return b""
    return found if isinstance(found, bytes) else str(found).encode()
