"""What holds for many rows or columns in a row, kept as stretches: a million equal entries are one."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Runs(Generic[_Value]):
    """Place → value, for places that mostly come in ascending order."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._values: list[_Value] = []
        self._sorted = True

    def __bool__(self) -> bool:
        return bool(self._starts)

    def add(self, first: int, value: _Value, last: int | None = None) -> None:
        """Gives the places from `first` to `last` (itself by default) a value."""
        last = first if last is None else last
        if self._starts:
            if first == self._ends[-1] + 1 and self._values[-1] == value:
                self._ends[-1] = last
                return
            self._sorted = self._sorted and first > self._ends[-1]
        self._starts.append(first)
        self._ends.append(last)
        self._values.append(value)

    def get(self, place: int) -> _Value | None:
        """The value of a place, None for one that got none."""
        self._sort()
        run = bisect_right(self._starts, place) - 1
        return self._values[run] if run >= 0 and place <= self._ends[run] else None

    def stretches(self) -> list[tuple[int, int, _Value]]:
        """First place, last place and value of each stretch, ascending."""
        self._sort()
        return list(zip(self._starts, self._ends, self._values, strict=True))

    def _sort(self) -> None:
        if not self._sorted:
            order = sorted(range(len(self._starts)), key=self._starts.__getitem__)
            self._starts = [self._starts[run] for run in order]
            self._ends = [self._ends[run] for run in order]
            self._values = [self._values[run] for run in order]
            self._sorted = True


class Axis:
    """Where rows or columns begin, in EMU (914,400 an inch), to tell which of them lies under a point."""

    def __init__(self, usual: float, sizes: Runs[float]) -> None:
        """`usual`: the size of those without one of their own."""
        self._usual = max(usual, 1.0)
        self._firsts: list[int] = []
        #: Where each stretch of own sizes begins, and where it ends.
        self._begins: list[float] = []
        self._stretches = sizes.stretches()
        place, position = 0, 0.0
        for first, last, size in self._stretches:
            position += max(0, first - place) * self._usual
            self._firsts.append(first)
            self._begins.append(position)
            place, position = last + 1, position + (last + 1 - first) * size

    def begin(self, place: int) -> float:
        """Where a row or a column begins."""
        run = bisect_right(self._firsts, place) - 1
        if run < 0:
            return place * self._usual
        first, last, size = self._stretches[run]
        within = min(place, last + 1) - first
        return self._begins[run] + within * size + max(0, place - last - 1) * self._usual

    def under(self, position: float) -> int:
        """The row or the column at a position."""
        run = bisect_right(self._begins, position) - 1
        if run < 0:
            return int(max(0.0, position) // self._usual)
        first, last, size = self._stretches[run]
        beyond = position - self._begins[run] - (last + 1 - first) * size
        if beyond >= 0:
            return last + 1 + int(beyond // self._usual)
        return min(last, first + int((position - self._begins[run]) // size)) if size else last


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """Where rows or columns begin as a person sees them, and where they would if none was hidden."""

    seen: Axis
    full: Axis

    def for_anchor(self, *corners: int) -> Axis:
        """The one for a picture fastened there. One that begins or ends in a hidden row was put there when it was seen."""
        seen = all(self.seen.begin(place + 1) > self.seen.begin(place) for place in corners)
        return self.seen if seen else self.full


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes of rows or columns that have some of their own."""

    _seen: Runs[float] = field(default_factory=Runs)
    _full: Runs[float] = field(default_factory=Runs)

    def add(self, first: int, size: float, last: int | None = None, *, hidden: bool) -> None:
        """Gives the places from `first` to `last` (itself by default) a size."""
        self._seen.add(first, 0.0 if hidden else size, last)
        if size:
            self._full.add(first, size, last)

    def axes(self, usual: float) -> Axes:
        """Where they begin; `usual` is the size of all others."""
        return Axes(seen=Axis(usual, self._seen), full=Axis(usual, self._full))
