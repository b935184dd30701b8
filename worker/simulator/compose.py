"""Makes the simulator's result picture: the person in the garments, or beside those that cannot be worn."""

import contextlib
import math
import struct
from collections.abc import Iterator, Mapping

from PIL import Image, ImageDraw, ImageFont, ImageOps

from jobs.records import Slot

#: Longest side of a result in pixels.
LONGEST = 1024
#: A smaller person is enlarged to this longest side, so that the caption below stays readable.
SHORTEST_LONG_SIDE = 512
#: The strip with the mark and the caption.
STRIP = 36
#: Width of the column of cards, and the space around each of them.
COLUMN, GAP = 232, 12
#: Garments are put on in this order: what is tucked in first.
DRESSING = (Slot.LOWER_CLOTHES, Slot.DRESS, Slot.UPPER_CLOTHES)
#: How far the shapes of a person and a cut-out garment may differ, as a share.
SAME_SHAPE = 0.02
#: A cut-out has at least this share of see-through pixels; less is a photograph with stray alpha.
SEE_THROUGH = 0.02

PAPER, CARD, RULE, INK, QUIET = "#f7f5f2", "#ffffff", "#d5cfc8", "#3d3a38", "#8a847e"

#: The brightest level of eight and of sixteen bits.
WHITE, DEEP_WHITE = 255.0, 65535.0

#: Modes that Pillow scales well as they are; the others are converted first.
_DIRECT = frozenset({"L", "LA", "RGB", "RGBA", "CMYK"})
#: What Pillow's readers of EXIF raise on malformed blocks, its warning among them where warnings are errors.
_BAD_EXIF = (OSError, ValueError, SyntaxError, TypeError, KeyError, struct.error, UserWarning)


def compose(person: Image.Image, garments: Mapping[str, Image.Image], caption: str) -> Image.Image:
    """Puts the garments on the person.

    A cut-out garment of the person's own shape is worn; any other is shown on a card at the side. The
    pictures may have any mode and size; they are not changed.

    Args:
        person: The picture to dress.
        garments: Slot name (`upper_clothes`, `lower_clothes`, `dress`) to picture.
        caption: One line for the bottom; cut where it is too long.

    Returns:
        RGB, longest side at most 1024 pixels.
    """
    model = _plain(person)
    pieces = {slot: _plain(garments[slot]) for slot in _dressing_order(garments)}
    cards = {slot: piece for slot, piece in pieces.items() if not _can_be_worn(piece, model)}
    side = COLUMN + GAP if cards else 0
    figure = _on(
        CARD, model.resize(_fitted(model.size, LONGEST - side, LONGEST - STRIP), Image.Resampling.LANCZOS)
    )
    for slot, piece in pieces.items():
        if slot not in cards:
            worn = piece.resize(figure.size, Image.Resampling.LANCZOS)
            figure.paste(worn, mask=worn.getchannel("A"))
    return _page(figure, cards, caption)


def _dressing_order(garments: Mapping[str, Image.Image]) -> Iterator[str]:
    yield from (slot for slot in DRESSING if slot in garments)
    yield from (slot for slot in garments if slot not in DRESSING)


def _can_be_worn(piece: Image.Image, model: Image.Image) -> bool:
    """Whether it is a cut-out, drawn for a canvas of this person's shape."""
    alpha = piece.getchannel("A").histogram()
    see_through = sum(alpha[:128]) / (piece.width * piece.height)
    shape, wanted = piece.width / piece.height, model.width / model.height
    return SEE_THROUGH <= see_through < 1 and abs(shape / wanted - 1) <= SAME_SHAPE


def _plain(image: Image.Image) -> Image.Image:
    """A copy, upright and as RGBA, not much larger than it is needed."""
    if 0 in image.size:
        return Image.new("RGBA", (1, 1), PAPER)
    factor = max(image.size) // (2 * LONGEST)
    if factor > 1 and image.mode in _DIRECT and "transparency" not in image.info:
        # Only the shrunken copy is worked on: 36 million pixels as RGBA would be 144 MB.
        image = image.reduce(factor)
    with contextlib.suppress(*_BAD_EXIF):
        image = ImageOps.exif_transpose(image)
    return _as_rgba(image)


def _as_rgba(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return _eight_bits(image).convert("RGBA")
    if image.mode == "LAB":
        # Pillow turns LAB into RGB only with a colour profile; its lightness shows the garment well enough.
        return image.getchannel(0).convert("RGBA")
    if image.mode == "La":
        return image.convert("LA").convert("RGBA")
    return image.convert("RGBA") if image.mode != "RGBA" else image.copy()


def _eight_bits(image: Image.Image) -> Image.Image:
    """Deep grey levels brought down to 0..255; a plain `convert` would cut them off to white."""
    deep = image.mode.startswith("I;16")
    levels = image.convert("I" if deep else image.mode).convert("F")
    brightest = float(levels.getextrema()[1])  # type: ignore[arg-type]  # one band: two numbers
    if deep or WHITE < brightest <= DEEP_WHITE:
        brightest = DEEP_WHITE
    scale = WHITE / brightest if math.isfinite(brightest) and brightest > WHITE else 1.0
    return levels.point(lambda level: level * scale + 0.0).convert("L")


def _fitted(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """The size scaled into a box: down as far as needed, up to a readable size."""
    longest = max(size)
    scale = min(width / size[0], height / size[1], max(1.0, SHORTEST_LONG_SIDE / longest))
    return max(1, math.floor(size[0] * scale)), max(1, math.floor(size[1] * scale))


def _on(ground: str, image: Image.Image) -> Image.Image:
    """The picture without transparency."""
    flat = Image.new("RGB", image.size, ground)
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def _page(figure: Image.Image, cards: Mapping[str, Image.Image], caption: str) -> Image.Image:
    """Figure at the left, cards at the right, the strip below."""
    height = max(figure.height, SHORTEST_LONG_SIDE if cards else STRIP)
    left = max(figure.width, SHORTEST_LONG_SIDE // 2)
    page = Image.new("RGB", (left + (COLUMN + GAP if cards else 0), height + STRIP), PAPER)
    page.paste(figure, ((left - figure.width) // 2, (height - figure.height) // 2))
    top = GAP
    for count, (slot, piece) in enumerate(cards.items()):
        room = (height - top - GAP * (len(cards) - count)) // (len(cards) - count)
        top += _card(page, piece, slot, (left + GAP // 2, top), room) + GAP
    _sign(page, caption)
    return page


def _card(page: Image.Image, piece: Image.Image, slot: str, corner: tuple[int, int], room: int) -> int:
    """Draws one garment with its slot's name at a corner, `room` pixels high at most; gives its height."""
    inset, label = 8, 20
    inner = COLUMN - 2 * inset, max(room - 2 * inset - label, 8)
    scale = min(inner[0] / piece.width, inner[1] / piece.height)
    size = max(1, math.floor(piece.width * scale)), max(1, math.floor(piece.height * scale))
    height = size[1] + 2 * inset + label
    x, y = corner
    draw = ImageDraw.Draw(page)
    draw.rectangle((x, y, x + COLUMN - 1, y + height - 1), fill=CARD, outline=RULE)
    shown = _on(CARD, piece.resize(size, Image.Resampling.LANCZOS))
    page.paste(shown, (x + (COLUMN - size[0]) // 2, y + inset))
    name = _cut(draw, slot.replace("_", " "), _font(12), inner[0])
    draw.text((x + COLUMN // 2, y + height - inset - 2), name, QUIET, _font(12), anchor="ms")
    return height


def _sign(page: Image.Image, caption: str) -> None:
    """The mark and the caption: nobody shall take this for a bought picture."""
    draw = ImageDraw.Draw(page)
    middle = page.height - STRIP // 2
    draw.line((0, page.height - STRIP, page.width, page.height - STRIP), fill=RULE)
    # Pillow draws curves without smoothing: four times too large and reduced, the pill's ends are round.
    pill = Image.new("L", (84 * 4, 20 * 4))
    ImageDraw.Draw(pill).rounded_rectangle((0, 0, pill.width - 1, pill.height - 1), radius=40, fill=255)
    page.paste(INK, (GAP, middle - 10), pill.reduce(4))
    draw.text((GAP + 42, middle), "SIMULATED", PAPER, _font(11), anchor="mm")
    start = GAP + 96
    draw.text(
        (start, middle),
        _cut(draw, caption, _font(13), page.width - start - GAP),
        QUIET,
        _font(13),
        anchor="lm",
    )


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _cut(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> str:
    """One printable line not wider than `width`; Pillow's own font knows Latin letters only."""
    line = "".join(letter if letter.isprintable() else " " for letter in text[:400])
    line = line.encode("latin-1", "replace").decode("latin-1")
    if draw.textlength(line, font) <= width:
        return line
    while line and draw.textlength(line + "...", font) > width:
        line = line[:-1]
    return line.rstrip() + "..."
