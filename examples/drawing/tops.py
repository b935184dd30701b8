"""Garments for the upper body."""

import math
from collections.abc import Callable, Mapping

from PIL import ImageChops

from examples.drawing.canvas import DUSK, Canvas, model
from examples.drawing.cloth import (
    CREW_NECK,
    LONG_SIDE,
    armholes,
    bodice,
    both_sleeves,
    buttons,
    collar,
    crease,
    hoops,
    rings,
    seam,
    sew,
    sew_sleeves,
    spots,
)
from examples.drawing.geometry import Knot, along, both, flip, limb, mix

# Coordinates are read in rows, not one below the other.
# fmt: off

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
        canvas, bodice(CREW_NECK, [(64, 262), (64, 300), (67, 345), (70, 384, 1), (36, 389), (0, 390)]), cloth
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
