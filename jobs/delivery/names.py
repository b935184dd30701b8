"""Names of delivered pictures: from a template, safe for shops and file systems, no two pictures under one."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import PurePosixPath
from string import Formatter
from typing import Final
from urllib.parse import unquote, urlsplit

from jobs.errors import ConfigError, UsageError

#: What a template may name besides the manifest's own columns.
FIELDS: Final = (
    "sku",
    "person",
    "batch",
    "row",
    "number",
    "version",
    "index",
    "request_id",
    "sha8",
    "profile",
    "ext",
)
#: Longest value of a field, and longest name as a whole, in characters; all are ASCII.
LONGEST_VALUE: Final = 80
LONGEST_NAME: Final = 400
#: Names that Windows has for devices.
_DEVICES: Final = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)
_FORMAT: Final = re.compile(r"0?\d?d?")

Value = str | int


def check_template(template: str, columns: Iterable[str] = ()) -> None:
    """Raises ConfigError: it names what there is not, or would make a name that leads elsewhere."""
    known = {*FIELDS, *columns}
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ConfigError(f"delivery.name: {template!r}: {error}") from None
    for _, field, format_spec, conversion in parts:
        if field is not None and (
            field not in known or conversion or not _FORMAT.fullmatch(format_spec or "")
        ):
            raise ConfigError(f"delivery.name: {{{field}}} is none of {', '.join(sorted(known))}")
    literal = "".join(text for text, *_ in parts)
    if template.startswith("/") or ".." in literal or re.search(r"[^\w./ -]", literal, re.ASCII):
        raise ConfigError(
            f"delivery.name: {template!r}: letters, digits and ._-/ only, and no way out of the target"
        )
    if not template.endswith(".{ext}"):
        raise ConfigError(f"delivery.name: {template!r} must end with .{{ext}}")


def name_of(template: str, values: Mapping[str, Value]) -> str:
    """The name; every value is made safe first, so only the template makes folders."""
    safe = {name: value if isinstance(value, int) else safe_value(value) for name, value in values.items()}
    path = template.format_map(safe)
    if int(values.get("index", 1)) > 1 and "{index" not in template:
        stem, _, extension = path.rpartition(".")
        path = f"{stem}-{values['index']}.{extension}"
    parts = [
        f"_{part}" if _DEVICES.match(part) or part.startswith(".") else part
        for part in path.split("/")
        if part
    ]
    return "/".join(parts)[-LONGEST_NAME:]


def safe_value(text: str) -> str:
    """Letters, digits and `.-_`; what has other letters keeps apart by a hash of its whole text."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    clean = re.sub(r"[^A-Za-z0-9._-]+", "_", plain).strip("._-")
    lost = [
        letter for letter in unicodedata.normalize("NFKD", text) if not letter.isascii() and letter.isalnum()
    ]
    if lost or not clean or len(clean) > LONGEST_VALUE:
        mark = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        clean = f"{clean[:LONGEST_VALUE]}-{mark}".lstrip("-")
    return clean


def person_of(source: str | None) -> str:
    """What a person is called: the name of the picture's file, be it a path or an address."""
    if not source:
        return "nobody"
    path = unquote(urlsplit(source).path) if re.match(r"https?://", source) else source
    return PurePosixPath(path).stem or "nobody"


def check_collisions(named: Iterable[tuple[str, str, int]]) -> None:
    """Raises UsageError when two pictures would have one name, capitals aside.

    `named`: name, SHA-256 of the picture, row.
    """
    rows: dict[str, dict[str, int]] = defaultdict(dict)
    for name, digest, row in named:
        rows[name.casefold()].setdefault(digest, row)
    clashes = [(name, sorted(by.values())) for name, by in rows.items() if len(by) > 1]
    if clashes:
        shown = "; ".join(f"{name}: rows {', '.join(map(str, numbers[:5]))}" for name, numbers in clashes[:3])
        raise UsageError(
            f"{len(clashes)} names would be given to more than one picture ({shown}): put {{person}}, {{row}} or {{number}}"
            " into the name (--name, delivery.name or the profile's); nothing was delivered"
        )
