"""HEIC pictures, as phones take them: Pillow opens them once `pillow-heif` is installed (`vton-batch[heic]`)."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

#: What stands behind `ftyp` in a HEIC or AVIF picture, and not in a video.
_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})


def phone_format(content: bytes) -> str:
    """`HEIC` or `AVIF` by the first bytes of a file; empty when it is neither."""
    if content[4:8] != b"ftyp":
        return ""
    # The other brands that the file is compatible with; `mif1` alone may be either.
    brands = {content[at : at + 4] for at in range(8, min(int.from_bytes(content[:4], "big"), 64), 4)}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIC" if brands & _BRANDS else ""


@cache
def heic_version() -> str:
    """Which version of its library would open HEIC pictures, empty for none; loads nothing."""
    try:
        return version("pillow-heif")
    except PackageNotFoundError:
        return ""


@cache
def open_heic() -> bool:
    """Teaches Pillow to open HEIC pictures, by the name `HEIF`; False when their library is not installed."""
    try:
        from pillow_heif import register_heif_opener  # noqa: PLC0415 its library is loaded by who needs it
    except ImportError:
        return False
    register_heif_opener()
    return True
