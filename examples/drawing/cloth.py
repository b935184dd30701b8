"""What garments are made of: sleeves, seams, folds, patterns, collars."""

import math
from collections.abc import Iterable, Sequence

from PIL import Image

from examples.drawing.body import BENT_ARM, STRAIGHT_ARM
from examples.drawing.canvas import DUSK, Canvas, model
from examples.drawing.geometry import Bone, Knot, Point, _tangent, along, both, limb, mix

# Coordinates are read in rows, not one below the other.
# fmt: off

def sleeve(arm: Sequence[Bone], end: float, *, shoulder: float, hem: float, puff: float = 0.0) -> list[Bone]:
    """A sleeve down to a share of the arm's length, so many pixels wider at its ends, `puff` more between."""
    count = 14
    return [
        (
            x, y,
            w
            + shoulder
            + (hem - shoulder) * step / (count - 1)
            + puff * math.sin(math.pi * step / (count - 1)),
        )
        for step, (x, y, w) in enumerate(along(arm, 0, end, count))
    ]


def both_sleeves(
    end: float, *, shoulder: float, hem: float, puff: float = 0.0
) -> tuple[list[Bone], list[Bone]]:
    """The sleeves of the viewer's left and right."""
    left = sleeve(STRAIGHT_ARM, end, shoulder=shoulder, hem=hem, puff=puff)
    return [(-x, y, w) for x, y, w in left], sleeve(BENT_ARM, end, shoulder=shoulder, hem=hem, puff=puff)


def bodice(neck: Sequence[Knot], side: Sequence[Knot]) -> list[Knot]:
    """A top's outline from its neckline (centre to shoulder) and its side (armpit to the hem's centre)."""
    return both([*neck, (50, 168.5), (71, 179.5, 1), (67.5, 206), (66, 236, 1), *side])


def sew(
    canvas: Canvas, outline: Sequence[Knot], colour: str, *, share: float = 0.5, depth: float = 9.0
) -> Image.Image:
    """One piece of cloth, rounded."""
    mask = canvas.paint(canvas.mask(outline), colour)
    model(canvas, mask, mix(colour, DUSK, 0.55), share, depth=depth)
    return mask


def sew_sleeves(canvas: Canvas, sleeves: Iterable[Sequence[Bone]], colour: str) -> list[Image.Image]:
    """Both sleeves, each with a crease at the elbow's inside and one under the shoulder."""
    masks = []
    for bones in sleeves:
        mask = sew(canvas, limb(bones), colour, depth=6)
        side = math.copysign(1, bones[-1][0])
        lines = [
            [(x - side * w * 0.1, y + 4), (x - side * w * 0.5, y + 1)]
            for x, y, w in along(bones, 0.5, 0.62, 2)
        ]
        x, y, w = bones[3]
        lines.append(
            [(x + side * w * 0.1, y + 4), (x - side * w * 0.3, y + 18), (x - side * w * 0.42, y + 34)]
        )
        crease(canvas, mask, lines, colour, share=0.4, width=4)
        masks.append(mask)
    return masks


def armholes(canvas: Canvas, inside: Image.Image, colour: str) -> None:
    """The seams that set the sleeves in."""
    seams = [[(side * 71, 180), (side * 68, 205), (side * 66, 236)] for side in (-1, 1)]
    canvas.tint(canvas.pen(seams, 1.4), mix(colour, DUSK, 0.6), 0.5, inside=inside)


def crease(
    canvas: Canvas,
    inside: Image.Image,
    lines: Iterable[Sequence[Point]],
    colour: str,
    *,
    share: float = 0.5,
    width: float = 6,
    soft: float = 1.3,
) -> None:
    """Folds: soft dark marks, thick in the middle and ending in points."""
    marks = []
    for line in lines:
        thick = [math.sin(math.pi * (step + 0.15) / (len(line) - 0.7)) for step in range(len(line))]
        marks.append(limb([(x, y, max(0.6, width * t)) for (x, y), t in zip(line, thick, strict=True)]))
    canvas.tint(canvas.mask(*marks), mix(colour, DUSK, 0.6), share, soft=soft, inside=inside)


def seam(
    canvas: Canvas, inside: Image.Image, lines: Iterable[Sequence[Knot]], colour: str, *, width: float = 1.2
) -> None:
    """Seams: thin dark lines."""
    canvas.tint(canvas.pen(lines, width), mix(colour, DUSK, 0.6), 0.6, inside=inside)


def hoops(
    canvas: Canvas,
    inside: Image.Image,
    colour: str,
    heights: Iterable[float],
    width: float,
    *,
    share: float = 1,
) -> None:
    """Stripes around the trunk, hanging a little at the front."""
    lines = [[(-130, y - 6), (-50, y + 1), (0, y + 3), (50, y + 1), (130, y - 6)] for y in heights]
    canvas.tint(canvas.pen(lines, width), colour, share, inside=inside)


def rings(
    canvas: Canvas, inside: Image.Image, colour: str, bones: Sequence[Bone], *, count: int, width: float
) -> None:
    """Stripes around a sleeve."""
    lines = []
    places = along(bones, 0.04, 0.99, count)
    for index, (x, y, w) in enumerate(places):
        to_x, to_y = _tangent(places[max(index - 1, 0)], places[min(index + 1, count - 1)], 1)
        lines.append(
            [(x + to_y * w, y - to_x * w), (x + to_x * 2, y + to_y * 2), (x - to_y * w, y + to_x * w)]
        )
    canvas.tint(canvas.pen(lines, width), colour, 1, inside=inside)


def rays(
    canvas: Canvas,
    inside: Image.Image,
    colour: str,
    *,
    top: tuple[float, float],
    bottom: tuple[float, float],
    count: int,
    width: float,
    share: float = 1,
) -> None:
    """`count` lengthwise stripes; `top` and `bottom` are (y, half width) of the fan they make."""
    lines = []
    for step in range(count):
        turn = 2 * (step + 0.5) / count - 1
        lines.append(
            [
                (turn * top[1], top[0]), (turn * (top[1] + bottom[1]) / 2, (top[0] + bottom[0]) / 2),
                (turn * bottom[1], bottom[0]),
            ]
        )
    canvas.tint(canvas.pen(lines, width), colour, share, inside=inside)


def spots(box: tuple[float, float, float, float], step: float) -> list[Point]:
    """A staggered grid over left, top, right, bottom."""
    left, top, right, bottom = box
    rows = int((bottom - top) / (step * 0.8)) + 1
    columns = int((right - left) / step) + 1
    return [
        (left + step * (c + 0.5 * (r % 2)), top + step * 0.8 * r) for r in range(rows) for c in range(columns)
    ]


def buttons(canvas: Canvas, places: Sequence[Point], colour: str, radius: float = 2.4) -> None:
    """Buttons with their little shadows."""
    canvas.tint(canvas.dots([(x + 0.6, y + 1) for x, y in places], radius), DUSK, 0.4)
    canvas.paint(canvas.dots(places, radius), colour)
    canvas.tint(canvas.dots(places, radius * 0.35), DUSK, 0.5)


def collar(canvas: Canvas, colour: str, *, depth: float = 196, spread: float = 22) -> None:
    """A shirt collar, open above `depth`."""
    for side in (-1, 1):
        leaf = [
            (side * 19, 150, 1), (side * 26, 160), (side * 34, 172), (side * spread, depth + 6, 1),
            (side * 1, depth - 6, 1), (side * 12, 172),
        ]
        shadow = [(x, y + 3, *corner) for x, y, *corner in leaf]
        canvas.tint(canvas.mask(shadow), mix(colour, DUSK, 0.7), 0.35, soft=1.5)
        mask = sew(canvas, leaf, colour, depth=3)
        seam(
            canvas, mask, [[(side * 3, depth - 9), (side * (spread - 1), depth + 2), (side * 31.5, 172)]],
            colour, width=0.7,
        )


CREW_NECK: list[Knot] = [(0, 180), (13, 177), (22, 168), (25, 160, 1)]
LONG_SIDE: list[Knot] = [(62, 262), (60, 300), (65, 345), (70, 388, 1), (36, 393), (0, 394)]
