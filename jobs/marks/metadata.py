"""Marks in a picture's XMP: added beside what stands there, never over it; pixels are not touched."""

import json
from functools import cache
from threading import Lock
from typing import Any, Final

from jobs.config.delivery import MarksSettings
from jobs.errors import ConfigError
from jobs.marks.found import IPTC, SOURCE_TYPES, TC260, marks_of

_SOURCE_TYPE: Final = "Xmp.iptcExt.DigitalSourceType"
_AIGC: Final = "Xmp.TC260.AIGC"
_AIGC_NAMESPACE: Final = "http://www.tc260.org.cn/ns/AIGC/1.0/"
#: Exiv2 has one table of namespaces for all threads.
_ONE_AT_A_TIME: Final = Lock()


class UnmarkedError(Exception):
    """A mark that was written is not there to be read; the picture is not delivered."""


def marked(content: bytes, settings: MarksSettings, *, produce_id: str) -> bytes:
    """The picture with the marks that are set and that it does not bear yet; without any to add, its very bytes.

    Args:
        content: a JPEG, PNG or WebP.
        settings: which marks.
        produce_id: the producer's own number of this picture, for China's mark.

    Raises:
        UnmarkedError: another reader does not find them afterwards.
        ConfigError: the library that writes them is not installed.
    """
    missing = _missing(content, settings, produce_id)
    if not missing:
        return content
    exiv2 = _exiv2()
    try:
        with _ONE_AT_A_TIME, exiv2.ImageData(content) as picture:
            picture.modify_xmp(missing)
            written = bytes(picture.get_bytes())
    except RuntimeError as error:
        raise UnmarkedError(f"its metadata cannot be written: {error}") from error
    if _missing(written, settings, produce_id):
        raise UnmarkedError("a mark was written and cannot be read back")
    return written


def with_packet_of(content: bytes, original: bytes) -> bytes:
    """A picture that was encoded anew, with the XMP and IPTC that its original has."""
    exiv2 = _exiv2()
    try:
        with _ONE_AT_A_TIME, exiv2.ImageData(original) as before, exiv2.ImageData(content) as picture:
            packet, iptc = before.read_raw_xmp(), before.read_iptc()
            if not packet and not iptc:
                return content
            if packet:
                picture.modify_raw_xmp(packet)
            if iptc:
                picture.modify_iptc(iptc)
            return bytes(picture.get_bytes())
    except RuntimeError as error:
        raise UnmarkedError(f"its metadata cannot be carried over: {error}") from error


def _missing(content: bytes, settings: MarksSettings, produce_id: str) -> dict[str, str]:
    borne = marks_of(content)
    missing = {}
    if settings.source_type and not any(mark.startswith(IPTC) for mark in borne):
        missing[_SOURCE_TYPE] = SOURCE_TYPES + settings.source_type
    if settings.aigc_producer and TC260 not in borne:
        missing[_AIGC] = _aigc(settings, produce_id)
    return missing


def _aigc(settings: MarksSettings, produce_id: str) -> str:
    """China's mark, GB 45438-2025, annex E; label 1: made by a machine."""
    fields = {
        "Label": "1",
        "ContentProducer": settings.aigc_producer,
        "ProduceID": produce_id,
        "ReservedCode1": "",
        "ContentPropagator": settings.aigc_propagator,
        "PropagateID": produce_id if settings.aigc_propagator else "",
        "ReservedCode2": "",
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


@cache
def _exiv2() -> Any:
    try:
        import pyexiv2  # noqa: PLC0415 an extra
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"marks of AI origin need pyexiv2: pip install 'vton-batch[deliver]' ({error})"
        ) from None
    pyexiv2.set_log_level(4)
    pyexiv2.registerNs(_AIGC_NAMESPACE, "TC260")
    return pyexiv2
