"""The formats of manifests by name and by content, and what is none of them."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from jobs.errors import ManifestError
from jobs.manifest.content import Content
from jobs.manifest.delimited import Delimited
from jobs.manifest.encodings import settle_encoding
from jobs.manifest.json_array import JsonArray, is_json_array
from jobs.manifest.jsonl import JsonLines
from jobs.manifest.mappings import EntrySource
from jobs.manifest.pair_list import PairList, is_pair_list
from jobs.manifest.parquet import MAGIC, Parquet
from jobs.manifest.reading import Reading
from jobs.manifest.table import RecordSource
from jobs.manifest.workbook import is_workbook

#: Makes a content's source: records under one line of names, or entries that bring their own.
Format = Callable[[Content], RecordSource | EntrySource]


def yaml_entries(content: Content) -> EntrySource:
    """The source of a YAML manifest."""
    from jobs.manifest.yaml import Yaml  # noqa: PLC0415 its library is loaded by who needs it

    return Yaml(content)


_SUFFIXES: dict[str, Format] = {
    ".csv": Delimited,
    ".txt": Delimited,
    ".tsv": partial(Delimited, delimiter="\t"),
    ".yaml": yaml_entries,
    ".yml": yaml_entries,
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
}

#: Of it the content says which form it has.
_JSON = ".json"
#: What may hold an array whatever its name says of lines.
_JSONS = (_JSON, ".jsonl", ".ndjson", "")

#: First bytes → the format, whatever the file is called, or what to say of it.
_BINARY: dict[bytes, Format | str] = {
    MAGIC: Parquet,
    b"%PDF": "is a PDF, not a manifest",
    b"\x89PNG": "is a picture, not a manifest",
    b"\xff\xd8\xff": "is a picture, not a manifest",
    b"\x1f\x8b": "is packed twice; unpack it once",
}
#: What workbooks are called, and how they begin whatever they are called.
_WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
#: What lists of pairs without a line of names are called.
_PAIR_LISTS = (".txt", "")
_WORKBOOK_BYTES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
#: Of a text with a stray NUL, hardly any of the first bytes are one.
_NUL_SHARE = 0.1
_LOOK_BYTES = 4096

_YAML_START = re.compile(r"---(\s|$)|%YAML|-(\s|$)|\[|(defaults|people|garments|matrix|jobs)\s*:(\s|$)")


def format_of(path: str, content: Content, reading: Reading) -> Format:
    """The format by the suffix, `.gz` set aside; by the first bytes of stdin and of a pipe whose suffix is not known.

    What is called a workbook is known by its content: it may be text.

    Raises:
        ManifestError: an ordinary file of another suffix; whatever its name: empty, or binary. It says what to do.
    """
    head = content.head()
    suffix = unpacked(path).suffix.lower()
    if (suffix in _WORKBOOKS or head.startswith(_WORKBOOK_BYTES)) and head and is_workbook(content):
        return partial(_workbook, reading=reading)
    for magic, what in _BINARY.items():
        if head.startswith(magic):
            if not isinstance(what, str):
                return what
            raise ManifestError(f"{content.name}: {what}")
    settle_encoding(content, reading)
    head = content.head()
    _refuse_no_text(head, content.name)
    if suffix in _PAIR_LISTS and is_pair_list(head):
        return partial(PairList, root=reading.root or Path(path).absolute().parent)
    if suffix in _JSONS and is_json_array(head):
        return JsonArray
    found = _SUFFIXES.get(suffix)
    if found is None and suffix not in (*_WORKBOOKS, _JSON) and path != "-" and Path(path).is_file():
        known = ", ".join((*_SUFFIXES, _JSON, *_WORKBOOKS))
        raise ManifestError(f"{path}: its suffix is not known; a manifest is one of {known} (or .gz of it)")
    return found or _format_of_text(head)


def _workbook(content: Content, reading: Reading) -> RecordSource:
    from jobs.manifest.workbook.source import WorkbookSource  # noqa: PLC0415 its library is loaded by who needs it

    return WorkbookSource(content, reading)


def unpacked(path: str) -> Path:
    """The path without the suffix of gzip."""
    return Path(path[:-3] if path.lower().endswith(".gz") else path)


def _refuse_no_text(head: bytes, name: str) -> None:
    if not head.removeprefix(b"\xef\xbb\xbf").strip():
        raise ManifestError(f"{name}: is empty")
    look = head[:_LOOK_BYTES]
    if look.count(0) > _NUL_SHARE * len(look) or b"\0" in look.split(b"\n", 1)[0]:
        raise ManifestError(f"{name}: is binary, not text")


def _format_of_text(head: bytes) -> Format:
    """CSV when nothing speaks for another format."""
    text = head.decode("utf-8-sig", errors="replace")
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    first = next(lines, "").strip()
    if first.startswith("{"):
        with suppress(ValueError, RecursionError):
            json.loads(first)
            return JsonLines
        return yaml_entries
    return yaml_entries if _YAML_START.match(first) else Delimited
