"""Shopify's exports: the lines of one product stand together, and only the first of them has what they share."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from jobs.products.layouts import Columns, spelt
from jobs.products.records import LeftOut, Product

#: Lines of one product: it may have 2,048 variants and 250 pictures.
_LINES = 5_000
#: Of a picture that has no position: behind all others.
_NO_POSITION = 1_000_000_000
Line = tuple[str, dict[str, str]]


class Shopify:
    """Makes products of lines: one for each picture of its own that a variant has, and one for all others."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        names = {spelt(name): name for name in reversed(columns.names)}
        self._position = names.get("imageposition", "")
        self._own_picture = names.get("variantimage") or names.get("variantimageurl", "")
        self._option = names.get("option1value", "")

    def products(self, lines: Iterator[Line]) -> Iterator[Product | LeftOut]:
        """Streams the products; no more than one's lines are held."""
        (handle,) = self._columns.group[:1]
        for group, found in groupby(lines, key=lambda line: line[1].get(handle, "").strip()):
            yield from self._product(group, found)

    def _product(self, group: str, found: Iterator[Line]) -> Iterator[Product | LeftOut]:
        lines: list[Line] = []
        for place, fields in found:
            if len(lines) < _LINES:
                lines.append((place, fields))
            else:
                yield LeftOut(place=place, sku=group, why=f"its product has more than {_LINES:,} lines")
        pictures = self._pictures(lines)
        torn = self._is_torn(lines)
        seen: set[tuple[str, ...]] = set()
        for place, fields in [line for line in lines if self._is_variant(line[1])] or lines[:1]:
            own = fields.get(self._own_picture, "").strip()
            mine = (own,) if own and own not in pictures[:1] else pictures
            sku = self._columns.sku_of(fields) or group
            if mine in seen:
                yield LeftOut(place=place, sku=sku, why=SHARED, fault=False)
                continue
            seen.add(mine)
            if torn and mine == pictures:
                yield LeftOut(place=place, sku=sku, why=_TORN)
                continue
            whole = _filled(fields, lines[0][1])
            yield Product(
                place=place,
                sku=sku,
                group=group or sku,
                pictures=mine,
                categories=self._columns.categories_of(whole),
                fields=whole,
            )

    def _pictures(self, lines: list[Line]) -> tuple[str, ...]:
        found = [
            (_number(fields.get(self._position, "")), place, picture)
            for place, (_, fields) in enumerate(lines)
            for picture in self._columns.pictures_of(fields)
        ]
        return tuple(dict.fromkeys(picture for *_, picture in sorted(found)))

    def _is_torn(self, lines: list[Line]) -> bool:
        """Whether the first picture is missing, and lines of the product with it: somebody has sorted them."""
        with_picture = (fields for _, fields in lines if self._columns.pictures_of(fields))
        positions = [_number(fields.get(self._position, "")) for fields in with_picture]
        return 1 < min(positions, default=0) < _NO_POSITION

    def _is_variant(self, fields: Mapping[str, str]) -> bool:
        return bool(self._columns.sku_of(fields) or fields.get(self._option, "").strip())


#: Why a size or a colour has no row of its own.
_TORN = "its first picture (position 1) is not among its lines: those of one product must stand together, as exported"
SHARED = "a variant without a picture of its own: it has its product's"


def _filled(fields: Mapping[str, str], first: Mapping[str, str]) -> dict[str, str]:
    """A line with what only its product's first line says."""
    return {name: text or first.get(name, "") for name, text in fields.items()}


def _number(text: str) -> int:
    return int(text) if text.strip().isdecimal() and len(text) < 10 else _NO_POSITION  # noqa: PLR2004
