"""A workbook with photographs in its cells, through the commands."""

import io
import json

import xlsxwriter
from PIL import Image


def catalog(path, rows=3):
    """A workbook whose people and garments are pictures in cells; its last row is hidden, one is bad."""
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet("Looks")
        sheet.write_row("A1", ["Autumn"])
        sheet.write_row("A2", ["sku", "person", "dress"])
        for row in range(rows):
            sheet.write(row + 2, 0, f"D-{row}")
            for column, colour in ((1, "white"), (2, f"#{row * 40:02x}4080")):
                picture = io.BytesIO()
                Image.new("RGB", (400, 600), colour).save(picture, "JPEG")
                sheet.embed_image(row + 2, column, f"{column}-{row}.jpg", {"image_data": picture})
        sheet.set_row(rows + 1, None, None, {"hidden": True})
        sheet.write_row(
            rows + 2, 0, ["BAD", "https://cdn.example.com/a b.jpg", "https://cdn.example.com/d.jpg"]
        )


def test_a_plan_counts_the_pictures_in_the_cells_and_names_the_bad_ones_cell(shop):
    catalog(shop.folder / "night.xlsx")
    told = shop.vton("plan", "night.xlsx").out
    assert "night.xlsx:Looks!B6: person: the address has a space in it" in told
    assert "Looks: 1 row is hidden in the sheet and read all the same" in told
    assert json.loads(shop.vton("plan", "night.xlsx", "--json").out)["new"] == 3
    assert json.loads(shop.vton("plan", "night.xlsx", "--json", "--visible-only").out)["new"] == 2
    wrong = shop.vton("plan", "night.xlsx", "--sheet", "Colours")
    assert (wrong.code, "has no sheet “Colours”; its sheets are Looks" in wrong.err) == (2, True)


def test_the_pictures_of_a_workbook_are_enqueued_as_files_of_the_data_folder(shop):
    catalog(shop.folder / "night.xlsx")
    assert "4 rows, 3 to submit, 0 reused, 0 duplicate, 1 invalid" in shop.vton("enqueue", "night.xlsx").out
    again = shop.vton("plan", "night.xlsx", "--json").out
    assert (json.loads(again)["new"], json.loads(again)["waiting"]) == (0, 3)


def test_a_picture_in_a_cell_is_named_by_its_cell_not_by_its_file(shop):
    transparent = io.BytesIO()
    Image.new("RGBA", (400, 600), (200, 30, 30, 90)).save(transparent, "PNG")
    with xlsxwriter.Workbook(shop.folder / "looks.xlsx") as workbook:
        sheet = workbook.add_worksheet("Looks")
        sheet.write_row("A1", ["sku", "person", "dress"])
        for row in (1, 2):
            sheet.write_row(row, 0, [f"D-{row}", f"https://cdn.example.com/{row}.jpg"])
            sheet.embed_image(row, 2, "dress.png", {"image_data": transparent})
    planned = shop.vton("plan", "looks.xlsx").out
    assert "      e.g. looks.xlsx:Looks!C2  D-1\n      e.g. looks.xlsx:Looks!C3  D-2\n" in planned
    assert "extracted" not in planned
