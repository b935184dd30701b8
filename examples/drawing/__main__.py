"""Draws the example pictures: people and garments on one shared body, so that each garment fits everyone.

Run `python -m examples.drawing` to draw them all again; the same Pillow draws the same bytes.

All shapes are given in the body's coordinates: x in pixels from the centre line (positive is the viewer's
right), y in pixels from the top of a 600 x 800 canvas. `pose` then gives the stiff body its stance, for skin
and cloth alike.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from examples.drawing.body import BENT_ARM, STRAIGHT_ARM, Build, torso
from examples.drawing.bottoms import BOTTOMS
from examples.drawing.canvas import Canvas
from examples.drawing.dresses import DRESSES
from examples.drawing.geometry import flip, limb
from examples.drawing.people import PEOPLE, draw_person
from examples.drawing.tops import TOPS


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
    for path in draw_all(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent):
        print(path)
