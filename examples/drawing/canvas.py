"""What is painted on: a canvas larger than the picture, colours, light and shadow."""

import math
from collections.abc import Callable, Iterable, Sequence

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from examples.drawing.geometry import HEIGHT, WIDTH, Knot, Point, pose, spline

#: Pictures are drawn this many times larger and reduced, which is what smooths their edges.
SCALE = 4
#: Shadows lean towards this colour, so that they look like cloth in daylight and not like soot.
DUSK = "#2b1f3a"


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
