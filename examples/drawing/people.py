"""The catalog's models."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageChops

from examples.drawing.body import BENT_ARM, FACE, HIP_HAND, OPEN_HAND, SHOE, STRAIGHT_ARM, Build, torso
from examples.drawing.canvas import DUSK, Canvas, model
from examples.drawing.geometry import both, flip, limb, mix, upright
from examples.drawing.hair import HAIR, Hair, _cloud

# Coordinates are read in rows, not one below the other.
# fmt: off

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
    build: Build = field(default_factory=Build)
    beard: bool = False
    glasses: str = ""
    earrings: str = ""
    #: A singlet instead of the camisole.
    singlet: bool = False


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
