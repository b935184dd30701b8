"""Tells what kind of manifest some content is, and refuses what is none."""

import json
import re
from enum import StrEnum
from pathlib import Path

from jobs.errors import ManifestError


class Kind(StrEnum):
    """How a manifest is written."""

    CSV = "csv"
    TSV = "tsv"
    YAML = "yaml"
    JSONL = "jsonl"


_SUFFIXES = {
    ".csv": Kind.CSV,
    ".txt": Kind.CSV,
    ".tsv": Kind.TSV,
    ".yaml": Kind.YAML,
    ".yml": Kind.YAML,
    ".jsonl": Kind.JSONL,
    ".ndjson": Kind.JSONL,
}

#: First bytes → what to say of them.
_BINARY = {
    b"PK\x03\x04": "is an Excel workbook or a zip archive; in Excel use “Save as… CSV UTF-8”",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook; in Excel use “Save as… CSV UTF-8”",
    b"%PDF": "is a PDF, not a manifest",
    b"\x89PNG": "is a picture, not a manifest",
    b"\xff\xd8\xff": "is a picture, not a manifest",
    b"\x1f\x8b": "is packed twice; unpack it once",
}
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
#: Of the first bytes of UTF-16 without a mark nearly half are NUL; of a text with a stray one, hardly any.
_NUL_SHARE = 0.1
_LOOK_BYTES = 4096

_YAML_START = re.compile(r"---(\s|$)|%YAML|-(\s|$)|\[|(defaults|people|garments|matrix|jobs)\s*:(\s|$)")


def kind_of_name(path: str) -> Kind | None:
    """The kind by the suffix, `.gz` set aside; None when the suffix says nothing known."""
    return _SUFFIXES.get(Path(_without_gz(path)).suffix.lower())


def stem(path: str) -> str:
    """The file's name without its suffixes, for the batch's id."""
    return Path(_without_gz(path)).stem


def known_suffixes() -> str:
    """The suffixes, for a message."""
    return ", ".join(_SUFFIXES)


def kind_of_text(head: bytes) -> Kind:
    """The kind by the first bytes, for content without a name; CSV when nothing speaks for another."""
    text = head.decode("utf-8-sig", errors="replace")
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    first = next(lines, "").strip()
    if first.startswith("{"):
        return Kind.JSONL if _is_json(first) else Kind.YAML
    return Kind.YAML if _YAML_START.match(first) else Kind.CSV


def refuse_no_text(head: bytes, name: str) -> None:
    """Refuses what cannot be a manifest whatever its name says.

    Raises:
        ManifestError: empty, UTF-16, or binary; it says what to do.
    """
    if not head.removeprefix(b"\xef\xbb\xbf").strip():
        raise ManifestError(f"{name}: is empty")
    for magic, what in _BINARY.items():
        if head.startswith(magic):
            raise ManifestError(f"{name}: {what}")
    look = head[:_LOOK_BYTES]
    nuls = look.count(0)
    if head.startswith(_UTF16) or (nuls > _NUL_SHARE * len(look) and _alternates(look)):
        raise ManifestError(f"{name}: is UTF-16 text; save it as UTF-8 (in Excel: “CSV UTF-8”)")
    if nuls > _NUL_SHARE * len(look) or b"\0" in look.split(b"\n", 1)[0]:
        raise ManifestError(f"{name}: is binary, not text")


def _alternates(look: bytes) -> bool:
    """Whether the NULs stand mostly at even or mostly at odd places, as they do in UTF-16."""
    even, odd = look[::2].count(0), look[1::2].count(0)
    return max(even, odd) > 8 * min(even, odd)


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _without_gz(path: str) -> str:
    return path[:-3] if path.lower().endswith(".gz") else path
