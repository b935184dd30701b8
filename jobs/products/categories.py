"""A shop's categories → the slot: by its own map, by words and by numbers; what is not known is listed and never guessed."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jobs.manifest.aliases import plain, slot_of
from jobs.records import Slot

#: Numbers of categories, by whose they are. A number means nothing in any other column.
_NUMBERS = {
    "google": {
        Slot.UPPER_CLOTHES: "212 1831 5598",
        Slot.LOWER_CLOTHES: "204 207 1581 5344",
        Slot.DRESS: "2271 5250 7132",
    },
    "taobao": {
        Slot.UPPER_CLOTHES: "50000671 162104 162116 162103 50000697 50008898 50008899 50008900 50008901 50011277 50013194 "
        "50013196",
        Slot.LOWER_CLOTHES: "1622 1623 162201 162205",
        Slot.DRESS: "50010850",
    },
}
_SLOT_OF_NUMBER = {
    f"{whose}:{number}": slot
    for whose, slots in _NUMBERS.items()
    for slot, numbers in slots.items()
    for number in numbers.split()
}
#: What stands before a number of a category.
_NUMBERED = re.compile(rf"^(?:{'|'.join(_NUMBERS)}):(?=\d+$)")
#: What a map says of categories that nobody shall be dressed in.
NONE = "none"
#: Between the levels of a category; the last one names the kind.
_LEVELS = re.compile(r"\s*[>/|\u203a\u00bb]\s*")
#: A comma behind which another path begins: several categories in one cell.
_ANOTHER_PATH = re.compile(r",\s*(?=[^,>]+>)")
#: What means several kinds of garment.
_SEVERAL = "several"
#: Categories whose slot is remembered, and characters of one that is looked at.
_REMEMBERED = 10_000
_CHARS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Categories that mean no slot."""

    #: As the shop writes them; "" for a product without any.
    text: str
    why: str
    #: Whether somebody should map it.
    fault: bool = True


class Categories:
    """Knows the slot of a shop's categories: its own map first, then the usual words and numbers."""

    def __init__(self, own: Mapping[str, str] | None = None, default: str = "") -> None:
        """Takes a shop's map: category → slot or NONE; a whole path, its last level, or a path ending in `> *`.

        `default` is the category of products that have none.
        """
        self._default = ((default,),) if default else ()
        self._own = {_path(name): slot for name, slot in (own or {}).items()}
        self._remembered: dict[str, str | None] = {}

    def slot(self, categories: Iterable[tuple[str, ...]]) -> Slot | Unknown:
        """The slot of the first that means one."""
        shown = ""
        for alternatives in tuple(categories) or self._default:
            found = {slot for text in alternatives if (slot := self._slot(text))}
            shown = shown or ", ".join(_NUMBERED.sub("", text) for text in alternatives)[:_CHARS]
            if len(found) > 1 or _SEVERAL in found:
                return Unknown(text=shown, why="its categories mean several kinds of garment")
            if found:
                (slot,) = found
                return (
                    Slot(slot)
                    if slot != NONE
                    else Unknown(text=shown, why="the map says not to dress it", fault=False)
                )
        return Unknown(text=shown, why="its category is not mapped" if shown else "it has no category")

    def _slot(self, text: str) -> str | None:
        if text not in self._remembered:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[text] = self._looked_up(text[:_CHARS])
        return self._remembered[text]

    def _looked_up(self, text: str) -> str | None:
        path = _path(text)
        if path in self._own:
            return self._own[path]
        if len(paths := _ANOTHER_PATH.split(text)) > 1:
            return _one_of(map(self._looked_up, paths))
        levels = path.split(">")
        above = (">".join((*levels[:depth], "*")) for depth in range(len(levels) - 1, 0, -1))
        for name in (*above, levels[-1], _NUMBERED.sub("", text)):
            if name in self._own:
                return self._own[name]
        return _SLOT_OF_NUMBER.get(text) or _usual(text, levels)


def _usual(text: str, levels: list[str]) -> str | None:
    """The slot of the last level. Where `/` or `|` stands between kinds and nothing above them (Tops/Dresses), of all."""
    kinds = [slot_of(level) for level in levels]
    return _one_of(kinds) if all(kinds) and ">" not in text else kinds[-1]


def _one_of(slots: Iterable[str | None]) -> str | None:
    found = {slot for slot in slots if slot}
    return _SEVERAL if len(found) > 1 else next(iter(found), None)


def _path(text: str) -> str:
    """A category's levels as they are compared."""
    return ">".join(plain(level) for level in _LEVELS.split(text.strip()))
