"""Dresses."""

import math
from collections.abc import Callable, Mapping, Sequence

from PIL import Image, ImageChops

from examples.drawing.canvas import DUSK, Canvas, model
from examples.drawing.cloth import (
    armholes,
    bodice,
    both_sleeves,
    buttons,
    collar,
    crease,
    hoops,
    rays,
    seam,
    sew,
    sew_sleeves,
    spots,
)
from examples.drawing.geometry import Knot, along, both, flip, limb, mix
from examples.drawing.hair import _cloud

# Coordinates are read in rows, not one below the other.
# fmt: off

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
    """Five petals, a centre and a leaf, strewn in rows."""
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


DRESSES: Mapping[str, Callable[[Canvas], None]] = {
    "satin-slip": slip_dress,
    "floral-wrap": wrap_dress,
    "striped-shirt-dress": shirt_dress,
    "gingham-tiers": tiered_dress,
    "ribbed-column": knit_dress,
}
