"""One way of reading a workbook, in a process of its own with the product's Python: `WAY ROWS FOLDER`; JSON on stdout."""

import io
import json
import sys
import time
import zipfile
from pathlib import Path

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_NAMES = ("sku", "person", "upper_clothes", "colour", "size", "season", "price", "note")
_PEOPLE, _SHARED = 12, 40
_PARTS = {
    "[Content_Types].xml": "<Types/>",
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="r1" Type="{_RELATED}/officeDocument" '
    'Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATED}"><sheets><sheet name="Looks" sheetId="1" r:id="r1"/>'
    "</sheets></workbook>",
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}">'
    f'<Relationship Id="r1" Type="{_RELATED}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="r2" Type="{_RELATED}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
}


def main(way: str, rows: int, folder: Path) -> None:
    """Writes the workbook, reads it, and says what the reading took."""
    path = folder / "catalog.xlsx"
    if way == "pictures":
        _write_pictures(path, rows)
    else:
        _write(path, rows)
    began = time.process_time()
    found = _calamine(path) if way == "calamine" else _ours(path)
    print(json.dumps({"cpu_s": time.process_time() - began}))
    if found != rows + 1:
        raise ValueError(f"{found} rows were read")


def _write(path: Path, rows: int) -> None:
    """Rows of eight columns as Excel writes them: texts in one list for all, numbers in the cells."""
    people = [f"https://cdn.shop.example/people/{number}.jpg" for number in range(_PEOPLE)]
    texts = [*_NAMES, *people, *(f"value {number}" for number in range(_SHARED))]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _PARTS.items():
            archive.writestr(name, content)
        with archive.open("xl/sharedStrings.xml", "w") as part:
            part.write(f'<sst xmlns="{_MAIN}">'.encode())
            for text in texts:
                part.write(f"<si><t>{text}</t></si>".encode())
            for row in range(rows):
                part.write(
                    f"<si><t>SKU-{row:07}</t></si><si><t>https://cdn.shop.example/{row:07}.jpg</t></si>".encode()
                )
            part.write(b"</sst>")
        with archive.open("xl/worksheets/sheet1.xml", "w") as part:
            part.write(f'<worksheet xmlns="{_MAIN}"><sheetData><row r="1">'.encode())
            part.write("".join(f'<c r="{"ABCDEFGH"[at]}1" t="s"><v>{at}</v></c>' for at in range(8)).encode())
            part.write(b"</row>")
            for row in range(rows):
                part.write(_row(row, len(texts)).encode())
            part.write(b"</sheetData></worksheet>")


def _row(row: int, own: int) -> str:
    shared = [8 + _PEOPLE + (row * step) % _SHARED for step in (1, 3, 7, 9)]
    places = [own + 2 * row, 8 + row % _PEOPLE, own + 2 * row + 1, *shared[:3]]
    cells = [f'<c r="{"ABCDEF"[at]}{row + 2}" t="s"><v>{place}</v></c>' for at, place in enumerate(places)]
    cells += [f'<c r="G{row + 2}"><v>{row % 97}.5</v></c>', f'<c r="H{row + 2}" t="s"><v>{shared[3]}</v></c>']
    return f'<row r="{row + 2}">{"".join(cells)}</row>'


def _write_pictures(path: Path, rows: int) -> None:
    """Two different pictures in the cells of each row."""
    import xlsxwriter
    from PIL import Image

    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Looks")
        sheet.write_row(0, 0, _NAMES[:3])
        for row in range(rows):
            sheet.write(row + 1, 0, f"SKU-{row}")
            for column in (1, 2):
                file = io.BytesIO()
                Image.effect_noise((600, 800), 20 + row % 50).convert("RGB").save(file, "JPEG", quality=88)
                sheet.embed_image(row + 1, column, "picture.jpg", {"image_data": file})


def _calamine(path: Path) -> int:
    from python_calamine import CalamineWorkbook

    sheet = CalamineWorkbook.from_path(path).get_sheet_by_name("Looks")
    return sum(1 for _ in sheet.iter_rows())


def _ours(path: Path) -> int:
    # The benchmarks' own Python, which reads this module's numbers, has no product.
    from jobs.manifest.content import open_content
    from jobs.manifest.reading import Reading
    from jobs.manifest.workbook.source import WorkbookSource

    source = WorkbookSource(open_content(str(path)), Reading(pictures=path.parent / "extracted"))
    return sum(1 for _ in source.records())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
