"""WooCommerce's exports: a variation names its parent, which has the categories and perhaps the picture."""

from collections.abc import Iterator
from dataclasses import dataclass

from jobs.errors import ManifestError
from jobs.products.layouts import Columns, spelt
from jobs.products.records import LeftOut, Product
from jobs.products.shopify import SHARED, Line

#: Parents that are held in memory.
_PARENTS = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parent:
    sku: str
    pictures: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]


class WooCommerce:
    """Makes products of lines. They are read twice, as a variation may stand before its parent."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        names = {spelt(name): name for name in reversed(columns.names)}
        self._type, self._parent, self._id = (names.get(name, "") for name in ("type", "parent", "id"))

    def products(self, ahead: Iterator[Line], lines: Iterator[Line]) -> Iterator[Product | LeftOut]:
        """Streams the products; `ahead` are the same lines as `lines`."""
        parents = self._parents(ahead)
        for place, fields in lines:
            product = self._columns.product(place, fields)
            named = fields.get(self._parent, "").strip()
            if fields.get(self._type, "").partition(",")[0].strip() != "variation" or not named:
                yield product
                continue
            parent = parents.get(named)
            if parent is None:
                yield LeftOut(place=place, sku=product.sku, why="its parent is not in the file")
            elif product.pictures[:1] in {(), parent.pictures[:1]} and parent.pictures:
                yield LeftOut(place=place, sku=product.sku, why=SHARED, fault=False)
            else:
                yield Product(
                    place=place,
                    sku=product.sku,
                    group=parent.sku,
                    pictures=product.pictures,
                    categories=product.categories or parent.categories,
                    fields=fields,
                )

    def _parents(self, lines: Iterator[Line]) -> dict[str, _Parent]:
        """Parents by both names that a variation may call them: the sku, and `id:` with the number."""
        found: dict[str, _Parent] = {}
        for place, fields in lines:
            if "variable" not in fields.get(self._type, ""):
                continue
            if len(found) >= _PARENTS:
                raise ManifestError(f"more than {_PARENTS // 2:,} products with variations; split the file")
            product = self._columns.product(place, fields)
            parent = _Parent(sku=product.sku, pictures=product.pictures, categories=product.categories)
            found[product.sku] = parent
            if number := fields.get(self._id, "").strip():
                found[f"id:{number}"] = parent
        return found
