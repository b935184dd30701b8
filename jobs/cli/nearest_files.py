"""Files whose names nearly are the one asked for: other case or suffix, composed otherwise, one letter wrong."""

import os
import re
import unicodedata
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

#: Names that are remembered, of all folders together; a folder is listed once.
_NAMES = 100_000
#: Parts of a path.
_PARTS = 16
#: Names that one search for a wrong letter looks through, such searches, and letters of a name that is searched for.
_LOOKED_THROUGH = 2000
_SEARCHES = 1000
_LETTERS = 4
#: Missing paths whose nearest one is remembered.
_REMEMBERED = 2000
_BETWEEN = re.compile(r"[\s_-]+")
_NUMBER = re.compile(r"\d+")


@dataclass(slots=True)
class _Listing:
    """A folder's names."""

    names: frozenset[str]
    #: The name as it is compared → one that is there.
    by_plain: dict[str, str] = field(default_factory=dict)
    #: Numbers in a name → names as they are compared.
    by_numbers: dict[str, list[str]] = field(default_factory=dict)

    def like(self, name: str) -> str:
        """The name itself, or one that only case, suffix, blanks or the composition of letters tell apart."""
        return name if name in self.names else self.by_plain.get(_plain(name), "")

    def one_off(self, name: str) -> str:
        """The only one that one letter tells apart. Numbers must agree: another one is another article."""
        wanted = _plain(name)
        if len(wanted) < _LETTERS:
            return ""
        if not self.by_numbers:
            for each in self.by_plain:
                self.by_numbers.setdefault(_numbers(each), []).append(each)
        there = self.by_numbers.get(_numbers(wanted), [])
        found = [each for each in there[:_LOOKED_THROUGH] if _differ_by_one(each, wanted)]
        return self.by_plain[found[0]] if len(found) == 1 else ""


class Folders:
    """Finds names below one folder; how much is listed and compared is bounded, whatever a manifest asks for."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._listings: OrderedDict[str, _Listing | None] = OrderedDict()
        self._found: OrderedDict[str, str] = OrderedDict()
        self._searches = 0

    def nearest(self, text: str) -> str:
        """A path that is there and nearly the one asked for, from the same folder; empty without one."""
        if text not in self._found:
            self._found[text] = self._nearest(text)
            if len(self._found) > _REMEMBERED:
                self._found.popitem(last=False)
        return self._found[text]

    def _nearest(self, text: str) -> str:
        parts = [part for part in text.replace("\\", "/").split("/") if part != "."]
        # No other folder's names are given away.
        if len(parts) > _PARTS or not all(parts) or ".." in parts or "\0" in text:
            return ""
        found: list[str] = []
        for part in parts:
            listing = self._listing("/".join(found))
            name = listing and (listing.like(part) or self._one_off(listing, part))
            if not name:
                return ""
            found.append(name)
        near = "/".join(found)
        return near if near != text else ""

    def _one_off(self, listing: _Listing, name: str) -> str:
        self._searches += 1
        return listing.one_off(name) if self._searches <= _SEARCHES else ""

    def _listing(self, folder: str) -> _Listing | None:
        """The names in a folder below the root; None when there is no such folder."""
        if folder not in self._listings:
            self._listings[folder] = _listed(self._root / folder, self._root)
            while len(self._listings) > 1 and self._remembered() > _NAMES:
                self._listings.popitem(last=False)
        self._listings.move_to_end(folder)
        return self._listings[folder]

    def _remembered(self) -> int:
        return sum(1 + (len(each.names) if each else 0) for each in self._listings.values())


def _listed(folder: Path, root: Path) -> _Listing | None:
    """The names in a folder, the first ones of a huge one; None when it is none, or a link out of the root."""
    names: list[str] = []
    try:
        if not folder.resolve().is_relative_to(root):
            return None
        with os.scandir(folder) as entries:
            for entry in entries:
                names.append(entry.name)
                if len(names) >= _NAMES:
                    break
    except OSError:
        return None
    names.sort(reverse=True)
    return _Listing(frozenset(names), {_plain(name): name for name in names if name[0] != "."})


def _plain(name: str) -> str:
    """The name without its suffix, case and width, its letters composed; blanks, `_` and `-` are one."""
    stem, dot, suffix = name.rpartition(".")
    is_suffix = bool(stem and dot) and suffix.isalnum() and len(suffix) <= 4  # noqa: PLR2004 jpeg
    folded = unicodedata.normalize("NFKC", stem if is_suffix else name).casefold()
    return _BETWEEN.sub("-", folded.strip())


def _numbers(name: str) -> str:
    return " ".join(_NUMBER.findall(name))


def _differ_by_one(one: str, other: str) -> bool:
    """Whether one letter more, less, changed or two exchanged make one name the other."""
    if abs(len(one) - len(other)) > 1:
        return False
    same = next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    left, right = one[same:], other[same:]
    exchanged = left[1::-1] == right[:2] and left[2:] == right[2:]
    return exchanged or left[1:] == right[1:] or left[1:] == right or left == right[1:]
