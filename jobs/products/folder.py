"""A folder of pictures as products: the sku stands in the file's name, the kind in the name of its folder."""

import os
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from jobs.errors import ManifestError, UsageError
from jobs.products.records import LeftOut, Product
from jobs.records import shown

#: What is taken for a picture by its name; its content is looked at when it is planned.
_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp"})
_FIELD = re.compile(r"(\{sku\}|\{view\}|\{category\}|\*)")
#: Any picture's name is a sku.
ANY_NAME = "{sku}"
_DIGITS = re.compile(r"(\d+)")


class Names:
    """How a picture's name is read: `{sku}_{view}` with `{category}` and `*` as one likes; without the suffix."""

    def __init__(self, pattern: str) -> None:
        """Raises UsageError: no {sku} in it, or one of them twice."""
        parts = _FIELD.split(pattern)
        fields, between = parts[1::2], parts[2:-1:2]
        if "{sku}" not in fields or len(set(fields)) < len(fields) or not all(between):
            raise UsageError(
                "--names: the pattern needs {sku} once; {view}, {category} and * may stand in it once, with something "
                "between them, e.g. {sku}_{view}"
            )
        made = re.escape(parts[0])
        for field, before, after in zip(fields, parts[:-1:2], parts[2::2], strict=True):
            made += _expression(field, before, after) + re.escape(after)
        self._expression = re.compile(made, re.DOTALL)

    def read(self, stem: str) -> dict[str, str] | None:
        """The sku, and what else the name holds; None when it does not fit."""
        match = self._expression.fullmatch(stem)
        return match.groupdict() if match else None


class Folder:
    """A folder and those within it; links to folders are not followed."""

    def __init__(self, path: Path, pattern: str) -> None:
        self._path = path
        self._names = Names(pattern)

    def products(self) -> Iterator[Product | LeftOut]:
        """Streams the products, folder by folder; a sku's pictures are in the order of their names.

        Raises:
            ManifestError: a folder cannot be read.
        """
        for folder, below, names in os.walk(self._path, onerror=_refuse):
            below.sort()
            here = Path(folder).relative_to(self._path)
            yield from self._products(here, sorted(names, key=_order))

    def _products(self, here: Path, names: list[str]) -> Iterator[Product | LeftOut]:
        found: list[tuple[str, str, str]] = []
        for name in names:
            stem, suffix = Path(name).stem, Path(name).suffix
            place = shown(str(here / name))
            if name.startswith("."):
                continue
            if suffix.lower() not in _SUFFIXES:
                yield LeftOut(place=place, sku="", why="its name is not that of a JPEG, PNG or WEBP picture")
            elif (read := self._names.read(stem)) is None:
                yield LeftOut(place=place, sku="", why="its name does not fit the pattern (--names)")
            else:
                found.append((read["sku"], read.get("category") or here.name, name))
        found.sort(key=lambda each: each[:2])
        for (sku, category), pictures in groupby(found, key=lambda each: each[:2]):
            files = [str(here / name) for *_, name in pictures]
            yield Product(
                place=shown(files[0]),
                sku=shown(sku),
                group=shown(sku),
                pictures=tuple(files),
                categories=((shown(category),),) if category else (),
                fields={},
            )


def _expression(field: str, before: str, after: str) -> str:
    """What a field may hold. A view and a category end at what stands beside them, a sku goes on as far as it can."""
    if field == "*":
        return ".*"
    name, edge = field[1:-1], before[-1:] or after[:1]
    return f"(?P<{name}>.+)" if name == "sku" or not edge else f"(?P<{name}>[^{re.escape(edge)}]+)"


def _order(name: str) -> list[tuple[int, str]]:
    """Names in the order that people mean: 2 before 10."""
    return [(int(part[:18]) if part.isdecimal() else -1, part) for part in _DIGITS.split(name)]


def _refuse(error: OSError) -> None:
    raise ManifestError(f"{error.filename}: cannot be read: {error.strerror}") from None
