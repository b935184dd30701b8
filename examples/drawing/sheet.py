"""Draws the sheet that docs/manifests.md shows: from a workbook with photographs in its cells, read by the product.

Run `python -m examples.drawing.sheet`; the workbook itself is made for it and thrown away.
"""

import sys
import tempfile
from pathlib import Path

import xlsxwriter
from PIL import Image, ImageDraw, ImageFont

from jobs.manifest import Reading, open_manifest
from jobs.records import BadRow

EXAMPLES = Path(__file__).parents[1]
PAGE = EXAMPLES.parent / "docs" / "images" / "workbook.png"
NAMES = ("sku", "person", "upper_clothes", "lower_clothes", "dress", "season")
ROWS = (
    ("00123", "people/mei.jpg", "garments/oxford-shirt.png", "garments/straight-jeans.png", "", "SS26"),
    ("00124", "people/amara.jpg", "", "", "garments/floral-wrap.png", "SS26"),
    ("00125", "people/jonas.jpg", "garments/breton-jersey.png", "", "", "AW26"),
)
#: Pixels of the strip of letters and of each column, of a line and of a line with pictures.
EDGE, WIDTHS, LINE, TALL = 30, (70, 110, 130, 130, 110, 70), 24, 104
INK, GRID, STRIP, MARKED = "#24292f", "#d0d7de", "#f3f4f6", "#e6f2ea"


def write_workbook(path: Path) -> None:
    """The workbook: a title, the names, and photographs placed in the cells."""
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet("Looks")
        sheet.write(0, 0, "Autumn catalog")
        sheet.write_row(1, 0, NAMES)
        for number, cells in enumerate(ROWS, start=2):
            for column, cell in enumerate(cells):
                if "/" in cell:
                    sheet.embed_image(number, column, str(EXAMPLES / cell))
                else:
                    sheet.write_string(number, column, cell)


def draw(path: Path, folder: Path) -> Image.Image:
    """The sheet as the product reads it, in the way a spreadsheet program shows it."""
    manifest = open_manifest(str(path), Reading(pictures=folder))
    rows = list(manifest.rows())
    lines = [LINE, LINE, *(TALL for _ in rows)]
    picture = Image.new("RGB", (EDGE + sum(WIDTHS) + 1, LINE + sum(lines) + 1), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    pen.rectangle((0, 0, picture.width, LINE), fill=STRIP)
    pen.rectangle((0, 0, EDGE, picture.height), fill=STRIP)
    pen.rectangle((EDGE, LINE * 2, picture.width, LINE * 3), fill=MARKED)
    for column, width in enumerate(WIDTHS):
        left = EDGE + sum(WIDTHS[:column])
        pen.line((left, 0, left, picture.height), GRID)
        pen.text((left + width / 2, LINE / 2), "ABCDEF"[column], INK, font, anchor="mm")
        pen.text((left + 6, LINE * 2.5), NAMES[column], INK, font, anchor="lm")
    pen.text((EDGE + 6, LINE * 1.5), "Autumn catalog", INK, font, anchor="lm")
    for number, height in enumerate(lines):
        top = LINE + sum(lines[:number])
        pen.line((0, top, picture.width, top), GRID)
        pen.text((EDGE / 2, top + height / 2), str(number + 1), INK, font, anchor="mm")
    for number, row in enumerate(rows):
        if isinstance(row, BadRow):
            raise TypeError(row.why)
        for column, name in enumerate(NAMES):
            place = (EDGE + sum(WIDTHS[:column]), LINE * 3 + TALL * number, WIDTHS[column])
            _fill(picture, place, row.fields[name], is_picture=name in row.inputs)
    pen.rectangle((0, 0, picture.width - 1, picture.height - 1), outline=GRID)
    return picture.quantize(128)


def _fill(picture: Image.Image, place: tuple[int, int, int], text: str, *, is_picture: bool) -> None:
    """Puts a cell's picture, or its text, where it belongs: left, top and width."""
    left, top, width = place
    if not is_picture:
        font = ImageFont.load_default(13)
        ImageDraw.Draw(picture).text((left + 6, top + TALL / 2), text, INK, font, anchor="lm")
        return
    with Image.open(text) as found:
        small = found.convert("RGBA")
    small = small.crop(small.getbbox())
    small.thumbnail((width - 8, TALL - 8))
    picture.paste(small, (left + (width - small.width) // 2, top + (TALL - small.height) // 2), small)


def main() -> None:
    """Draws it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.xlsx"
        write_workbook(path)
        draw(path, Path(folder)).save(PAGE, optimize=True)
    sys.stdout.write(f"{PAGE}: {PAGE.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
