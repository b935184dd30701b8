"""The parts of workbooks that tests write by hand."""

import io

from PIL import Image

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
NAMES = ["sku", "person", "upper_clothes", "note"]
P, U = "https://cdn.example.com/p.jpg", "https://cdn.example.com/u.jpg"


def workbook_parts(sheet: str, related: str = "") -> dict[str, str | bytes]:
    """The fewest parts that a workbook of one sheet has. `related`: more of what the workbook refers to."""
    return {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": relations([("rId1", "officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            [("rId1", "worksheet", "worksheets/sheet1.xml"), ("rId2", "styles", "styles.xml")]
        ).replace("</Relationships>", f"{related}</Relationships>"),
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/></cellXfs></styleSheet>',
        "xl/worksheets/sheet1.xml": sheet,
    }


def relations(found: list[tuple[str, str, str]], mode: str = "") -> str:
    """A part that lists what another one refers to: id, kind, target."""
    lines = (
        f'<Relationship Id="{id_}" Type="{OFFICE}/{kind}" Target="{target}"{mode}/>'
        for id_, kind, target in found
    )
    return f'<Relationships xmlns="{PACKAGE}">{"".join(lines)}</Relationships>'


def sheet_xml(rows: str, *, before: str = "", after: str = "") -> str:
    """A sheet around its rows."""
    return f'<worksheet xmlns="{MAIN}" xmlns:r="{OFFICE}">{before}<sheetData>{rows}</sheetData>{after}</worksheet>'


def row_xml(number: int, cells: list[str], attributes: str = "") -> str:
    """A row of texts."""
    inline = (
        f'<c r="{chr(65 + place)}{number}" t="inlineStr"><is><t>{text}</t></is></c>' if text else ""
        for place, text in enumerate(cells)
    )
    return f'<row r="{number}"{attributes}>{"".join(inline)}</row>'


HEAD = row_xml(1, NAMES)


def jpeg(colour: str = "red", side: int = 8) -> bytes:
    """A small picture."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(file, "JPEG")
    return file.getvalue()
