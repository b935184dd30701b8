"""Points, smooth outlines and limbs, in the body's coordinates."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from PIL import ImageColor

#: Canvas in pixels.
WIDTH, HEIGHT = 600, 800
#: x, y and, for a corner, any third number; without it the outline is smooth there.
Knot = tuple[float, ...]
Point = tuple[float, float]
#: x, y and full width of a limb or sleeve at that place.
Bone = tuple[float, float, float]


def pose(x: float, y: float) -> Point:
    """Moves a point of the stiff body into the stance: weight on one leg, hips and shoulders tilted."""
    hips = math.exp(-(((y - 385) / 130) ** 2))
    shoulders = math.exp(-(((y - 205) / 60) ** 2)) if y > 150 else 0.0
    shoulders *= min(1.0, max(0.0, (y - 150) / 40))
    stride = max(0.0, y - 400) / 360
    side = 1 / (1 + math.exp(-x / 12))
    moved_x = x - 7 * hips + stride * (3 + 15 * side)
    moved_y = y + x * (0.035 * hips - 0.03 * shoulders)
    return WIDTH / 2 + moved_x, moved_y


def upright(x: float, y: float) -> Point:
    """Places a point of what does not sway with the body: architecture."""
    return WIDTH / 2 + x, y


def spline(
    knots: Sequence[Knot], *, closed: bool = True, place: Callable[[float, float], Point] = pose
) -> list[Point]:
    """A smooth line through the knots, broken at corners, in canvas pixels."""
    count = len(knots)
    points: list[Point] = []
    for index in range(count if closed else count - 1):
        before, here = knots[index - 1 if closed or index else 0], knots[index]
        there = knots[(index + 1) % count]
        after = knots[(index + 2) % count if closed else min(index + 2, count - 1)]
        length = math.dist(here[:2], there[:2])
        leave = _tangent(here if len(here) > 2 else before, there, length)
        arrive = _tangent(here, there if len(there) > 2 else after, length)
        steps = max(2, int(length / 3))
        points += [place(*_hermite(here, there, leave, arrive, step / steps)) for step in range(steps)]
    return points if closed else [*points, place(*knots[-1][:2])]


def _tangent(start: Knot, end: Knot, length: float) -> Point:
    span = math.dist(start[:2], end[:2]) or 1.0
    return (end[0] - start[0]) / span * length, (end[1] - start[1]) / span * length


def _hermite(start: Knot, end: Knot, leave: Point, arrive: Point, t: float) -> Point:
    a, b = 2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t
    c, d = -2 * t**3 + 3 * t**2, t**3 - t**2
    return (
        a * start[0] + b * leave[0] + c * end[0] + d * arrive[0],
        a * start[1] + b * leave[1] + c * end[1] + d * arrive[1],
    )


def flip(knots: Iterable[Knot]) -> list[Knot]:
    """The same knots on the other side of the centre line, in opposite order."""
    return [(-knot[0], *knot[1:]) for knot in reversed(list(knots))]


def both(half: Sequence[Knot]) -> list[Knot]:
    """A closed outline from its right half, which runs from the top centre to the bottom centre."""
    return [*half, *flip(knot for knot in half if knot[0] != 0)]


def limb(bones: Sequence[Bone], *, extra: float = 0.0) -> list[Knot]:
    """The outline of a limb, or of a sleeve that is `extra` pixels wider; its ends are cut straight."""
    left: list[Knot] = []
    right: list[Knot] = []
    for index, (x, y, width) in enumerate(bones):
        back, ahead = bones[max(index - 1, 0)], bones[min(index + 1, len(bones) - 1)]
        along_x, along_y = _tangent(back, ahead, (width + extra) / 2)
        end = (1,) if index in (0, len(bones) - 1) else ()
        left.append((x + along_y, y - along_x, *end))
        right.append((x - along_y, y + along_x, *end))
    return [*left, *reversed(right)]


def along(bones: Sequence[Bone], start: float, end: float, count: int) -> list[Bone]:
    """`count` places between two fractions of a limb's length, widths interpolated."""
    lengths = [math.dist(a[:2], b[:2]) for a, b in pairwise(bones)]
    places: list[Bone] = []
    for step in range(count):
        rest = sum(lengths) * (start + (end - start) * step / max(count - 1, 1))
        index = 0
        while index < len(lengths) - 1 and rest > lengths[index]:
            rest -= lengths[index]
            index += 1
        part = rest / lengths[index]
        x, y, w = (a + (b - a) * part for a, b in zip(bones[index], bones[index + 1], strict=True))
        places.append((x, y, w))
    return places


def mix(colour: str, other: str, share: float) -> str:
    """`colour` with a share (0..1) of another one in it."""
    pairs = zip(ImageColor.getrgb(colour)[:3], ImageColor.getrgb(other)[:3], strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)
