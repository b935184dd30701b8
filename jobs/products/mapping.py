"""The file of `--map`: which columns of a table mean what, and which slot a shop's own categories mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jobs.manifest.aliases import slot_of
from jobs.products.categories import NONE
from jobs.products.layouts import Layout, spelt
from jobs.products.yaml_file import Node, read_yaml

_COLUMNS = ("sku", "picture", "category", "group")
_KEYS = (*_COLUMNS, "between", "categories")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopMap:
    """What a shop says of its own files."""

    #: None when it names no columns: then the files' own columns decide.
    layout: Layout | None = None
    #: Category → slot, or NONE.
    categories: Mapping[str, str] = field(default_factory=dict)


def read_map(path: Path) -> ShopMap:
    """Reads a map.

    Raises:
        NotFoundError: no such file.
        ManifestError: it is no map, with the line.
    """
    top = read_yaml(path)
    entries = top.mapping("the map")
    if unknown := entries.keys() - set(_KEYS):
        raise entries[min(unknown)].error(f"“{min(unknown)}” is not known here; a map has {', '.join(_KEYS)}")
    named = {key: entries[key].texts(key) for key in _COLUMNS if key in entries}
    layout = None
    if named:
        if not named.get("sku") or not named.get("picture"):
            raise top.error("a map that names columns names those of sku and picture, and that of category")
        between = entries["between"].text("between") if "between" in entries else ""
        layout = Layout(
            name=path.name,
            known_by=(frozenset(map(spelt, (*named["sku"][:1], *named["picture"][:1]))),),
            sku=named["sku"],
            pictures=named["picture"],
            categories=named.get("category", ()),
            group=named.get("group", ()),
            between_pictures=between,
            between_categories=between,
        )
    return ShopMap(layout=layout, categories=_categories(entries.get("categories")))


def _categories(node: Node | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for kind, names in node.mapping("categories").items() if node and node.value else ():
        slot = NONE if kind == NONE else slot_of(kind)
        if slot is None:
            raise names.error(f"categories: “{kind}” is not known; write upper, lower, dress or {NONE}")
        for name in names.texts(kind):
            if found.setdefault(name, slot) != slot:
                raise names.error(f"categories: “{name}” stands under two kinds")
    return found
