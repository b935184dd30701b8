"""Rows whose pictures are equal though their pairs differ: found among many without comparing each with each."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from typing import Final

from jobs.flags.compare import share as share_of
from jobs.flags.measures import Measured, look_of

#: How far equal pictures, compressed and cropped anew, lie apart along a direction at most; others lie ten times as far.
_APART: Final = 900.0
#: Equal pictures may have been cropped by so many hundredths of their width.
_MOVED: Final = 1
#: Directions by which they are put into compartments of that width.
_SORTED_BY: Final = 3
#: Pictures that one is looked at beside, and compared with.
_NEAR, _COMPARED = 500, 2
#: Two pictures of which the one fits its own inputs worse by this is the wrong one; else nobody knows which it is.
_CLEARLY: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A picture of one pair among those of its batch."""

    #: The first row that has it.
    row: int
    #: What names its person and garments: rows that have these in common may have equal pictures.
    pair: str
    #: See `Measured`.
    along: tuple[float, ...]
    misfit: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The nearest picture of another pair."""

    row: int
    #: Share of cells that differ.
    share: float
    #: The other one fits its own inputs clearly worse: it is the one to look at.
    other_is_worse: bool


class Places:
    """Where the pictures of a batch lie; about 300 bytes each."""

    def __init__(self, read: Callable[[str], Measured | None]) -> None:
        """`read`: what was measured of a picture, by the key under which it was added."""
        self._read = read
        self._places: dict[str, Place] = {}
        self._near: dict[tuple[int, ...], list[str]] = defaultdict(list)

    def add(self, key: str, place: Place) -> None:
        """Adds a picture once."""
        if key not in self._places:
            self._places[key] = place
            self._near[_compartment(place.along)].append(key)

    def nearest(self, key: str) -> Nearest | None:
        """The nearest picture of another pair; None when none is near."""
        own, measured = self._places.get(key), self._read(key)
        if own is None or measured is None or not measured.small:
            return None
        look, found = look_of(measured), []
        candidates = islice(self._candidates(key, own), _NEAR)
        for _, other_key in sorted(candidates)[:_COMPARED]:
            theirs, other = self._read(other_key), self._places[other_key]
            if theirs is not None and theirs.small:
                found.append((share_of(look, look_of(theirs), moved=_MOVED), other))
        if not found:
            return None
        share, other = min(found, key=lambda each: (each[0], each[1].row))
        return Nearest(row=other.row, share=share, other_is_worse=_fits_worse(other, own))

    def _candidates(self, key: str, own: Place) -> Iterator[tuple[float, str]]:
        """Pictures of other pairs, and how far away they lie."""
        middle = _compartment(own.along)
        for offset in product((0, -1, 1), repeat=len(middle)):
            for other_key in self._near.get(tuple(map(int.__add__, middle, offset)), ()):
                other = self._places[other_key]
                apart = max(abs(a - b) for a, b in zip(own.along, other.along, strict=True))
                if other_key != key and other.pair != own.pair and apart <= _APART:
                    yield apart, other_key


def _compartment(along: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(int(each // _APART) for each in along[:_SORTED_BY])


def _fits_worse(one: Place, other: Place) -> bool:
    return one.misfit is not None and other.misfit is not None and one.misfit > other.misfit + _CLEARLY
