"""Draws the example pictures: people and garments on one shared body, so that each garment fits everyone.

Run `python examples/draw.py` to draw them all again; the same Pillow draws the same bytes.

All shapes are given in the body's coordinates: x in pixels from the centre line (positive is the viewer's
right), y in pixels from the top of a 600 x 800 canvas. `pose` then gives the stiff body its stance, for skin
and cloth alike.
"""

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter

#: Canvas in pixels.
WIDTH, HEIGHT = 600, 800
#: Pictures are drawn this many times larger and reduced, which is what smooths their edges.
SCALE = 4
#: Shadows lean towards this colour, so that they look like cloth in daylight and not like soot.
DUSK = "#2b1f3a"

#: x, y and, for a corner, any third number; without it the outline is smooth there.
Knot = tuple[float, ...]
Point = tuple[float, float]
#: x, y and full width of a limb or sleeve at that place.
Bone = tuple[float, float, float]


# --- geometry ---------------------------------------------------------------------------------------------


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


# --- painting ---------------------------------------------------------------------------------------------


class Canvas:
    """A picture in the making. Marks are masks: a shape, softened and cut to another mask, then inked."""

    def __init__(self, ground: str | None = None) -> None:
        size = (WIDTH * SCALE, HEIGHT * SCALE)
        self._ink = Image.new("RGB", size, ground or "#808080")
        self._cover = Image.new("L", size, 255 if ground else 0)

    def mask(self, *outlines: Sequence[Knot], place: Callable[[float, float], Point] = pose) -> Image.Image:
        """Filled outlines."""
        mask = Image.new("L", self._ink.size)
        draw = ImageDraw.Draw(mask)
        for knots in outlines:
            draw.polygon([(x * SCALE, y * SCALE) for x, y in spline(knots, place=place)], fill=255)
        return mask

    def pen(self, lines: Iterable[Sequence[Knot]], width: float) -> Image.Image:
        """Smooth open lines of one width in pixels, with round ends."""
        mask = Image.new("L", self._ink.size)
        draw = ImageDraw.Draw(mask)
        radius = width * SCALE / 2
        for line in lines:
            points = [(x * SCALE, y * SCALE) for x, y in spline(line, closed=False)]
            draw.line(points, fill=255, width=max(1, round(width * SCALE)), joint="curve")
            for x, y in (points[0], points[-1]):
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        return mask

    def dots(self, places: Iterable[Point], radius: float) -> Image.Image:
        """Discs of one radius in pixels."""
        mask = Image.new("L", self._ink.size)
        draw = ImageDraw.Draw(mask)
        for place in places:
            x, y = pose(*place)
            box = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(tuple(side * SCALE for side in box), fill=255)
        return mask

    def paint(self, mask: Image.Image, colour: str) -> Image.Image:
        """Opaque colour; gives the mask back for what is drawn inside it."""
        self._ink.paste(colour, mask=mask)
        self._cover.paste(255, mask=mask)
        return mask

    def tint(
        self,
        mask: Image.Image,
        colour: str,
        share: float,
        *,
        soft: float = 0.0,
        inside: Image.Image | None = None,
    ) -> None:
        """A glaze of `share` (0..1) of a colour, softened by so many pixels, kept inside another mask."""
        box = _grown(mask.getbbox(), soft * 3 * SCALE, mask.size)
        if box is None:
            return
        part = mask.crop(box)
        if soft:
            part = part.filter(ImageFilter.GaussianBlur(soft * SCALE))
        if inside is not None:
            part = ImageChops.multiply(part, inside.crop(box))
        self._ink.paste(colour, box, part.point([round(level * share) for level in range(256)]))

    def cast(self, onto: Image.Image, *, drop: float, soft: float, share: float) -> None:
        """The shadow of what is painted so far, falling on `onto` only: the one translucent part."""
        fallen = ImageChops.offset(self._cover, 0, round(drop * SCALE))
        fallen = fallen.filter(ImageFilter.GaussianBlur(soft * SCALE))
        fallen = ImageChops.multiply(fallen, onto).point([round(level * share) for level in range(256)])
        bare = ImageChops.invert(self._cover)
        self._ink.paste(DUSK, mask=bare)
        self._cover = ImageChops.lighter(self._cover, fallen)

    def flat(self) -> Image.Image:
        """The picture without transparency at its final size."""
        return self._ink.reduce(SCALE)

    def cut_out(self) -> Image.Image:
        """The picture with its transparency at its final size."""
        whole = self._ink.copy()
        whole.putalpha(self._cover)
        return whole.reduce(SCALE)


def _grown(
    box: tuple[int, int, int, int] | None, margin: float, size: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    if box is None:
        return None
    reach = math.ceil(margin)
    return (
        max(box[0] - reach, 0),
        max(box[1] - reach, 0),
        min(box[2] + reach, size[0]),
        min(box[3] + reach, size[1]),
    )


def model(
    canvas: Canvas,
    mask: Image.Image,
    shade: str,
    share: float,
    *,
    depth: float = 9.0,
    where: Image.Image | None = None,
) -> None:
    """Rounds a flat shape: a soft dark rim on the side away from the light, which is at the upper left."""
    lit = ImageChops.offset(mask, round(-depth * SCALE), round(-depth * 0.35 * SCALE))
    inside = mask if where is None else ImageChops.multiply(mask, where)
    canvas.tint(ImageChops.subtract(mask, lit), shade, share, soft=depth * 0.42, inside=inside)


# Coordinates are read in rows, not one below the other.
# fmt: off

# --- the body ---------------------------------------------------------------------------------------------

#: The relaxed arm on the viewer's left (x counts to the left here) and the bent one on the right.
STRAIGHT_ARM: list[Bone] = [
    (50, 190, 19), (67, 199, 27), (77, 238, 26), (85, 273, 24), (94, 306, 21.5), (102, 338, 20.5),
    (111, 373, 17), (118, 402, 13.5),
]
BENT_ARM: list[Bone] = [
    (50, 190, 19), (67, 199, 27), (80, 238, 26), (92, 273, 24), (101, 306, 21.5), (106, 338, 20.5),
    (107, 373, 17), (107, 402, 13.5),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """How a person differs from the shared body, in pixels on each side; garments have room for all."""

    shoulder: float = 0.0
    waist: float = 0.0
    hip: float = 0.0
    limbs: float = 0.0


def torso(build: Build) -> list[Knot]:
    """Neck to ankles."""
    neck, s, w, h, g = build.shoulder * 0.5, build.shoulder, build.waist, build.hip, build.limbs * 0.5
    return both(
        [
            (0, 122), (15 + neck, 128), (14.5 + neck, 148), (19 + neck, 161), (40 + s, 171.5), (60 + s, 178),
            (70 + s, 190), (66, 208), (60 + s * 0.5, 228), (57 + w * 0.4, 248), (51 + w * 0.8, 276),
            (46 + w, 305), (51 + w * 0.7 + h * 0.3, 335), (60 + h, 368), (63 + h, 398), (61 + h + g, 440),
            (55 + g, 500), (46 + g, 555), (43 + g, 590), (45 + g, 625), (41 + g, 672), (33, 722),
            (32, 750, 1), (17, 750, 1), (17, 722), (14 - g, 672), (12 - g, 625), (15 - g, 582), (13 - g, 545),
            (6, 478), (1, 418, 1), (0, 412),
        ]
    )


FACE: list[Knot] = [(0, 54), (20, 58), (31, 74), (33, 96), (30.5, 114), (23, 130), (11, 140), (0, 142.5)]
#: Palm, fingers and thumb of the straight arm's hand.
OPEN_HAND: list[list[Knot]] = [
    [
        (111.5, 396), (111, 412), (113, 428), (118, 446), (121, 457), (126, 459), (129, 452), (130, 436),
        (129, 418), (124, 396),
    ],
    [(113, 404), (109, 414), (108, 427), (110, 436), (113.5, 435), (114, 424), (117, 412)],
]
#: The same of the bent arm's.
HIP_HAND: list[list[Knot]] = [
    [
        (100.5, 396), (98, 412), (96, 428), (98, 446), (100, 456), (105, 458), (109, 450), (112, 434),
        (114.5, 416), (113.5, 396),
    ],
    [(102, 404), (95, 413), (91, 425), (92, 434), (95.5, 434), (98, 424), (103, 414)],
]
SHOE: list[Knot] = [
    (16, 738), (13, 752), (11, 765), (15, 775), (29, 778.5), (43, 773), (45, 762), (38, 748), (34, 738),
]


# --- people -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Hair:
    """A hair style: what hangs behind the body, what lies on the face, and strands drawn into it."""

    behind: Sequence[Sequence[Knot]] = ()
    front: Sequence[Sequence[Knot]] = ()
    strands: Sequence[Sequence[Knot]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One catalog model."""

    name: str
    skin: str
    lips: str
    hair: Hair
    hair_colour: str
    wall: str
    layer: str
    shoes: str
    build: Build = Build()
    beard: bool = False
    glasses: str = ""
    earrings: str = ""
    #: A singlet instead of the camisole.
    singlet: bool = False


def _cloud(
    x: float, y: float, wide: float, high: float, *, bumps: int = 4, depth: float = 0.0
) -> list[Knot]:
    """A round outline, with curls of a depth in pixels."""
    turns = [2 * math.pi * step / (bumps * 6) for step in range(bumps * 6)]
    return [
        (
            x + (wide + depth * math.cos(bumps * t)) * math.cos(t),
            y + (high + depth * math.cos(bumps * t)) * math.sin(t),
        )
        for t in turns
    ]


HAIR: Mapping[str, Hair] = {
    "afro": Hair(
        behind=[_cloud(0, 82, 61, 57, bumps=17, depth=1.8)],
        front=[
            [
                (-38, 92), (-44, 60), (-20, 32), (20, 32), (44, 60), (38, 92), (32, 94, 1), (30, 82),
                (20, 72), (0, 68.5), (-20, 72), (-30, 82), (-32, 94, 1),
            ]
        ],
    ),
    "waves": Hair(
        behind=[
            [
                (-4, 44), (26, 47), (44, 66), (50, 96), (52, 122), (62, 146), (66, 170), (60, 200),
                (-60, 200), (-67, 172), (-61, 148), (-53, 124), (-51, 96), (-45, 66), (-28, 48),
            ]
        ],
        front=[
            [
                (-10, 43), (18, 44), (39, 62), (44, 92), (44, 118), (52, 146), (46, 160), (36, 142),
                (33, 118), (31, 94), (22, 76), (2, 66), (-9, 56, 1), (-16, 70), (-27, 84), (-32, 104),
                (-35, 130), (-45, 160), (-54, 148), (-46, 118), (-45, 90), (-38, 60),
            ]
        ],
        strands=[
            [(-2, 50), (20, 60), (35, 84), (38, 116), (43, 144)], [(4, 47), (28, 58), (40, 86), (41, 110)],
            [(-14, 50), (-30, 66), (-39, 92), (-41, 120), (-47, 148)],
        ],
    ),
    "bob": Hair(
        behind=[[(0, 44), (38, 56), (48, 96), (47, 148), (0, 156), (-47, 148), (-48, 96), (-38, 56)]],
        front=[
            [
                (0, 42), (24, 46), (41, 64), (47, 98), (47, 148, 1), (29, 150, 1), (33, 120), (31, 86, 1),
                (16, 84.5), (0, 84), (-16, 84.5), (-31, 86, 1), (-33, 120), (-29, 150, 1), (-47, 148, 1),
                (-47, 98), (-41, 64), (-24, 46),
            ]
        ],
        strands=[
            [(2, 50), (-8, 62), (-12, 80)], [(6, 50), (14, 64), (17, 80)], [(-14, 52), (-24, 66), (-27, 80)],
            [(38, 78), (41, 110), (39, 142)], [(-38, 78), (-41, 110), (-39, 142)],
        ],
    ),
    "parting": Hair(
        front=[
            [
                (-36, 98, 1), (-38, 78), (-32, 56), (-12, 42), (16, 40), (33, 50), (39, 70), (36, 98, 1),
                (32, 97, 1), (31, 82), (25, 70), (6, 73), (-14, 68), (-23, 62, 1), (-29, 78), (-32, 97, 1),
            ]
        ],
        strands=[[(-22, 60), (-6, 50), (16, 49), (30, 60)], [(-20, 63), (-2, 57), (16, 58), (28, 66)]],
    ),
    "curls": Hair(
        front=[
            [
                (-35, 96, 1), (-39, 82), (-37, 66), (-41, 56), (-31, 50), (-27, 38), (-14, 40), (-4, 31),
                (8, 37), (20, 33), (27, 44), (38, 48), (36, 60), (40, 72), (36, 84), (35, 96, 1), (31, 94, 1),
                (30, 80), (22, 72), (14, 75), (4, 70), (-6, 74), (-16, 70), (-24, 76), (-30, 82),
                (-31, 94, 1),
            ]
        ],
        strands=[
            [(-26, 60), (-20, 53), (-13, 58)], [(-8, 52), (0, 46), (8, 52)], [(12, 60), (19, 54), (26, 60)],
            [(-14, 66), (-8, 61), (-2, 66)],
        ],
    ),
    "pixie": Hair(
        front=[
            [
                (-36, 108, 1), (-41, 90), (-38, 62), (-20, 43), (8, 38), (32, 50), (42, 74), (40, 96),
                (35, 110, 1), (32, 96), (30, 82), (14, 76), (-6, 66), (-16, 60, 1), (-24, 74), (-32, 84),
                (-32, 98),
            ]
        ],
        strands=[
            [(-14, 58), (4, 52), (24, 60), (36, 80)], [(-12, 61), (8, 61), (26, 72)],
            [(-18, 58), (-30, 68), (-36, 84)],
        ],
    ),
    "bun": Hair(
        behind=[_cloud(0, 34, 23, 20)],
        front=[
            [
                (-35, 104, 1), (-38, 80), (-30, 56), (0, 45), (30, 56), (38, 80), (35, 104, 1), (31.5, 92),
                (27, 78), (12, 66), (0, 61, 1), (-12, 66), (-27, 78), (-31.5, 92),
            ]
        ],
        strands=[
            [(0, 60), (16, 58), (30, 72)], [(0, 55), (18, 54), (33, 74)], [(0, 60), (-16, 58), (-30, 72)],
            [(0, 55), (-18, 54), (-33, 74)], [(-14, 32), (0, 24), (14, 32)],
        ],
    ),
    "locks": Hair(
        behind=[
            [
                (0, 40), (34, 50), (48, 80), (54, 120), (60, 158), (56, 200), (-56, 200), (-60, 158),
                (-54, 120), (-48, 80), (-34, 50),
            ]
        ],
        front=[
            [
                (0, 41), (26, 46), (42, 66), (48, 100), (54, 150), (45, 156), (41, 154), (36, 120), (31, 92),
                (20, 72), (6, 64, 1), (-8, 72), (-24, 82), (-33, 98), (-38, 130), (-43, 156), (-53, 152),
                (-48, 100), (-42, 66), (-26, 46),
            ]
        ],
        strands=[
            [(6, 62), (26, 68), (37, 98), (44, 150)], [(4, 56), (32, 66), (42, 100), (49, 148)],
            [(4, 60), (-18, 68), (-38, 98), (-44, 146)], [(2, 54), (-28, 62), (-44, 100), (-49, 146)],
            [(2, 50), (26, 54), (42, 76)], [(0, 50), (-24, 54), (-42, 76)],
        ],
    ),
}


PEOPLE: Sequence[Person] = (
    Person(
        name="amara", skin="#6f4430", lips="#8a3b40", hair=HAIR["afro"], hair_colour="#241714",
        wall="#f0c9ac", layer="#efe6dc", shoes="#f4efe8", build=Build(waist=2, hip=3, limbs=2),
        earrings="#e0b050",
    ),
    Person(
        name="ines", skin="#d9a17c", lips="#b85a58", hair=HAIR["waves"], hair_colour="#4a2b20",
        wall="#c9d5c4", layer="#ece7df", shoes="#c98f6a",
    ),
    Person(
        name="mei", skin="#f0c9a8", lips="#c9615f", hair=HAIR["bob"], hair_colour="#1f1b22", wall="#d8d0e6",
        layer="#e9e4e4", shoes="#2d2a32", build=Build(shoulder=-2, waist=-1, hip=-3, limbs=-2),
    ),
    Person(
        name="jonas", skin="#efc3a4", lips="#c08274", hair=HAIR["parting"], hair_colour="#9a6a3f",
        wall="#c3d4df", layer="#dfe1e3", shoes="#f2f0ec", build=Build(shoulder=6, waist=4, hip=0, limbs=4),
        singlet=True,
    ),
    Person(
        name="tariq", skin="#a86f4b", lips="#94544a", hair=HAIR["curls"], hair_colour="#211814",
        wall="#e6d9bf", layer="#d9d6d0", shoes="#5a4033", build=Build(shoulder=5, waist=4, hip=0, limbs=3),
        beard=True, singlet=True,
    ),
    Person(
        name="ruth", skin="#f3cdb6", lips="#b9605f", hair=HAIR["pixie"], hair_colour="#c9c6c8",
        wall="#f0dcc0", layer="#e4ded8", shoes="#7d3f45", build=Build(waist=4, hip=2, limbs=1),
        glasses="#5b3a34", earrings="#f5efe6",
    ),
    Person(
        name="priya", skin="#b67b54", lips="#a04248", hair=HAIR["bun"], hair_colour="#2a1a18", wall="#efcfcd",
        layer="#efe3d8", shoes="#b98a55", build=Build(waist=1, hip=2), earrings="#e5bb5c",
    ),
    Person(
        name="noor", skin="#8a5638", lips="#8d4344", hair=HAIR["locks"], hair_colour="#3a2019",
        wall="#bfd8d2", layer="#f0e8de", shoes="#f3ede3", build=Build(waist=4, hip=4, limbs=4),
    ),
)


def draw_person(person: Person) -> Image.Image:
    """The person, standing before their wall."""
    canvas = Canvas(person.wall)
    _backdrop(canvas, person.wall)
    shade = mix(person.hair_colour, "#000000", 0.25)
    for shape in person.hair.behind:
        model(canvas, canvas.paint(canvas.mask(shape), mix(person.hair_colour, "#000000", 0.12)), shade, 0.5)
    body = _skin(canvas, person)
    _underlayer(canvas, person, body)
    _shoes(canvas, person.shoes)
    _head(canvas, person)
    _front_hair(canvas, person)
    return canvas.flat()


def _backdrop(canvas: Canvas, wall: str) -> None:
    """A wall with an arch, a floor, and the person's shadow on it."""
    floor = canvas.mask([(-330, 690, 1), (330, 690, 1), (330, 830, 1), (-330, 830, 1)], place=upright)
    arch = [
        (-190, 690, 1), (-190, 222, 1), (-189.6, 210), (-175.5, 149), (-134, 88), (-73, 46.5), (0, 32),
        (73, 46.5), (134, 88), (175.5, 149), (189.6, 210), (190, 222, 1), (190, 690, 1),
    ]
    canvas.tint(canvas.mask(arch, place=upright), "#ffffff", 0.34)
    canvas.tint(floor, mix(wall, DUSK, 0.5), 0.16)
    canvas.tint(canvas.mask(_cloud(6, 773, 84, 8)), mix(wall, DUSK, 0.8), 0.42, soft=5)
    canvas.tint(canvas.mask(_cloud(40, 778, 130, 7)), mix(wall, DUSK, 0.8), 0.18, soft=9)


def _skin(canvas: Canvas, person: Person) -> Image.Image:
    """Arms, hands, neck, trunk and legs; gives the trunk's mask."""
    shade = mix(person.skin, "#5a1f1a", 0.42)
    body = canvas.paint(canvas.mask(torso(person.build)), person.skin)
    # Arms and trunk are one skin: neither throws a rim where the other one goes on.
    below = canvas.mask([(-300, 226, 1), (300, 226, 1), (300, 830, 1), (-300, 830, 1)])
    neck = canvas.mask([(-60, 100, 1), (60, 100, 1), (60, 164, 1), (-60, 164, 1)])
    model(canvas, body, shade, 0.5, depth=8, where=ImageChops.lighter(below, neck))
    for bones, hand, side in ((STRAIGHT_ARM, OPEN_HAND, -1), (BENT_ARM, HIP_HAND, 1)):
        arm = limb(bones, extra=person.build.limbs + person.build.shoulder * 0.3)
        mask = canvas.mask(*((part if side > 0 else flip(part)) for part in (arm, *hand)))
        model(canvas, canvas.paint(mask, person.skin), shade, 0.5, depth=5, where=below if side < 0 else None)
        fingers = [[(side * (x + 104.5), y), (side * (x + 105), y + 14)] for x, y in ((0, 439), (3.5, 438))]
        if side < 0:
            fingers = [[(x - 15.5, y), (x2 - 17, y2 + 1)] for (x, y), (x2, y2) in fingers]
        canvas.tint(canvas.pen(fingers, 0.9), shade, 0.5, inside=mask)
    under_chin = [(-17, 118), (17, 118), (19, 150), (2, 162), (-14, 152)]
    canvas.tint(canvas.mask(under_chin), shade, 0.6, soft=2, inside=body)
    collarbones = [[(-40, 178), (-22, 183), (-8, 187)], [(40, 178), (22, 183), (8, 187)]]
    canvas.tint(canvas.pen(collarbones, 1.6), shade, 0.5, soft=0.8, inside=body)
    armpits = [[(60, 232), (62, 222), (65, 213)], [(-60, 232), (-62, 222), (-65, 213)]]
    canvas.tint(canvas.pen(armpits, 1.4), shade, 0.6, soft=0.6)
    knees = [[(20, 584), (28, 590), (37, 586)], [(-20, 584), (-28, 590), (-37, 586)]]
    canvas.tint(canvas.pen(knees, 2), shade, 0.35, soft=1.2, inside=body)
    return body


def _underlayer(canvas: Canvas, person: Person, body: Image.Image) -> None:
    """A plain top tucked into short leggings, quiet enough to show any garment."""
    shade = mix(person.layer, "#6b5560", 0.5)
    shorts = both([(0, 318), (90, 318, 1), (90, 452, 1), (36, 458), (0, 457, 1)])
    if person.singlet:
        top = both(
            [
                (0, 204), (18, 198), (25, 182), (25, 160, 1), (46, 160, 1), (46, 190), (50, 216),
                (72, 240, 1), (90, 340, 1), (0, 340),
            ]
        )
    else:
        top = both(
            [
                (0, 222), (22, 216), (35, 204, 1), (36.5, 165, 1), (40.5, 165, 1), (41, 206), (48, 220),
                (72, 234, 1), (90, 340, 1), (0, 340),
            ]
        )
    for outline, colour in ((top, person.layer), (shorts, mix(person.layer, "#6b5560", 0.14))):
        mask = canvas.paint(ImageChops.multiply(canvas.mask(outline), body), colour)
        model(canvas, mask, shade, 0.45, depth=7)
    folds = [[(-46, 296), (-34, 302), (-18, 301)], [(46, 292), (34, 300), (22, 302)]]
    canvas.tint(canvas.pen(folds, 2.2), shade, 0.4, soft=1.6, inside=body)
    canvas.tint(canvas.pen([[(-54, 320), (0, 322), (54, 320)]], 1.2), shade, 0.7, soft=0.4, inside=body)


def _shoes(canvas: Canvas, colour: str) -> None:
    shade = mix(colour, DUSK, 0.45)
    for outline in (SHOE, flip(SHOE)):
        mask = canvas.paint(canvas.mask(outline), colour)
        model(canvas, mask, shade, 0.6, depth=5)
        side = 1 if outline is SHOE else -1
        canvas.tint(
            canvas.pen([[(side * 11, 770), (side * 28, 775.5), (side * 45, 768)]], 2), shade, 0.5, inside=mask
        )
        canvas.tint(
            canvas.mask([(side * 17, 737), (side * 20, 749), (side * 29, 751), (side * 33, 737)]),
            shade, 0.55, inside=mask,
        )


def _head(canvas: Canvas, person: Person) -> None:
    shade = mix(person.skin, "#5a1f1a", 0.42)
    ink = mix(person.hair_colour, "#120c10", 0.75)
    for side in (-1, 1):
        ear = canvas.paint(canvas.mask(_cloud(side * 33, 101, 5, 9.5)), person.skin)
        canvas.tint(ear, shade, 0.35)
        if person.earrings:
            canvas.paint(canvas.dots([(side * 34.5, 115)], 3.2), person.earrings)
    face = canvas.paint(canvas.mask(both(FACE)), person.skin)
    model(canvas, face, shade, 0.4, depth=6)
    canvas.tint(canvas.dots([(-19, 115), (19, 115)], 6.5), "#d8584e", 0.24, soft=3.5, inside=face)
    if person.beard:
        _beard(canvas, person, face)
    for side in (-1, 1):
        canvas.paint(
            canvas.mask([(side * 8.5, 100, 1), (side * 14, 96), (side * 21, 99.5, 1), (side * 14.5, 103)]),
            "#fbf6f0",
        )
        canvas.paint(canvas.dots([(side * 14.6, 99.4)], 3.1), ink)
        canvas.paint(canvas.pen([[(side * 8.5, 99.8), (side * 14.5, 95.6), (side * 22.5, 98.6)]], 1.7), ink)
        canvas.tint(canvas.pen([[(side * 7.5, 89), (side * 15, 85.6), (side * 23.5, 88.6)]], 2.2), ink, 0.85)
    canvas.paint(canvas.dots([(-13.6, 98.2), (15.6, 98.2)], 0.8), "#ffffff")
    canvas.tint(canvas.pen([[(3, 99), (4.2, 109), (4.6, 114), (1, 116.4), (-2.4, 115.6)]], 1.5), shade, 0.75)
    lips = [(-9.5, 125, 1), (-3, 122.6), (0, 123.4), (3, 122.6), (9.5, 125, 1), (4.5, 129.4), (-4.5, 129.4)]
    canvas.tint(canvas.mask(lips), person.lips, 0.92)
    canvas.tint(
        canvas.pen([[(-10, 124.8), (-3, 125.8), (3, 125.8), (10, 124.6)]], 1),
        mix(person.lips, DUSK, 0.6),
        0.8,
    )
    if person.glasses:
        rims = [[*ring, ring[0]] for ring in (_cloud(side * 15, 99.5, 11.5, 10) for side in (-1, 1))]
        bridge = [[(-3.6, 98), (0, 96.4), (3.6, 98)], [(-26.4, 98), (-33, 96.6)], [(26.4, 98), (33, 96.6)]]
        canvas.paint(canvas.pen([*rims, *bridge], 1.6), person.glasses)


def _beard(canvas: Canvas, person: Person, face: Image.Image) -> None:
    outer = [(-34, 96, 1), (-33, 118), (-24, 136), (0, 147), (24, 136), (33, 118), (34, 96, 1)]
    inner = [(29, 100), (26, 116), (14, 119), (0, 117.5), (-14, 119), (-26, 116), (-29, 100)]
    mask = canvas.paint(canvas.mask([*outer, *inner]), person.hair_colour)
    model(canvas, mask, "#000000", 0.3, depth=5)
    canvas.tint(canvas.mask([(-5, 131), (0, 130.4), (5, 131), (0, 133)]), person.skin, 0.25, inside=face)


def _front_hair(canvas: Canvas, person: Person) -> None:
    dark, light = mix(person.hair_colour, "#000000", 0.4), mix(person.hair_colour, "#ffe6c8", 0.28)
    for shape in person.hair.front:
        mask = canvas.paint(canvas.mask(shape), person.hair_colour)
        model(canvas, mask, dark, 0.5, depth=6)
        canvas.tint(canvas.pen(person.hair.strands, 1.5), light, 0.5, soft=0.5, inside=mask)


# --- cloth ------------------------------------------------------------------------------------------------


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


CREW: list[Knot] = [(0, 180), (13, 177), (22, 168), (25, 160, 1)]
LONG_SIDE: list[Knot] = [(62, 262), (60, 300), (65, 345), (70, 388, 1), (36, 393), (0, 394)]


# --- tops -------------------------------------------------------------------------------------------------


def breton(canvas: Canvas) -> None:
    """A striped sailor's jersey."""
    cloth, stripe = "#f6f1e7", "#27406b"
    sleeves = both_sleeves(0.97, shoulder=11, hem=8)
    for mask, bones in zip(sew_sleeves(canvas, sleeves, cloth), sleeves, strict=True):
        rings(canvas, mask, stripe, bones[2:], count=14, width=4)
        model(canvas, mask, mix(cloth, DUSK, 0.55), 0.4, depth=6)
    mask = sew(canvas, bodice([(0, 172), (22, 170), (36, 165, 1)], LONG_SIDE), cloth)
    hoops(canvas, mask, stripe, range(204, 384, 13), 4.4)
    model(canvas, mask, mix(cloth, DUSK, 0.55), 0.5)
    armholes(canvas, mask, cloth)
    seam(canvas, mask, [[(-36, 168.5), (-22, 173.5), (0, 175.5), (22, 173.5), (36, 168.5)]], cloth)
    crease(
        canvas, mask,
        [
            [(-62, 300), (-44, 312), (-22, 316)], [(61, 306), (44, 320), (28, 324)],
            [(58, 240), (44, 254), (28, 260)],
        ],
        cloth, share=0.35,
    )


def oxford(canvas: Canvas) -> None:
    """A pale blue shirt with a pocket."""
    cloth = "#bcd3ea"
    sleeves = both_sleeves(0.97, shoulder=12, hem=9)
    sew_sleeves(canvas, sleeves, cloth)
    for bones in sleeves:
        cuff = along(bones, 0.9, 1, 3)
        sew(canvas, limb(cuff, extra=2.5), mix(cloth, "#ffffff", 0.18), depth=4)
    side: list[Knot] = [
        (64, 262), (63, 300), (68, 350), (71, 384), (66, 396, 1), (42, 408), (18, 414), (0, 415),
    ]
    mask = sew(canvas, bodice([(0, 196), (10, 178), (21, 156, 1)], side), cloth)
    armholes(canvas, mask, cloth)
    seam(canvas, mask, [[(-7, 192), (-7, 416)], [(7, 192), (7, 416)]], cloth, width=1)
    crease(
        canvas, mask,
        [
            [(62, 238), (48, 256), (30, 266)], [(-62, 240), (-50, 252), (-36, 258)],
            [(-62, 318), (-44, 332), (-22, 336)], [(64, 322), (46, 338), (26, 344)],
            [(-40, 400), (-34, 372), (-36, 350)], [(38, 404), (34, 376), (38, 352)],
        ],
        cloth, share=0.45,
    )
    pocket = [(22, 226, 1), (48, 225, 1), (48, 250), (35, 257, 1), (22, 251)]
    canvas.tint(canvas.mask(pocket), "#ffffff", 0.14, inside=mask)
    seam(canvas, mask, [[*pocket, pocket[0]]], cloth, width=1)
    seam(canvas, mask, [[(22, 231), (48, 230)]], cloth, width=0.8)
    buttons(canvas, [(0, y) for y in range(212, 410, 32)], "#fdfcf8")
    collar(canvas, mix(cloth, "#ffffff", 0.12))


def roll_neck(canvas: Canvas) -> None:
    """A chunky rust pullover."""
    cloth = "#b5522f"
    sleeves = both_sleeves(0.99, shoulder=16, hem=9, puff=5)
    for mask, bones in zip(sew_sleeves(canvas, sleeves, cloth), sleeves, strict=True):
        seam(
            canvas, mask, [[(x + d * w, y) for x, y, w in bones[1:12]] for d in (-0.25, 0, 0.25)], cloth,
            width=0.8,
        )
        cuff = sew(canvas, limb(along(bones, 0.88, 1, 3), extra=1), mix(cloth, DUSK, 0.12), depth=4)
        seam(
            canvas, cuff, [[(x + d * w, y) for x, y, w in bones[11:]] for d in (-0.3, -0.1, 0.1, 0.3)], cloth,
            width=0.9,
        )
    side: list[Knot] = [(66, 262), (67, 300), (71, 340), (69, 372, 1), (36, 377), (0, 378)]
    mask = sew(canvas, bodice([(0, 168), (24, 160, 1)], side), cloth)
    armholes(canvas, mask, cloth)
    for x in (-36, -12, 12, 36):
        plait = [(x + 4.5 * math.sin(step * math.pi / 2), 186 + step * 6.5) for step in range(27)]
        mirrored = [(2 * x - at, y) for at, y in plait]
        canvas.tint(canvas.pen([plait, mirrored], 1.8), mix(cloth, DUSK, 0.55), 0.45, soft=0.4, inside=mask)
        canvas.tint(
            canvas.pen([[(at - 1.4, y - 1) for at, y in plait]], 1.2), "#f0a27c", 0.4, soft=0.4, inside=mask
        )
    hem = canvas.mask([(-80, 354, 1), (0, 360), (80, 354, 1), (80, 392, 1), (-80, 392, 1)])
    canvas.tint(hem, mix(cloth, DUSK, 0.5), 0.22, inside=mask)
    seam(
        canvas,
        ImageChops.multiply(mask, hem),
        [[(x, 350), (x * 0.98, 384)] for x in range(-68, 69, 6)], cloth, width=1,
    )
    crease(
        canvas, mask, [[(66, 300), (50, 316), (34, 322)], [(-66, 312), (-52, 324), (-38, 328)]], cloth,
        share=0.5, width=7,
    )
    roll = [
        (-22, 143), (0, 148), (22, 143), (25, 152), (27, 166), (14, 174), (0, 176), (-14, 174), (-27, 166),
        (-25, 152),
    ]
    canvas.tint(
        canvas.mask([(x * 1.03, y + 4) for x, y in roll]), mix(cloth, DUSK, 0.8), 0.5, soft=2, inside=mask
    )
    fold = sew(canvas, roll, mix(cloth, "#ffffff", 0.05), depth=5)
    seam(canvas, fold, [[(x, 142), (x * 1.15, 180)] for x in range(-22, 23, 4)], cloth, width=0.9)


def dotted_blouse(canvas: Canvas) -> None:
    """A blouse with puffed sleeves and a V-neck, tucked in."""
    cloth = "#23524d"
    sleeves = both_sleeves(0.5, shoulder=14, hem=10, puff=22)
    masks = sew_sleeves(canvas, sleeves, cloth)
    neck: list[Knot] = [(0, 220, 1), (12, 194), (26, 160, 1)]
    body = sew(canvas, bodice(neck, [(60, 262), (54, 300), (56, 326), (58, 338, 1), (0, 343)]), cloth)
    whole = ImageChops.lighter(body, ImageChops.lighter(*masks))
    canvas.tint(canvas.dots(spots((-140, 160, 140, 345), 13), 2.1), "#f4ead6", 0.95, inside=whole)
    for mask, bones in zip(masks, sleeves, strict=True):
        sleeve_only = ImageChops.subtract(mask, body)
        gathers = [[(x + d * w * 0.5, y) for x, y, w in bones[9:]] for d in (-0.6, -0.2, 0.25, 0.65)]
        crease(canvas, sleeve_only, gathers, cloth, share=0.55, width=3.5)
        model(canvas, sleeve_only, mix(cloth, DUSK, 0.6), 0.5, depth=7)
        sew(canvas, limb(along(bones, 0.93, 1, 3), extra=2), mix(cloth, DUSK, 0.2), depth=3)
    armholes(canvas, body, cloth)
    model(canvas, body, mix(cloth, DUSK, 0.6), 0.5)
    seam(canvas, body, [[(-29, 160), (-13, 197), (0, 225), (13, 197), (29, 160)]], cloth, width=1.3)
    crease(
        canvas, body, [[(x, 342), (x * 1.15, 322), (x * 1.25, 292)] for x in (-42, -24, -8, 10, 26, 43)],
        cloth, share=0.55, width=4.5,
    )


def pocket_tee(canvas: Canvas) -> None:
    """An ochre T-shirt with a pocket."""
    cloth = "#d9a441"
    sleeves = both_sleeves(0.42, shoulder=12, hem=16)
    for mask, bones in zip(sew_sleeves(canvas, sleeves, cloth), sleeves, strict=True):
        x, y, w = bones[-2]
        side = math.copysign(1, x)
        seam(canvas, mask, [[(x - side * w, y + 7), (x, y), (x + side * w, y - 9)]], cloth, width=1)
    mask = sew(
        canvas, bodice(CREW, [(64, 262), (64, 300), (67, 345), (70, 384, 1), (36, 389), (0, 390)]), cloth
    )
    armholes(canvas, mask, cloth)
    rib = [(-26.5, 160), (-23, 171), (-13, 181.5), (0, 185), (13, 181.5), (23, 171), (26.5, 160)]
    seam(canvas, mask, [rib], cloth)
    pocket = [(20, 224, 1), (47, 223, 1), (47, 250, 1), (34, 257, 1), (21, 251, 1)]
    canvas.tint(canvas.mask(pocket), "#ffffff", 0.12, inside=mask)
    seam(canvas, mask, [[*pocket, pocket[0]], [(20, 229), (47, 228)]], cloth, width=1)
    seam(canvas, mask, [[(-72, 377), (-36, 382), (0, 383), (36, 382), (72, 377)]], cloth, width=1)
    crease(
        canvas, mask,
        [
            [(64, 240), (50, 256), (34, 264)], [(-64, 242), (-52, 254), (-38, 262)],
            [(-64, 306), (-46, 320), (-26, 324)], [(65, 312), (48, 328), (30, 334)],
            [(-66, 352), (-52, 360), (-38, 362)],
        ],
        cloth, share=0.45,
    )


def blazer(canvas: Canvas) -> None:
    """A sage blazer over a white top."""
    cloth, lining = "#7f9480", "#faf7f1"
    inner = sew(
        canvas,
        both([(0, 184), (14, 180), (23, 168), (26, 160, 1), (40, 172, 1), (40, 300, 1), (0, 330)]),
        lining,
    )
    seam(canvas, inner, [[(-24, 172), (-14, 184), (0, 188.5), (14, 184), (24, 172)]], lining)
    sleeves = both_sleeves(0.97, shoulder=16, hem=11)
    sew_sleeves(canvas, sleeves, cloth)
    for bones in sleeves:
        x, y, w = bones[-1]
        buttons(canvas, [(x + w * 0.26, y - 6 - step * 6) for step in range(3)], "#4d4030", 1.6)
    side: list[Knot] = [(64, 262), (59, 302), (66, 350), (75, 402, 1), (48, 412), (16, 414)]
    front = [
        (22, 156, 1), (50, 166), (74, 177.5, 1), (68.5, 206), (66, 236, 1), *side, (3, 400), (-3, 318, 1),
        (4, 290), (16, 220),
    ]
    for outline in (flip(front), front):
        mask = sew(canvas, outline, cloth)
        armholes(canvas, mask, cloth)
        sign = 1 if outline is front else -1
        crease(
            canvas, mask,
            [
                [(sign * 63, 250), (sign * 52, 272), (sign * 48, 300)],
                [(sign * 34, 396), (sign * 40, 366), (sign * 42, 330)],
            ],
            cloth, share=0.4,
        )
        flap = [(sign * 30, 352, 1), (sign * 60, 346, 1), (sign * 61, 357, 1), (sign * 31, 363, 1)]
        canvas.tint(
            canvas.mask([(x, y + 2, 1) for x, y, _ in flap]), mix(cloth, DUSK, 0.7), 0.4, soft=1, inside=mask
        )
        sew(canvas, flap, mix(cloth, "#ffffff", 0.05), depth=2)
    for side_sign in (-1, 1):
        lapel = [
            (20, 152, 1), (30, 160), (38, 172), (30, 186, 1), (44, 190, 1), (36, 236), (2, 312, 1), (8, 260),
            (15, 205), (24, 172),
        ]
        placed = [(side_sign * x, y, *corner) for x, y, *corner in lapel]
        canvas.tint(
            canvas.mask([(x, y + 3, *corner) for x, y, *corner in placed]), mix(cloth, DUSK, 0.7), 0.4, soft=2
        )
        mask = sew(canvas, placed, mix(cloth, "#ffffff", 0.09), depth=4)
        seam(canvas, mask, [[(side_sign * 30, 186), (side_sign * 18, 190)]], cloth, width=1)
    seam(
        canvas,
        canvas.mask(both([(0, 310), (90, 310, 1), (90, 420, 1), (0, 420)])),
        [[(2, 314), (4, 360), (3, 401)]], cloth, width=1.4,
    )
    canvas.tint(canvas.pen([[(-46, 232), (-26, 230)]], 2.4), mix(cloth, DUSK, 0.6), 0.5)
    buttons(canvas, [(-1, 324), (-0.5, 350)], "#4d4030", 3.2)


TOPS: Mapping[str, Callable[[Canvas], None]] = {
    "breton-jersey": breton,
    "oxford-shirt": oxford,
    "cable-roll-neck": roll_neck,
    "dotted-blouse": dotted_blouse,
    "pocket-tee": pocket_tee,
    "sage-blazer": blazer,
}


# --- bottoms ----------------------------------------------------------------------------------------------


def waistband(canvas: Canvas, colour: str, *, loops: bool = False) -> Image.Image:
    """A band around the waist, closed by a button where it has belt loops."""
    band = sew(canvas, both([(0, 308), (51, 304, 1), (53.5, 320, 1), (0, 324)]), colour, depth=6)
    seam(canvas, band, [[(-54, 319), (0, 322.5), (54, 319)]], colour, width=1)
    if loops:
        for x in (-36, 36):
            sew(
                canvas, [(x - 2, 306.5, 1), (x + 2, 306.5, 1), (x + 2, 324, 1), (x - 2, 324, 1)],
                mix(colour, DUSK, 0.12),
                depth=1,
            )
    return band


def wide_trousers(canvas: Canvas) -> None:
    """Camel trousers with wide, pressed legs."""
    cloth = "#c19a6b"
    legs = both(
        [
            (0, 308), (51, 306, 1), (54, 322), (65, 352), (71, 395), (74, 450), (75, 560), (78, 660),
            (79, 752, 1), (44, 757), (9, 753, 1), (8, 640), (5, 520), (1, 440, 1), (0, 432),
        ]
    )
    mask = sew(canvas, legs, cloth, depth=11)
    for side in (-1, 1):
        inner = canvas.mask(
            [(side * 2, 425, 1), (side * 16, 470), (side * 20, 600), (side * 22, 760, 1), (side * -1, 760, 1)]
        )
        canvas.tint(inner, mix(cloth, DUSK, 0.5), 0.3 if side < 0 else 0.45, soft=4, inside=mask)
        seam(
            canvas, mask, [[(side * 25, 330), (side * 34, 420), (side * 42, 560), (side * 44, 756)]], cloth,
            width=1.3,
        )
        seam(canvas, mask, [[(side * 46, 324), (side * 60, 362)]], cloth, width=1.3)
        crease(
            canvas, mask,
            [
                [(side * 25, 324), (side * 27, 346), (side * 31, 372)],
                [(side * 15, 324), (side * 17, 340), (side * 21, 360)],
                [(side * 58, 520), (side * 62, 620), (side * 64, 740)],
            ],
            cloth, share=0.42, width=6,
        )
    seam(canvas, mask, [[(1, 322), (1, 400), (0, 434)], [(9, 322), (9, 380), (2, 402)]], cloth, width=1)
    waistband(canvas, cloth, loops=True)
    buttons(canvas, [(0, 315)], "#7a5a38", 2.8)


def jeans(canvas: Canvas) -> None:
    """Indigo jeans with faded thighs and orange stitches."""
    cloth, thread = "#3f5f8a", "#d99a4e"
    legs = both(
        [
            (0, 308), (51, 306, 1), (54, 322), (65, 352), (70, 395), (68, 445), (61, 510), (54, 570),
            (53, 630), (51, 722, 1), (30, 727), (9, 723, 1), (8, 640), (7, 560), (3, 480), (1, 436, 1),
            (0, 428),
        ]
    )
    mask = sew(canvas, legs, cloth, depth=9)
    for side in (-1, 1):
        faded = [
            (side * 36, 400), (side * 48, 450), (side * 42, 530), (side * 34, 600), (side * 26, 530),
            (side * 22, 450),
        ]
        canvas.tint(canvas.mask(faded), "#bcd3ee", 0.34, soft=9, inside=mask)
        canvas.tint(
            canvas.pen([[(side * 51, 326), (side * 47, 344), (side * 24, 349), (side * 20, 324)]], 1),
            thread, 0.9, inside=mask,
        )
        canvas.tint(
            canvas.pen([[(side * 62, 362), (side * 64, 440), (side * 50, 570), (side * 49, 716)]], 0.8),
            thread, 0.5, inside=mask,
        )
        crease(
            canvas, mask,
            [
                [(side * 6, 434), (side * 20, 440), (side * 36, 436)],
                [(side * 7, 446), (side * 20, 456), (side * 30, 458)],
                [(side * 50, 572), (side * 38, 580), (side * 24, 578)],
                [(side * 49, 588), (side * 38, 594), (side * 28, 594)],
                [(side * 12, 690), (side * 24, 698), (side * 40, 696)],
                [(side * 48, 704), (side * 36, 710), (side * 22, 710)],
            ],
            cloth, share=0.6, width=5,
        )
        hem = canvas.mask(
            [
                (side * 4, 711, 1), (side * 30, 716), (side * 58, 710, 1), (side * 58, 735, 1),
                (side * 4, 735, 1),
            ]
        )
        canvas.tint(hem, "#a9c2e2", 0.3, inside=mask)
        canvas.tint(
            canvas.pen([[(side * 4, 712), (side * 30, 717), (side * 58, 711)]], 1), thread, 0.9, inside=mask
        )
    canvas.tint(
        canvas.pen([[(1, 322), (0.5, 400), (0, 430)], [(11, 322), (10, 376), (1, 398)]], 1),
        thread, 0.9, inside=mask,
    )
    band = waistband(canvas, mix(cloth, DUSK, 0.08), loops=True)
    canvas.tint(
        canvas.pen([[(-53, 307.5), (0, 311), (53, 307.5)], [(-55, 317), (0, 320.5), (55, 317)]], 0.9),
        thread, 0.85, inside=band,
    )
    buttons(canvas, [(0, 315.5)], "#c98a3c", 3)


def linen_shorts(canvas: Canvas) -> None:
    """Striped linen shorts with a drawstring and cuffs."""
    cloth = "#efe7d6"
    outline = both(
        [
            (0, 308), (51, 306, 1), (54, 322), (66, 352), (73, 395), (77, 440), (81, 486, 1), (44, 493),
            (5, 488, 1), (2, 444, 1), (0, 436),
        ]
    )
    mask = sew(canvas, outline, cloth)
    rays(canvas, mask, "#7f97b5", top=(300, 54), bottom=(500, 84), count=19, width=1.7, share=0.75)
    model(canvas, mask, mix(cloth, DUSK, 0.55), 0.45)
    for side in (-1, 1):
        canvas.tint(
            canvas.mask([(side * 1, 430, 1), (side * 16, 466), (side * 18, 500, 1), (side * -1, 500, 1)]),
            DUSK, 0.18, soft=4, inside=mask,
        )
        seam(
            canvas, mask,
            [[(side * 49, 324), (side * 62, 366)], [(side * 4, 474), (side * 44, 480), (side * 82, 472)]],
            cloth,
        )
        crease(
            canvas, mask,
            [
                [(side * 64, 410), (side * 62, 440), (side * 66, 468)],
                [(side * 24, 326), (side * 26, 344), (side * 30, 362)],
            ],
            cloth, share=0.35, width=5,
        )
    seam(canvas, mask, [[(0, 324), (1, 400), (0, 438)]], cloth, width=1)
    band = waistband(canvas, cloth)
    crease(
        canvas, band, [[(x, 305), (x * 1.02, 314), (x * 1.04, 324)] for x in range(-46, 47, 8)], cloth,
        share=0.45, width=2.6,
    )
    canvas.paint(
        canvas.pen([[(-3, 317), (-9, 332), (-8, 352)], [(3, 317), (8, 334), (6, 346)]], 1.8), "#5b7396"
    )
    canvas.paint(canvas.dots([(0, 317), (-8, 353), (6, 347)], 2.4), "#5b7396")


def pleated_skirt(canvas: Canvas) -> None:
    """A forest green midi skirt in knife pleats."""
    cloth, count = "#2f6b55", 15
    hem: list[Knot] = []
    for step in range(count):
        left, right = 2 * step / count - 1, 2 * (step + 1) / count - 1
        hem += [(left * 103, 648 - abs(left) * 10, 1), (right * 103, 651.5 - abs(right) * 10, 1)]
    top: list[Knot] = [
        (-102, 628), (-84, 470), (-67, 368), (-53, 318), (-51, 306, 1), (0, 310), (51, 306, 1), (53, 318),
        (67, 368), (84, 470), (102, 628),
    ]
    mask = sew(canvas, [*top, *reversed(hem)], cloth, depth=12)
    for step in range(count):
        left, right = 2 * step / count - 1, 2 * (step + 1) / count - 1
        narrow = left + (right - left) * 0.42
        shadow = [
            (left * 51, 318), (left * 68, 372), (left * 84, 470), (left * 103, 660), (narrow * 103, 660),
            (narrow * 84, 470), (narrow * 68, 372), (left * 51, 318),
        ]
        canvas.tint(
            canvas.mask([(x, y, 1) for x, y in shadow]), mix(cloth, DUSK, 0.6), 0.36, soft=0.6, inside=mask
        )
        ridge = [[(right * 51, 322), (right * 68, 372), (right * 84, 470), (right * 103, 660)]]
        canvas.tint(canvas.pen(ridge, 1.2), "#8fc2a6", 0.35, soft=0.3, inside=mask)
    model(canvas, mask, mix(cloth, DUSK, 0.6), 0.4, depth=14)
    waistband(canvas, cloth)


def check_skirt(canvas: Canvas) -> None:
    """A short buttoned skirt in a window-pane check."""
    cloth, line, fine = "#d8c3a5", "#7a3b2e", "#6f7f5e"
    outline = both(
        [(0, 308), (51, 306, 1), (53, 318), (66, 362), (73, 400), (88, 506, 1), (44, 516), (0, 518)]
    )
    mask = sew(canvas, outline, cloth)
    rays(canvas, mask, line, top=(300, 52), bottom=(520, 90), count=8, width=5, share=0.55)
    hoops(canvas, mask, line, range(344, 524, 26), 5, share=0.55)
    rays(canvas, mask, fine, top=(300, 52), bottom=(520, 90), count=16, width=1.1, share=0.6)
    hoops(canvas, mask, fine, range(331, 524, 26), 1.1, share=0.8)
    model(canvas, mask, mix(cloth, DUSK, 0.6), 0.5, depth=11)
    seam(
        canvas, mask,
        [
            [(-9, 320), (-10, 518)], [(9, 320), (10, 518)],
            [(-92, 499), (-44, 508), (0, 510), (44, 508), (92, 499)],
        ],
        cloth, width=1,
    )
    crease(
        canvas, mask,
        [
            [(-60, 380), (-62, 430), (-66, 496)], [(58, 372), (64, 430), (72, 500)],
            [(32, 440), (36, 480), (38, 514)],
        ],
        cloth, width=7,
    )
    waistband(canvas, mix(cloth, line, 0.45))
    buttons(canvas, [(0, y) for y in (315, 346, 378, 410, 442, 474)], "#5a2c22", 3.2)


# --- dresses ----------------------------------------------------------------------------------------------


def slip_dress(canvas: Canvas) -> None:
    """A champagne satin slip."""
    cloth = "#d8a48f"
    straps = [[(-38.5, 167), (-38.5, 186), (-37, 206)], [(38.5, 167), (38.5, 186), (37, 206)]]
    canvas.paint(canvas.pen(straps, 5.4), mix(cloth, DUSK, 0.1))
    outline = both(
        [
            (0, 217), (20, 211), (37, 199, 1), (46, 214), (66, 231, 1), (60, 262), (54, 300), (60, 335),
            (72, 380), (79, 440), (84, 540), (88, 662, 1), (44, 672), (0, 674),
        ]
    )
    mask = sew(canvas, outline, cloth, depth=12)
    shine = [
        [(-30, 240), (-26, 290), (-34, 340), (-44, 420), (-48, 560), (-50, 660)],
        [(12, 300), (14, 360), (20, 460), (26, 600), (28, 668)],
    ]
    canvas.tint(canvas.pen(shine, 9), "#fff1e6", 0.42, soft=5, inside=mask)
    seam(canvas, mask, [[(-37, 203), (-20, 215), (0, 221), (20, 215), (37, 203)]], cloth, width=1)
    crease(
        canvas, mask,
        [
            [(-28, 214), (-10, 236), (12, 238), (30, 212)], [(-20, 218), (0, 230), (20, 216)],
            [(-54, 250), (-36, 266), (-14, 270)], [(54, 302), (34, 318), (10, 322)],
            [(-54, 306), (-40, 316), (-22, 318)],
        ],
        cloth, share=0.4, width=5,
    )
    crease(
        canvas, mask,
        [
            [(-8, 350), (-14, 470), (-14, 670)], [(44, 380), (54, 500), (58, 668)],
            [(-64, 420), (-68, 540), (-72, 664)], [(4, 520), (6, 600), (6, 672)],
        ],
        cloth, share=0.42, width=13, soft=3.6,
    )


def wrap_dress(canvas: Canvas) -> None:
    """A flowered wrap dress with a tie."""
    cloth = "#32406b"
    sleeves = both_sleeves(0.66, shoulder=12, hem=17, puff=3)
    masks = sew_sleeves(canvas, sleeves, cloth)
    neck: list[Knot] = [(-4, 228, 1), (12, 196), (25, 160, 1)]
    left: list[Knot] = [(-25, 160, 1), (-14, 192), (-4, 228, 1)]
    side: list[Knot] = [(60, 262), (54, 300), (59, 326), (71, 376), (88, 470), (106, 600), (109, 622, 1)]
    right = [*neck, (50, 168.5), (71, 179.5, 1), (67.5, 206), (66, 236, 1), *side]
    outline = [
        *right, (60, 636), (0, 640), (-60, 636), *flip(side), (-66, 236, 1), (-67.5, 206), (-71, 179.5, 1),
        (-50, 168.5), *left[:2],
    ]
    body = sew(canvas, outline, cloth, depth=12)
    _flowers(canvas, ImageChops.lighter(body, ImageChops.lighter(*masks)))
    for mask in masks:
        model(canvas, ImageChops.subtract(mask, body), mix(cloth, DUSK, 0.6), 0.5, depth=6)
    model(canvas, body, mix(cloth, DUSK, 0.7), 0.5, depth=12)
    armholes(canvas, body, cloth)
    over = [[(26, 162), (13, 197), (-6, 234), (-30, 276), (-50, 300)], [(-27, 162), (-16, 193), (-6, 226)]]
    canvas.tint(canvas.pen([[(x - 1.5, y + 3) for x, y in over[0]]], 3), DUSK, 0.5, soft=2, inside=body)
    seam(canvas, body, over, "#10142a", width=1.4)
    lap = [[(-44, 322), (-36, 400), (-24, 500), (-10, 580), (4, 645)]]
    canvas.tint(canvas.pen([[(x - 3, y) for x, y in lap[0]]], 6), DUSK, 0.5, soft=3, inside=body)
    seam(canvas, body, lap, "#10142a", width=1.4)
    crease(
        canvas, body,
        [
            [(-40, 326), (-52, 420), (-78, 610)], [(-6, 326), (4, 440), (30, 620)],
            [(22, 326), (40, 440), (66, 620)], [(44, 330), (62, 440), (92, 612)],
        ],
        cloth, share=0.6, width=10,
    )
    tie = "#e08a72"
    sew(canvas, both([(0, 303), (55, 299, 1), (56, 312, 1), (0, 316)]), tie, depth=4)
    for tail in (
        [(-44, 310, 1), (-38, 311), (-30, 380), (-33, 398, 1), (-44, 396, 1)],
        [(-47, 310, 1), (-41, 310), (-50, 372), (-57, 386, 1), (-65, 378, 1)],
    ):
        sew(canvas, tail, tie, depth=3)
    sew(canvas, _cloud(-44, 308, 7, 8), mix(tie, "#ffffff", 0.08), depth=3)


def _flowers(canvas: Canvas, cloth: Image.Image) -> None:
    """Five petals, a heart and a leaf, strewn in rows."""
    places = spots((-150, 166, 150, 650), 27)
    warm, cool = places[::2], places[1::2]
    for centres, petal in ((warm, "#f2b8a0"), (cool, "#f6ead8")):
        ring = [
            (x + 3.5 * math.cos(t), y + 3.5 * math.sin(t))
            for x, y in centres
            for t in (0.3, 1.56, 2.81, 4.07, 5.33)
        ]
        canvas.tint(canvas.dots(ring, 2.3), petal, 0.95, inside=cloth)
        canvas.tint(canvas.dots(centres, 1.7), "#d58a3a", 1, inside=cloth)
    leaves = [[(x + 8, y + 6), (x + 11, y + 9), (x + 13, y + 8)] for x, y in places]
    canvas.tint(canvas.pen(leaves, 2.2), "#7fa48b", 0.9, inside=cloth)


def shirt_dress(canvas: Canvas) -> None:
    """A striped shirt dress with a belt."""
    cloth, stripe, belt = "#f4f1ea", "#c4574a", "#6b4328"
    sleeves = both_sleeves(0.6, shoulder=13, hem=12)
    for mask, bones in zip(sew_sleeves(canvas, sleeves, cloth), sleeves, strict=True):
        lines = [[(x + d * w, y) for x, y, w in bones] for d in (-0.4, -0.2, 0, 0.2, 0.4)]
        canvas.tint(canvas.pen(lines, 1.5), stripe, 0.75, inside=mask)
        model(canvas, mask, mix(cloth, DUSK, 0.55), 0.45, depth=6)
        sew(canvas, limb(along(bones, 0.88, 1, 3), extra=3), cloth, depth=4)
    side: list[Knot] = [
        (62, 262), (55, 304), (62, 332), (73, 380), (81, 450), (90, 548), (84, 562, 1), (52, 574), (0, 579),
    ]
    mask = sew(canvas, bodice([(0, 200), (10, 178), (21, 156, 1)], side), cloth, depth=11)
    rays(canvas, mask, stripe, top=(150, 78), bottom=(306, 58), count=16, width=1.6, share=0.75)
    skirt = ImageChops.multiply(
        mask, canvas.mask([(-110, 306, 1), (0, 309), (110, 306, 1), (110, 590, 1), (-110, 590, 1)])
    )
    canvas.paint(skirt, cloth)
    rays(canvas, skirt, stripe, top=(306, 57), bottom=(585, 92), count=16, width=1.8, share=0.75)
    model(canvas, mask, mix(cloth, DUSK, 0.55), 0.5, depth=11)
    armholes(canvas, mask, cloth)
    placket = canvas.mask([(-8, 180, 1), (8, 180, 1), (8, 590, 1), (-8, 590, 1)])
    canvas.tint(placket, cloth, 1, inside=mask)
    seam(canvas, mask, [[(-8, 190), (-8, 580)], [(8, 190), (8, 580)]], cloth, width=1)
    crease(
        canvas, mask,
        [
            [(-36, 322), (-42, 400), (-56, 556)], [(34, 322), (42, 400), (60, 560)],
            [(62, 240), (46, 256), (30, 262)], [(-22, 322), (-26, 350), (-30, 380)],
            [(52, 290), (36, 298), (20, 298)], [(-52, 288), (-38, 296), (-24, 298)],
        ],
        cloth, share=0.45, width=8,
    )
    buttons(canvas, [(0, y) for y in (218, 246, 274, 342, 376, 410, 444, 478, 512)], stripe, 2.6)
    sew(canvas, both([(0, 303), (56, 299, 1), (57, 313, 1), (0, 317)]), belt, depth=5)
    rim = [(-9, 301), (9, 301), (9, 319), (-9, 319), (-9, 301)]
    canvas.paint(canvas.pen([[(x, y, 1) for x, y in rim]], 2.4), "#d9b25f")
    canvas.paint(canvas.pen([[(0, 310), (8, 310)]], 1.8), "#d9b25f")
    collar(canvas, cloth, depth=200)


def tiered_dress(canvas: Canvas) -> None:
    """A long gingham dress in three gathered tiers."""
    cloth, check = "#f8f5ee", "#5d86a8"
    sleeves = both_sleeves(0.4, shoulder=14, hem=10, puff=18)
    masks = sew_sleeves(canvas, sleeves, cloth)
    top = bodice([(0, 205), (28, 203, 1), (33, 163, 1)], [(60, 262), (54, 296), (55, 306, 1), (0, 310)])
    tiers = [
        both([(0, 306), (55, 302, 1), (66, 345), (74, 380), (86, 432, 1), (0, 442)]),
        both([(0, 436), (80, 424, 1), (92, 470), (100, 520), (105, 566, 1), (0, 578)]),
        both([(0, 572), (98, 557, 1), (110, 610), (117, 660), (121, 714, 1), (0, 728)]),
    ]
    bands = [(306, 55, 442, 86, 13), (430, 80, 578, 105, 15), (564, 98, 728, 121, 17)]
    for bones, mask in zip(sleeves, masks, strict=True):
        _gingham(canvas, mask, check, [[(x + d * w, y) for x, y, w in bones] for d in (-0.35, 0, 0.35)])
        gathers = [[(x + d * w * 0.5, y) for x, y, w in bones[9:]] for d in (-0.6, -0.2, 0.25, 0.65)]
        crease(canvas, mask, gathers, check, share=0.4, width=3.5)
        model(canvas, mask, mix(check, DUSK, 0.5), 0.45, depth=7)
        sew(canvas, limb(along(bones, 0.93, 1, 3), extra=2), mix(cloth, check, 0.45), depth=3)
    for outline, (start, narrow, end, wide, count) in reversed(list(zip(tiers, bands, strict=True))):
        mask = sew(canvas, outline, cloth)
        turns = [2 * (step + 0.5) / count - 1 for step in range(count)]
        _gingham(
            canvas, mask, check,
            [
                [(t * narrow, start - 6), (t * (narrow + wide) / 2, (start + end) / 2), (t * wide, end + 4)]
                for t in turns
            ],
        )
        gathers = [
            [(t * narrow, start), (t * narrow * 1.06, start + 22), (t * narrow * 1.14, start + 50)]
            for t in turns
        ]
        crease(canvas, mask, gathers, check, share=0.5, width=4.5)
        crease(
            canvas, mask,
            [[(t * wide * 0.9, end - 60), (t * wide * 0.95, end - 28), (t * wide, end)] for t in turns[1::3]],
            check, share=0.35, width=9,
        )
        shade = canvas.mask(both([(0, start - 8), (140, start - 12, 1), (140, start + 2, 1), (0, start + 8)]))
        canvas.tint(shade, mix(check, DUSK, 0.6), 0.5, soft=3, inside=mask)
        model(canvas, mask, mix(check, DUSK, 0.5), 0.5, depth=12)
    body = sew(canvas, top, cloth)
    _gingham(canvas, body, check, [[(x, 155), (x * 0.97, 230), (x * 0.86, 310)] for x in range(-70, 71, 14)])
    model(canvas, body, mix(check, DUSK, 0.5), 0.5)
    armholes(canvas, body, check)
    seam(
        canvas, body,
        [
            [(-30, 163), (-25, 206.5, 1), (0, 209), (25, 206.5, 1), (30, 163)],
            [(-56, 303), (0, 306.5), (56, 303)],
        ],
        check, width=1.3,
    )


def _gingham(canvas: Canvas, cloth: Image.Image, check: str, lines: Sequence[Sequence[Knot]]) -> None:
    """Two glazes of one colour, lengthwise and across; where they cross it is darkest."""
    canvas.tint(canvas.pen(lines, 6.6), check, 0.5, inside=cloth)
    hoops(canvas, cloth, check, range(158, 740, 13), 6.2, share=0.5)


def knit_dress(canvas: Canvas) -> None:
    """A plum column in fine ribs, sleeveless, with a high neck."""
    cloth = "#6d2f4f"
    neck: list[Knot] = [
        (0, 152), (17, 146, 1), (19, 156), (25, 163), (38, 168), (52, 172, 1), (51, 200), (56, 222),
    ]
    outline = both(
        [
            *neck, (65, 235, 1), (59, 262), (53, 302), (58, 334), (70, 372), (73, 410), (71, 480), (66, 560),
            (64, 640, 1), (32, 648), (0, 649),
        ]
    )
    mask = sew(canvas, outline, cloth, depth=11)
    ribs = [
        [
            (x * 0.42, 142), (x * 0.72, 176), (x, 240), (x * 0.9, 304), (x * 1.16, 390), (x * 1.08, 560),
            (x * 1.05, 655),
        ]
        for x in range(-64, 65, 5)
    ]
    canvas.tint(canvas.pen(ribs, 1.4), mix(cloth, DUSK, 0.7), 0.5, soft=0.3, inside=mask)
    canvas.tint(
        canvas.pen([[(x + 1.8, y) for x, y in rib] for rib in ribs], 0.9), "#c07c9c", 0.3, inside=mask
    )
    light = [[(-22, 220), (-18, 300), (-30, 390), (-28, 520), (-26, 640)]]
    canvas.tint(canvas.pen(light, 16), "#e3a5c0", 0.2, soft=8, inside=mask)
    model(canvas, mask, mix(cloth, DUSK, 0.7), 0.5, depth=13)
    seam(
        canvas, mask, [[(-24, 165), (0, 171), (24, 165)], [(-70, 634), (0, 642), (70, 634)]], cloth, width=1.4
    )
    crease(
        canvas, mask,
        [
            [(54, 298), (38, 308), (18, 310)], [(-54, 296), (-40, 306), (-24, 308)],
            [(64, 400), (40, 414), (12, 416)], [(20, 440), (12, 540), (8, 644)],
        ],
        cloth, share=0.6, width=7,
    )


BOTTOMS: Mapping[str, Callable[[Canvas], None]] = {
    "wide-trousers": wide_trousers,
    "straight-jeans": jeans,
    "linen-shorts": linen_shorts,
    "pleated-skirt": pleated_skirt,
    "check-skirt": check_skirt,
}

DRESSES: Mapping[str, Callable[[Canvas], None]] = {
    "satin-slip": slip_dress,
    "floral-wrap": wrap_dress,
    "striped-shirt-dress": shirt_dress,
    "gingham-tiers": tiered_dress,
    "ribbed-column": knit_dress,
}


# fmt: on

# --- files ------------------------------------------------------------------------------------------------


def draw_garment(sewing: Callable[[Canvas], None]) -> Image.Image:
    """The garment alone, where it sits on the body, with the shadow it throws on whoever wears it."""
    canvas = Canvas()
    sewing(canvas)
    slim = Build(shoulder=-2, waist=-1, hip=-3, limbs=-2)
    arms = [limb(STRAIGHT_ARM, extra=-2), limb(BENT_ARM, extra=-2)]
    body = canvas.mask(torso(slim), flip(arms[0]), arms[1])
    canvas.cast(body, drop=4, soft=3, share=0.34)
    return canvas.cut_out()


def draw_all(folder: Path) -> list[Path]:
    """Draws every picture into `people` and `garments` below the folder; gives their paths."""
    paths: list[Path] = []
    for part in ("people", "garments"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for person in PEOPLE:
        paths.append(folder / "people" / f"{person.name}.jpg")
        draw_person(person).save(paths[-1], quality=90, subsampling=0, optimize=True)
    for name, sewing in {**TOPS, **BOTTOMS, **DRESSES}.items():
        paths.append(folder / "garments" / f"{name}.png")
        draw_garment(sewing).save(paths[-1], optimize=True)
    return paths


if __name__ == "__main__":
    for path in draw_all(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent):
        print(path)
