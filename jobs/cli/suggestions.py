"""What a bad row may have meant: a file beside the missing one, a person, a garment, a kind. Nothing is replaced."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from jobs.cli.nearest_files import Folders
from jobs.manifest import Manifest
from jobs.manifest.addresses import is_address
from jobs.manifest.aliases import CATEGORIES, GARMENT_COLUMNS, column_of, plain
from jobs.manifest.mappings import Names
from jobs.manifest.several import Manifests
from jobs.products.categories import Categories
from jobs.records import BadRow, Slot, shown

#: How alike a name is to the one that may be meant, by difflib.
_NEAR = 0.8
#: Names that are looked through.
_NAMES = 2000
_KINDS: Mapping[str, str] = {
    Slot.UPPER_CLOTHES: "upper",
    Slot.LOWER_CLOTHES: "lower",
    Slot.DRESS: "dress",
}
_KIND_OF = {plain(word): _KINDS[slot] for slot, words in CATEGORIES.items() for word in words}
_SHOP_CATEGORIES = Categories()


class Suggestions:
    """Suggests for one manifest; use it as a function."""

    def __init__(self, folder: Path, people: Collection[str] = (), garments: Collection[str] = ()) -> None:
        """Takes where local pictures are looked for, and what the manifest itself names."""
        self._folders = Folders(folder)
        self._people = tuple(people)[:_NAMES]
        self._garments = tuple(garments)[:_NAMES]
        self._known_garments = frozenset(garments)
        self._name = lru_cache(maxsize=1024)(_nearest_name)

    @classmethod
    def of(cls, manifest: Manifest | Manifests, folder: Path) -> "Suggestions":
        """Those for a manifest whose local pictures are looked for in a folder."""
        names = manifest.names if isinstance(manifest, Manifest) else Names()
        return cls(folder, names.people, names.garments)

    def __call__(self, row: BadRow) -> str:
        """What to write instead; empty when nothing is near."""
        written = row.fields.get(row.column, "").strip()
        if row.column == "garments":
            strangers = (name.strip() for name in written.split(","))
            return next(
                (self._name(each, self._garments) for each in strangers if self._is_stranger(each)), ""
            )
        column = column_of(row.column)
        if column == "category":
            return nearest_kind(written)
        text = row.value or written
        if column not in {"person", *GARMENT_COLUMNS} or not text or is_address(text):
            return ""
        names = self._people if column == "person" else self._garments
        return (self._name(written, names) if names else "") or shown(self._folders.nearest(text))

    def _is_stranger(self, name: str) -> bool:
        return name not in self._known_garments


def _nearest_name(name: str, names: tuple[str, ...]) -> str:
    """The one of the names that differs least; empty when it is one of them, or like none."""
    if not name or name in names or len(name) > 64:  # noqa: PLR2004 nobody is called so
        return ""
    by_plain = {plain(each): each for each in names}
    near = get_close_matches(plain(name), by_plain, n=1, cutoff=_NEAR)
    return by_plain[near[0]] if near else ""


@lru_cache(maxsize=1024)
def nearest_kind(category: str) -> str:
    """upper, lower or dress, for what another shop would call so or for a misspelt one; empty for others."""
    if not category or len(category) > 200:  # noqa: PLR2004 longer is no category
        return ""
    slot = _SHOP_CATEGORIES.slot([(category,)])
    if isinstance(slot, Slot):
        return _KINDS.get(slot, "")
    near = get_close_matches(plain(category.rpartition(">")[2]), _KIND_OF, n=1, cutoff=_NEAR)
    return _KIND_OF[near[0]] if near else ""
