"""The one body that everybody shares: its bones, outlines and builds."""

from dataclasses import dataclass

from examples.drawing.geometry import Bone, Knot, both

# Coordinates are read in rows, not one below the other.
# fmt: off

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
