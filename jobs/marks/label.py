"""A label that people see, drawn into a corner; the only mark that changes pixels, and only when it is set."""

from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from jobs.config.delivery import MarksSettings
from jobs.errors import ConfigError

#: The box behind the letters, as a share of their height, and how much of the picture shines through it.
_MARGIN = 0.35
_BOX = (0, 0, 0, 150)
_LETTERS = (255, 255, 255, 255)
#: Letters smaller than this nobody reads, px.
_LEAST = 10


def labelled(picture: Image.Image, settings: MarksSettings) -> Image.Image:
    """A copy with the label, as high as `label_size` says. Raises ConfigError: the font lacks its letters."""
    font = _font(settings.label_font, max(_LEAST, round(min(picture.size) * settings.label_size)))
    check_letters(settings)
    left, top, right, bottom = font.getbbox(settings.label_text)
    margin = round((bottom - top) * _MARGIN)
    width, height = round(right - left) + 2 * margin, round(bottom - top) + 2 * margin
    box = Image.new("RGBA", (width, height), _BOX)
    ImageDraw.Draw(box).text((margin - left, margin - top), settings.label_text, font=font, fill=_LETTERS)
    x = 0 if settings.label_corner.endswith("left") else picture.width - width
    y = 0 if settings.label_corner.startswith("top") else picture.height - height
    layered = picture.convert("RGBA")
    layered.alpha_composite(box, (max(0, x), max(0, y)))
    return layered if picture.has_transparency_data else layered.convert("RGB")


def check_letters(settings: MarksSettings) -> None:
    """Raises ConfigError when the font would draw boxes in the place of letters."""
    font = _font(settings.label_font, 32)
    none = bytes(font.getmask("\U0010ffff"))
    lacking = [
        letter
        for letter in settings.label_text
        if not letter.isspace() and bytes(font.getmask(letter)) == none
    ]
    if lacking:
        raise ConfigError(f"marks.label_font: the font has no {''.join(lacking)!r}; name one that has")


@lru_cache(16)
def _font(path: Path | None, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.truetype(path, size) if path else ImageFont.load_default(size)
    except OSError as error:
        raise ConfigError(f"marks.label_font: {path}: {error}") from None
