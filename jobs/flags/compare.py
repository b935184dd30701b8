"""How near two pictures are, by their traits. Pure; half a millisecond a comparison."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, floor
from typing import Final

from PIL import Image, ImageChops

from jobs.flags.colour import Lab, ciede2000, lab
from jobs.flags.traits import GRID, SMALL, Cell, Look, cells_of

#: Levels of 255 by which a cell must differ, tone apart, to count as another one.
_OTHER: Final = 9
#: Share of cells from which on a glance shows another picture, wherever what it shows may have moved.
_GLANCE: Final = 0.4
#: Share by which a whole picture may be lighter, darker or tinted and still be the same.
_TONE: Final = 0.08
#: Differences of aspect beyond which the taller or wider picture is cropped to the other's shape first.
_SAME_ASPECT: Final = 0.01
#: Opacity from which a cell belongs to a cut-out.
_OPAQUE: Final = 200
#: Levels by which a cell must differ from a picture's border to belong to what it shows.
_SHOWN: Final = 24
#: Cells of a garment, and of what has changed, whose colours are compared; and the fewest that tell a colour.
_SAMPLED: Final = (36, 90)
_FEWEST: Final = 8
#: Share of what has changed that must have a garment's colour for it to count as worn.
_WORN: Final = 0.12
#: Colours are rounded to so many levels: what is remembered of them stays small.
_STEP: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What one picture has of another."""

    #: 0 to 1: cells that differ.
    share: float
    #: Those cells as the first picture has them.
    cells: tuple[Cell, ...]


def difference(one: Look, other: Look, *, moved: int) -> Difference:
    """Where two pictures differ, however they were cropped: the least of squeezed to one shape, and either one cropped.

    `moved`: pixels of the small copy, to all sides, by which what it shows may have moved; one is a hundredth of its width.
    """
    seen = _on(other, _border(cells_of(one.small)))
    found = [_differing(one.small, seen, moved)]
    ratio = one.aspect / other.aspect
    if abs(ratio - 1) > _SAME_ASPECT:
        found.append(_differing(_cropped(one.small, 1 / ratio), seen, moved))
        found.append(_differing(one.small, _cropped(seen, ratio), moved))
    return min(found, key=lambda each: each.share)


def share(one: Look, other: Look, *, moved: int) -> float:
    """The share of cells that `difference` finds for two pictures of one shape.

    Where a glance shows another picture, the share is that of the glance, which knows of no moves: too high, if anything.
    """
    glance = _share(_beyond(one.small, other.small, 0))
    return glance if glance > _GLANCE else _share(_beyond(one.small, other.small, moved))


def colour_distance(garment: Look, changed: Sequence[Cell]) -> float | None:
    """How far a garment's typical colour (CIEDE2000) is from what has changed; None when either shows too little."""
    worn = [_lab(cell) for cell in _spread(changed, _SAMPLED[1])]
    own = [_lab(cell) for cell in _spread(_shown(garment), _SAMPLED[0])]
    if min(len(worn), len(own)) < _FEWEST:
        return None
    rank = max(1, round(len(worn) * _WORN)) - 1
    # The plain distance finds the neighbour, the costly one is taken once; a garment has few colours.
    nearest = {colour: sorted((_plain(each, colour), each) for each in worn)[rank][1] for colour in set(own)}
    apart = {colour: ciede2000(colour, neighbour) for colour, neighbour in nearest.items()}
    found = sorted(apart[colour] for colour in own)
    return found[len(found) // 2]


def _differing(one: Image.Image, other: Image.Image, moved: int) -> Difference:
    """Cells of the one that are lighter or darker than all that the other has near there, tone apart."""
    beyond = _beyond(one, other, moved)
    cells = tuple(cell for cell, differs in zip(cells_of(one), beyond, strict=True) if differs)
    return Difference(share=_share(beyond), cells=cells)


def _share(beyond: bytes) -> float:
    return 1 - beyond.count(0) / len(beyond)


def _beyond(one: Image.Image, other: Image.Image, moved: int) -> bytes:
    """A number for each cell, 0 where no band differs; all in Pillow, which lets other threads run meanwhile."""
    own, plain = _cells(one), _cells(other)
    least, most = (
        _cells(_reaching(other, chosen, moved)) if moved else plain
        for chosen in (ImageChops.darker, ImageChops.lighter)
    )
    tones = [(tone, level) for tone in _tones(own, plain) for level in range(256)]
    least = least.point([max(0, min(255, ceil(level * tone - _OTHER))) for tone, level in tones])
    most = most.point([min(255, floor(level * tone + _OTHER)) for tone, level in tones])
    too_dark, too_light = ImageChops.subtract(least, own), ImageChops.subtract(own, most)
    red, green, blue = ImageChops.lighter(too_dark, too_light).split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue).tobytes()


def _cells(small: Image.Image) -> Image.Image:
    return small.resize(GRID, Image.Resampling.BOX)


def _reaching(
    small: Image.Image, chosen: Callable[[Image.Image, Image.Image], Image.Image], by: int
) -> Image.Image:
    """Each pixel the darkest or lightest of those around it; a border's neighbour is the opposite border."""
    for across, down in ((1, 0), (0, 1)):
        around = small
        for step in (*range(-by, 0), *range(1, by + 1)):
            around = chosen(around, ImageChops.offset(small, step * across, step * down))
        small = around
    return small


def _tones(own: Image.Image, other: Image.Image) -> list[float]:
    """How much lighter the one is as a whole, band by band; 1 when that is more than a tone."""
    tones = (mine / max(1, theirs) for mine, theirs in zip(_middles(own), _middles(other), strict=True))
    return [tone if abs(tone - 1) <= _TONE else 1.0 for tone in tones]


def _middles(cells: Image.Image) -> list[int]:
    """The middle level of each band."""
    levels, middle = cells.histogram(), cells.width * cells.height // 2
    bands = (accumulate(levels[start : start + 256]) for start in range(0, len(levels), 256))
    return [next(level for level, below in enumerate(band) if below > middle) for band in bands]


def _on(look: Look, backdrop: Cell) -> Image.Image:
    """A cut-out on the other picture's backdrop; any other picture as it is."""
    if look.cover is None:
        return look.small
    return Image.composite(look.small, Image.new("RGB", SMALL, backdrop), look.cover)


def _border(cells: Sequence[Cell]) -> Cell:
    """The colour at the sides and the top: level by level the middle one."""
    across = GRID[0]
    edge = [*cells[:across], *cells[::across], *cells[across - 1 :: across]]
    red, green, blue = (sorted(cell[band] for cell in edge)[len(edge) // 2] for band in range(3))
    return red, green, blue


def _cropped(small: Image.Image, ratio: float) -> Image.Image:
    """The middle of a picture, its aspect multiplied by `ratio`, squeezed to the small copy's shape again."""
    across, down = SMALL
    width, height = (across * ratio, down) if ratio < 1 else (across, down / ratio)
    left, top = (across - width) / 2, (down - height) / 2
    return small.resize(SMALL, Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))


def _shown(garment: Look) -> list[Cell]:
    """The cells that show the garment and not what lies behind it."""
    cells = cells_of(garment.small)
    if garment.cover is not None:
        cover = garment.cover.resize(GRID, Image.Resampling.BOX).tobytes()
        return [cell for cell, opaque in zip(cells, cover, strict=True) if opaque > _OPAQUE]
    backdrop = _border(cells)
    return [cell for cell in cells if max(abs(x - y) for x, y in zip(cell, backdrop, strict=True)) > _SHOWN]


def _spread(cells: Sequence[Cell], most: int) -> Sequence[Cell]:
    """At most so many of them, from everywhere."""
    return cells if len(cells) <= most else [cells[at * len(cells) // most] for at in range(most)]


def _lab(cell: Cell) -> Lab:
    red, green, blue = (min(255, level // _STEP * _STEP + _STEP // 2) for level in cell)
    return lab(red, green, blue)


def _plain(one: Lab, other: Lab) -> float:
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 + (one[2] - other[2]) ** 2
