"""results.csv once more as people click through it: with links to the pictures, and as a workbook with thumbnails."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageOps

from jobs.cells import safe_cell
from jobs.errors import ConfigError
from jobs.pictures.stored import rights_in
from jobs.records import Dialect
from jobs.results.files import replacing, temporary

TABLE: Final = "results.csv"
WORKBOOK: Final = "results.xlsx"
_IMAGE: Final = "vton_image"
#: Pixels of a thumbnail's longest side, and of its cell.
_SIDE: Final = 96
_CELL: Final = (104, 104)
_MOST_PIXELS: Final = 100_000_000


def link_table(folder: Path, dialect: Dialect) -> None:
    """Makes the pictures' paths in results.csv formulas that open them; Excel and LibreOffice take them from there."""
    with replacing(folder / TABLE, lambda: None, bom=dialect.bom) as file:
        table = csv.writer(file, delimiter=dialect.delimiter)
        rows = _rows(folder, dialect)
        names = next(rows)
        table.writerow(names)
        at = names.index(_IMAGE)
        for row in rows:
            row[at] = _link(row[at]) if row[at] else ""
            table.writerow(row)


def check_workbooks() -> None:
    """Raises ConfigError: the library that writes them is not installed; nothing is written yet."""
    if find_spec("xlsxwriter") is None:
        raise ConfigError(
            "--xlsx: a workbook needs xlsxwriter: pip install 'vton-batch[xlsx]'; nothing was written"
        )


def write_workbook(folder: Path, dialect: Dialect) -> Path:
    """results.xlsx from results.csv: every cell a text, a thumbnail in front, the picture's path a link.

    The library that writes it must be there, see `check_workbooks`.
    """
    import xlsxwriter  # noqa: PLC0415 an extra

    path, new = folder / WORKBOOK, temporary(folder / WORKBOOK)
    try:
        # Else what looks like an address becomes a link, and behind the 65,530th of them rows lose their cells.
        plain = {"strings_to_urls": False, "strings_to_formulas": False, "strings_to_numbers": False}
        with xlsxwriter.Workbook(new, {**plain, "constant_memory": True}) as book:
            _fill(book, folder, _rows(folder, dialect))
        new.chmod(rights_in(folder))
        new.replace(path)
    finally:
        with suppress(OSError):
            new.unlink()
    return path


def _fill(book: Any, folder: Path, rows: Iterator[list[str]]) -> None:
    sheet = book.add_worksheet("results")
    names = next(rows)
    at = names.index(_IMAGE)
    sheet.freeze_panes(1, 2)
    sheet.set_column_pixels(0, 0, _CELL[0])
    sheet.write_row(0, 0, ["picture", *names], book.add_format({"bold": True}))
    number = 0
    for number, row in enumerate(rows, 1):
        _write(sheet, number, row, at, folder)
    sheet.autofilter(0, 0, number, len(names))


def _write(sheet: Any, number: int, row: Sequence[str], at: int, folder: Path) -> None:
    small = _thumbnail(folder / row[at]) if row[at] else None
    if small is not None:
        # Before its cells: rows are written one after the other.
        sheet.set_row_pixels(number, _CELL[1])
        options = {
            "image_data": small,
            "object_position": 1,
            "x_offset": 4,
            "y_offset": 4,
            "description": row[at],
        }
        sheet.insert_image(number, 0, f"{number}.jpg", options)
    for column, text in enumerate(row, 1):
        if column == at + 1 and text:
            # A link proper would have a backslash in its path, which only Windows follows, and a sheet takes 65,530 of them.
            sheet.write_formula(number, column, _link(text), value=text)
        else:
            sheet.write_string(number, column, _as_it_was(text))


def _rows(folder: Path, dialect: Dialect) -> Iterator[list[str]]:
    with (folder / TABLE).open(encoding="utf-8-sig", newline="") as file:
        yield from csv.reader(file, delimiter=dialect.delimiter)


def _link(path: str) -> str:
    # The path is our own: letters, digits and ._-/ only, so nothing ends the text early.
    return f'=HYPERLINK("{path}")'


def _as_it_was(cell: str) -> str:
    """Without the quote that keeps a spreadsheet from running a cell of a CSV: here a text is a text."""
    return cell[1:] if cell.startswith("'") and safe_cell(cell[1:]) == cell else cell


def _thumbnail(path: Path) -> BytesIO | None:
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                return None
            picture.draft("RGB", (2 * _SIDE, 2 * _SIDE))
            small = ImageOps.exif_transpose(picture)
            small.thumbnail((_SIDE, _SIDE))
            content = BytesIO()
            small.convert("RGB").save(content, "JPEG", quality=80)
    except Exception:  # noqa: BLE001 Pillow raises nearly anything on broken files; the row has its path all the same
        return None
    return content
