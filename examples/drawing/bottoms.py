"""Garments for the lower body."""

from collections.abc import Callable, Mapping

from PIL import Image

from examples.drawing.canvas import DUSK, Canvas, model
from examples.drawing.cloth import buttons, crease, hoops, rays, seam, sew
from examples.drawing.geometry import Knot, both, mix

# Coordinates are read in rows, not one below the other.
# fmt: off

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


BOTTOMS: Mapping[str, Callable[[Canvas], None]] = {
    "wide-trousers": wide_trousers,
    "straight-jeans": jeans,
    "linen-shorts": linen_shorts,
    "pleated-skirt": pleated_skirt,
    "check-skirt": check_skirt,
}
