"""Pictures in a workbook: in cells, over cells, behind links and formulas."""

import hashlib
from pathlib import Path

import pytest

from tests.manifest.workbook.parts import (
    HEAD,
    MAIN,
    NAMES,
    OFFICE,
    P,
    U,
    jpeg,
    relations,
    row_xml,
    sheet_xml,
)

DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"
MAIN_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"


@pytest.fixture
def photo(tmp_path: Path):
    """A picture file of a colour."""

    def made(colour: str, side: int = 8) -> str:
        path = tmp_path / f"{colour}.jpg"
        path.write_bytes(jpeg(colour, side))
        return str(path)

    return made


def content(path: str) -> bytes:
    return Path(path).read_bytes()


def test_pictures_put_into_cells_become_files_named_by_their_content(book, records, photo, tmp_path):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", NAMES)
        for row, colour in enumerate(["red", "green", "red"], start=2):
            sheet.write(f"A{row}", colour)
            sheet.embed_image(f"B{row}", photo(colour))
            sheet.write(f"C{row}", U)
    before = (tmp_path / "catalog.xlsx").read_bytes()
    found = records()
    people = [cells[1] for _, cells, _ in found]
    assert [flaw for *_, flaw in found] == ["", "", ""]
    assert people[0] == people[2] != people[1]
    assert content(people[0]) == jpeg("red")
    assert content(people[1]) == jpeg("green")
    assert Path(people[0]).name == f"{hashlib.sha256(jpeg('red')).hexdigest()}.jpg"
    assert (tmp_path / "catalog.xlsx").read_bytes() == before
    stamps = [path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*.jpg")]
    assert len(stamps) == 2
    assert records() == found
    assert [path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*.jpg")] == stamps


def test_a_picture_in_a_merged_cell_counts_for_its_rows(book, records, photo):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", NAMES)
        sheet.merge_range("B2:B3", "")
        sheet.embed_image("B2", photo("red"))
        for row in (2, 3):
            sheet.write(f"A{row}", f"{row}")
            sheet.write(f"C{row}", U)
    first, second = records()
    assert first[1][1] == second[1][1]
    assert content(first[1][1]) == jpeg("red")


def test_a_floating_picture_belongs_to_the_cell_under_its_middle(book, records, photo):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", NAMES)
        sheet.set_column("B:C", 20)
        for row in range(1, 4):
            sheet.set_row(row, 75)
            sheet.write(row, 0, f"{row}")
        # Dragged a little over the edge of the column and of the row before, so that its corner lies there.
        sheet.insert_image("A2", photo("red", 60), {"x_offset": 58, "y_offset": -2})
        sheet.insert_image("B2", photo("green", 60), {"x_offset": 140, "y_offset": 10})
        sheet.insert_image("B3", photo("blue", 60), {"x_offset": 4, "y_offset": 4, "object_position": 3})
    found = records()
    assert [flaw for *_, flaw in found] == ["", "", ""]
    red, green, blue = (jpeg(colour, 60) for colour in ("red", "green", "blue"))
    (_, first, _), (_, second, _), (_, third, _) = found
    assert (content(first[1]), content(first[2]), content(second[1])) == (red, green, blue)
    assert (second[2], third[1], third[2]) == ("", "", "")


def test_a_floating_picture_counts_where_the_sheet_hides_rows_above_it(book, records, photo):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", NAMES)
        for row in range(1, 8):
            sheet.write(row, 0, f"{row}")
            sheet.set_row(row, 60, None, {"hidden": row < 5})
        sheet.insert_image("B7", photo("red", 60), {"x_offset": 2, "y_offset": 2})
    assert [line for line, cells, _ in records() if cells[1]] == [7]


def test_two_pictures_over_one_cell_are_a_question(book, records, photo):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", NAMES)
        sheet.set_row(1, 90)
        sheet.write("A2", "A")
        sheet.insert_image("B2", photo("red", 30), {"x_offset": 1, "y_offset": 1})
        sheet.insert_image("B2", photo("green", 30), {"x_offset": 20, "y_offset": 40})
    assert records() == [
        (2, ["A", "", "", ""], "B2: 2 pictures lie over the cell; keep the one that is meant")
    ]


def test_a_picture_over_a_text_or_over_another_column_changes_nothing_and_is_named(book, source, photo):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", NAMES)
        sheet.write_row("A2", ["", P, U])
        sheet.insert_image("A2", photo("red", 16), {"x_offset": 1, "y_offset": 1})
        sheet.insert_image("B2", photo("green", 16), {"x_offset": 1, "y_offset": 1})
    read = source()
    beside = "Sheet1: 1 picture lies outside of the columns of persons and garments: left out (A2)"
    assert read.remarks == (beside,)
    for _ in range(2):
        assert list(read.records())[1:] == [(2, ["", P, U, ""], "")]
    over = "Sheet1: 1 picture lies over cells that say something themselves: their text is read (B2)"
    assert read.remarks == (beside, over)


def test_titles_may_have_pictures_and_of_many_cells_three_are_named(book, source, photo):
    with book() as made:
        sheet = made.add_worksheet("Looks")
        sheet.insert_image("A1", photo("blue", 16), {"x_offset": 1, "y_offset": 1})
        sheet.write_row("A2", NAMES)
        for row in range(3, 8):
            sheet.write_row(f"A{row}", ["", P, U])
            sheet.insert_image(f"C{row}", photo("green", 16), {"x_offset": 1, "y_offset": 1})
    read = source()
    assert len(list(read.records())) == 6
    assert read.remarks == (
        "Looks: 5 pictures lie over cells that say something themselves: their text is read (C3, C4, C5, …)",
    )


def test_links_count_for_pictures_only_and_not_against_an_address(book, records):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", NAMES)
        sheet.write_url("A2", "https://shop.example/a", string="A")
        sheet.write_url("B2", P, string="photo")
        sheet.write_url("C2", "external:pictures/u%201.jpg", string="tee")
        sheet.write_url("B3", "https://old.example/", string=P)
        sheet.write_url("C3", "mailto:anna@shop.example", string="u.jpg")
        sheet.write_url("B4", "internal:Sheet1!A1", string="p.jpg")
    assert records() == [
        (2, ["A", P, "pictures/u 1.jpg", ""], ""),
        (3, ["", P, "u.jpg", ""], ""),
        (4, ["", "p.jpg", "", ""], ""),
    ]


def test_more_links_than_excel_keeps_apart_are_read(book, records):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", NAMES)
        for row in range(1, 3001):
            sheet.write_url(row, 1, f"{P}?{row}", string="photo")
            sheet.write(row, 2, U)
    found = records()
    assert len(found) == 3000
    assert found[-1] == (3001, ["", f"{P}?3000", U, ""], "")


@pytest.mark.parametrize(
    ("formula", "value", "text"),
    [
        (f'IMAGE("{P}")', "0", P),
        (f'_xlfn.IMAGE("{P}","anna",1)', "", P),
        (f'HYPERLINK("{P}","photo")', "", P),
        (f'HYPERLINK("{P}")', "", P),
        (f'HYPERLINK("{P}","photo")', "photo", P),
        ('HYPERLINK("p/"&amp;A2&amp;".jpg")', "p/A.jpg", "p/A.jpg"),
        ('"p/"&amp;A2&amp;".jpg"', "", '="p/"&A2&".jpg"'),
    ],
)
def test_formulas_say_what_they_lead_to(archive, records, formula, value, text):
    kind = ' t="str"' if value else ""
    cell = f'<c r="B2"{kind}><f>{formula.replace(chr(34), "&quot;")}</f><v>{value}</v></c>'
    archive(sheet_xml(HEAD + row_xml(2, ["A", "", U]).replace('<c r="C2"', f'{cell}<c r="C2"')))
    assert records() == [(2, ["A", text, U, ""], "")]


def test_formulas_written_as_text_are_understood_too(book, records):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", NAMES)
        sheet.write_string("B2", f'=IMAGE("{P}")')
        sheet.write_string("C2", f'=HYPERLINK("{U}","tee")')
        sheet.write_string("D2", "=1+1")
    assert records() == [(2, ["", P, U, "=1+1"], "")]


def wps_parts(*names: str) -> dict[str, str | bytes]:
    """What WPS writes for pictures in cells."""
    pictures = "".join(
        f'<etc:cellImage><xdr:pic><xdr:nvPicPr><xdr:cNvPr id="{number}" name="{name}"/></xdr:nvPicPr><xdr:blipFill>'
        f'<a:blip r:embed="rId{number}"/></xdr:blipFill></xdr:pic></etc:cellImage>'
        for number, name in enumerate(names, start=1)
    )
    return {
        "xl/cellimages.xml": '<etc:cellImages xmlns:etc="http://www.wps.cn/officeDocument/2017/etCustomData"'
        f' xmlns:xdr="{DRAWING}" xmlns:a="{MAIN_DRAWING}" xmlns:r="{OFFICE}">{pictures}</etc:cellImages>',
        "xl/_rels/cellimages.xml.rels": relations(
            [(f"rId{n}", "image", f"media/image{n}.jpeg") for n in range(1, len(names) + 1)]
        ),
        "xl/media/image1.jpeg": jpeg("red"),
        "xl/media/image2.jpeg": jpeg("green"),
    }


@pytest.mark.parametrize("value", ['=DISPIMG("ID_1",1)', "", "#NAME?"])
def test_pictures_that_wps_has_put_into_cells_are_read_also_after_excel_saved_them(archive, records, value):
    kind = "e" if value == "#NAME?" else "str"
    cells = "".join(
        f'<c r="{at}" t="{kind}"><f>{prefix}DISPIMG(&quot;{id_}&quot;,1)</f><v>{value.replace(chr(34), "&quot;")}</v></c>'
        for at, prefix, id_ in (("B2", "", "ID_1"), ("C2", "_xlfn.", "ID_2"))
    )
    archive(sheet_xml(f'{HEAD}<row r="2">{cells}</row>'), wps_parts("ID_1", "ID_2"))
    [(line, found, flaw)] = records()
    assert (line, flaw) == (2, "")
    assert [content(path) for path in found[1:3]] == [jpeg("red"), jpeg("green")]


def test_a_picture_of_wps_whose_formula_became_text_is_read(archive, records):
    archive(
        sheet_xml(HEAD + row_xml(2, ["A", '=DISPIMG("ID_1",1)', '=DISPIMG("ID_9",1)'])), wps_parts("ID_1")
    )
    [(_, found, flaw)] = records()
    assert (content(found[1]), flaw) == (jpeg("red"), "")
    assert found[2] == '=DISPIMG("ID_9",1)'


def test_a_picture_that_is_not_in_the_workbook_is_missed_by_its_cell(archive, records):
    parts = wps_parts("ID_1")
    del parts["xl/media/image1.jpeg"]
    cell = '<c r="B2" t="str"><f>DISPIMG("ID_1",1)</f><v/></c>'
    archive(sheet_xml(f'{HEAD}<row r="2">{cell}</row>'), parts)
    assert records() == [
        (2, ["", "", "", ""], "B2: the picture is missing in the workbook; put it into the cell again")
    ]


def rich_parts(order: list[int]) -> dict[str, str | bytes]:
    """What Excel writes for pictures in cells, its lists in an order of their own. `order`: rich value → picture."""
    rich = "http://schemas.microsoft.com/office/spreadsheetml/2017/richdata"
    blocks = "".join(f'<bk><extLst><ext><xlrd:rvb i="{n}"/></ext></extLst></bk>' for n in range(len(order)))
    cells = "".join(f'<bk><rc t="2" v="{n}"/></bk>' for n in reversed(range(len(order))))
    kinds = [
        ("sheetMetadata", "metadata.xml"),
        ("rdRichValue", "richData/rdrichvalue.xml"),
        ("rdRichValueStructure", "richData/rdrichvaluestructure.xml"),
        ("richValueRel", "richData/richValueRel.xml"),
    ]
    related = relations(
        [("rId1", "worksheet", "worksheets/sheet1.xml")]
        + [(f"rId{n}", kind, f"/xl/{part}") for n, (kind, part) in enumerate(kinds, start=10)]
    )
    return {
        "xl/_rels/workbook.xml.rels": related,
        "xl/metadata.xml": f'<metadata xmlns="{MAIN}" xmlns:xlrd="{rich}"><metadataTypes><metadataType name="XLDAPR"/>'
        '<metadataType name="XLRICHVALUE"/></metadataTypes><futureMetadata name="XLDAPR"><bk><extLst/></bk>'
        f'</futureMetadata><futureMetadata name="XLRICHVALUE">{blocks}</futureMetadata><cellMetadata><bk>'
        f'<rc t="1" v="0"/></bk></cellMetadata><valueMetadata>{cells}</valueMetadata></metadata>',
        "xl/richData/rdrichvalue.xml": f'<rvData xmlns="{rich}">'
        + "".join(f'<rv s="1"><v>5</v><v>{picture}</v><v>red</v></rv>' for picture in order)
        + "</rvData>",
        "xl/richData/rdrichvaluestructure.xml": f'<rvStructures xmlns="{rich}"><s t="_error"><k n="errorType" t="i"/></s>'
        '<s t="_localImage"><k n="CalcOrigin" t="i"/><k n="_rvRel:LocalImageIdentifier" t="i"/><k n="Text" t="s"/></s>'
        "</rvStructures>",
        "xl/richData/richValueRel.xml": f'<richValueRels xmlns="{rich}" xmlns:r="{OFFICE}"><rel r:id="rId2"/>'
        '<rel r:id="rId1"/></richValueRels>',
        "xl/richData/_rels/richValueRel.xml.rels": relations(
            [("rId1", "image", "../media/image1.jpeg"), ("rId2", "image", "../media/image2.jpeg")]
        ),
        "xl/media/image1.jpeg": jpeg("red"),
        "xl/media/image2.jpeg": jpeg("green"),
    }


def test_each_list_on_the_way_to_a_picture_in_a_cell_may_have_its_own_order(archive, records):
    cells = '<c r="B2" t="e" vm="1"><v>#VALUE!</v></c><c r="C2" t="e" vm="2"><v>#VALUE!</v></c>'
    archive(sheet_xml(f'{HEAD}<row r="2">{cells}</row>'), rich_parts([0, 1]))
    [(_, found, _)] = records()
    # vm 1 → block 1 → value 1 → relation 1 → rId1: red.
    assert [content(path) for path in found[1:3]] == [jpeg("red"), jpeg("green")]


def test_a_rich_value_that_is_no_picture_stays_an_error(archive, records):
    parts = rich_parts([0, 1])
    parts["xl/richData/rdrichvalue.xml"] = str(parts["xl/richData/rdrichvalue.xml"]).replace('s="1"', 's="0"')
    archive(sheet_xml(f'{HEAD}<row r="2"><c r="B2" t="e" vm="1"><v>#VALUE!</v></c></row>'), parts)
    assert records() == [(2, ["", "#VALUE!", "", ""], "")]


def corner(name: str, column: int, column_offset: int, row: int, row_offset: int) -> str:
    return (
        f"<xdr:{name}><xdr:col>{column}</xdr:col><xdr:colOff>{column_offset}</xdr:colOff>"
        f"<xdr:row>{row}</xdr:row><xdr:rowOff>{row_offset}</xdr:rowOff></xdr:{name}>"
    )


@pytest.mark.parametrize(
    ("kind", "corners", "place"),
    [
        ("absoluteAnchor", "<xdr:pos x='700000' y='250000'/><xdr:ext cx='100000' cy='80000'/>", 1),
        ("oneCellAnchor", corner("from", 1, 500_000, 1, 0) + "<xdr:ext cx='400000' cy='100000'/>", 2),
        # An offset that leads out of its cell is cut at the cell's edge.
        ("oneCellAnchor", corner("from", 1, 99_999_999, 1, 0) + "<xdr:ext cx='10' cy='100000'/>", 2),
        ("twoCellAnchor", corner("from", 0, 600_000, 0, 190_000) + corner("to", 2, 5, 1, 190_000), 1),
    ],
)
def test_each_way_to_fasten_a_picture_leads_to_a_cell(archive, records, kind, corners, place):
    archive(sheet_xml(HEAD + row_xml(2, ["A"]), after='<drawing r:id="rId1"/>'), drawing(kind, corners))
    [(_, found, flaw)] = records()
    assert flaw == ""
    assert [bool(cell) for cell in found] == [True, place == 1, place == 2, False]


def drawing(kind: str, corners: str, shape: str = "") -> dict[str, str | bytes]:
    """The parts of a drawing of one picture."""
    picture = (
        "<xdr:pic><xdr:nvPicPr><xdr:cNvPr id='2' name='x'/></xdr:nvPicPr><xdr:blipFill><a:blip r:embed='rId1'/>"
        f"{shape}</xdr:blipFill><xdr:spPr><a:xfrm><a:off x='1' y='1'/><a:ext cx='9' cy='9'/></a:xfrm></xdr:spPr></xdr:pic>"
    )
    return {
        "xl/worksheets/_rels/sheet1.xml.rels": relations([("rId1", "drawing", "../drawings/drawing1.xml")]),
        "xl/drawings/drawing1.xml": f'<xdr:wsDr xmlns:xdr="{DRAWING}" xmlns:a="{MAIN_DRAWING}" xmlns:r="{OFFICE}">'
        f"<xdr:{kind}>{corners}{picture}</xdr:{kind}></xdr:wsDr>",
        "xl/drawings/_rels/drawing1.xml.rels": relations([("rId1", "image", "../media/image1.jpeg")]),
        "xl/media/image1.jpeg": jpeg("red"),
    }


@pytest.mark.parametrize(
    ("kind", "corners"),
    [
        ("twoCellAnchor", corner("from", 1, 9_000, 2, 9_000) + corner("to", 1, 400_000, 2, 500_000)),
        ("oneCellAnchor", corner("from", 1, 9_000, 2, 9_000) + "<xdr:ext cx='400000' cy='500000'/>"),
        # Its corner a little above the row that it is meant for.
        ("twoCellAnchor", corner("from", 1, 9_000, 1, 700_000) + corner("to", 1, 400_000, 2, 500_000)),
    ],
)
@pytest.mark.parametrize("hidden", [(3,), (2, 3, 4)])
def test_a_picture_over_a_row_that_is_hidden_stays_its_own(archive, records, kind, corners, hidden):
    rows = (row_xml(row, [f"{row}"], " ht='60'" + " hidden='1'" * (row in hidden)) for row in range(2, 6))
    archive(sheet_xml(HEAD + "".join(rows), after='<drawing r:id="rId1"/>'), drawing(kind, corners))
    assert [cells[0] for _, cells, _ in records() if cells[1]] == ["3"]


@pytest.mark.parametrize(
    ("shape", "altered"),
    [
        ("<a:srcRect/>", False), ("<a:srcRect l='200' b='0'/>", False), ("<a:srcRect t='25000'/>", True),
        ("<a:xfrm rot='0'/>", False), ("<a:xfrm rot='5400000'/>", True), ("<a:xfrm flipH='1'/>", True),
    ],
)  # fmt: skip
def test_a_picture_that_the_sheet_shows_cut_or_turned_is_named(archive, source, shape, altered):
    corners = corner("from", 1, 9_000, 1, 9_000) + corner("to", 1, 400_000, 1, 100_000)
    archive(
        sheet_xml(HEAD + row_xml(2, ["A"]), after='<drawing r:id="rId1"/>'),
        drawing("twoCellAnchor", corners, shape),
    )
    what = "Sheet1: 1 picture lies cut or turned in the sheet: sent whole, as it was inserted (B2)"
    assert source().remarks == ((what,) if altered else ())


def test_a_picture_over_merged_cells_counts_for_all_of_them(book, records, photo):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", NAMES)
        sheet.merge_range("B2:B5", "")
        sheet.merge_range("C4:D5", "")
        for row in range(2, 7):
            sheet.write(f"A{row}", f"{row}")
        sheet.insert_image("B2", photo("red", 60), {"x_offset": 2, "y_offset": 8})
        sheet.insert_image("D5", photo("green", 12), {"x_offset": 2, "y_offset": 2})
    found = records()
    assert not any(flaw for *_, flaw in found)
    assert [bool(cells[1]) for _, cells, _ in found] == [True, True, True, True, False]
    assert [bool(cells[2]) for _, cells, _ in found] == [False, False, True, True, False]


@pytest.mark.parametrize(
    ("text", "link", "why"),
    [
        ("people/ben.jpg", "external:people/anna.jpg", "the text names ben.jpg, and its link leads to anna.jpg"),
        ("ben.JPG", "https://cdn.example.com/p/anna.jpg?v=1", "the text names ben.JPG, and its link leads to anna.jpg"),
        ("Anna.jpg", "https://cdn.example.com/p/anna.jpg", ""),
        ("ben.jpg", "https://share.example.com/:i:/r/x?guid=1", ""),
        ("photo", "https://cdn.example.com/p/anna.jpg", ""),
    ],
)  # fmt: skip
def test_a_link_left_behind_by_another_text_is_a_question(book, records, text, link, why):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", NAMES)
        sheet.write("A2", "A")
        sheet.write_url("B2", link, string=text)
    [(_, cells, flaw)] = records()
    assert why in flaw
    assert bool(flaw) == bool(why)
    assert cells[1] == link.removeprefix("external:")
