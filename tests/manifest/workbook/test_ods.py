"""OpenDocument sheets, written by odfpy or by hand."""

import zipfile
from pathlib import Path

import pytest
from odf.draw import Frame, Image
from odf.office import Annotation
from odf.opendocument import OpenDocumentSpreadsheet
from odf.style import Style, TableColumnProperties, TableRowProperties
from odf.table import CoveredTableCell, Table, TableCell, TableColumn, TableRow
from odf.text import A, LineBreak, S
from odf.text import P as Paragraph

from jobs.errors import ManifestError
from tests.manifest.workbook.parts import NAMES, P, U, jpeg

XLINK = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
)


class Ods:
    """A workbook of one sheet."""

    def __init__(self, path: Path) -> None:
        self.document = OpenDocumentSpreadsheet()
        self.table = Table(name="Looks")
        self.path = path

    def style(self, family: str, properties: object) -> Style:
        style = Style(name=f"{family}1", family=family)
        style.addElement(properties)
        self.document.automaticstyles.addElement(style)
        return style

    def row(self, *cells: object, **how: object) -> TableRow:
        row = TableRow(**how)
        for cell in cells:
            row.addElement(text(cell) if isinstance(cell, str) else cell)
        self.table.addElement(row)
        return row

    def save(self) -> None:
        self.document.spreadsheet.addElement(self.table)
        self.document.save(self.path)


@pytest.fixture
def ods(tmp_path: Path) -> Ods:
    return Ods(tmp_path / "catalog.ods")


def text(content: str, **how: object) -> TableCell:
    cell = TableCell(valuetype="string", **how) if content else TableCell(**how)
    if content:
        cell.addElement(Paragraph(text=content))
    return cell


def number(value: str, shown: str, kind: str = "float") -> TableCell:
    cell = TableCell(valuetype=kind, value=value)
    cell.addElement(Paragraph(text=shown))
    return cell


@pytest.mark.parametrize(
    ("value", "shown", "seen"),
    [
        ("123", "00123", "00123"),
        ("1234567890123", "1234567890123", "1234567890123"),
        ("1234567890123", "1,23E+12", "1234567890123"),
        ("12.5", "12,50", "12.5"),
        ("1234.5", "1.234,50", "1234.5"),
        ("42", "SKU-0042", "SKU-0042"),
        ("-7", "-7", "-7"),
    ],
)
def test_a_number_comes_out_as_a_person_sees_it(ods, records, value, shown, seen):
    ods.row(*NAMES)
    ods.row(number(value, shown), P, U)
    ods.save()
    assert records("catalog.ods") == [(2, [seen, P, U, ""], "")]


def test_rows_keep_their_numbers_and_blank_ones_are_left_out(ods, source):
    ods.row("Autumn")
    ods.row("", numberrowsrepeated=3)
    ods.row("", *NAMES)
    ods.row("", "A", P, U, "x")
    ods.row(text("", numbercolumnsrepeated=16384), numberrowsrepeated=2)
    ods.row("", "B", P, U)
    ods.row(text("", numbercolumnsrepeated=16384), numberrowsrepeated=1_048_000)
    ods.save()
    opened = source("catalog.ods")
    assert list(opened.records()) == [(5, NAMES, ""), (6, ["A", P, U, "x"], ""), (9, ["B", P, U, ""], "")]
    assert opened.where(9, "person") == "Looks!C9"


def test_merged_hidden_and_repeated_rows_are_read(ods, source):
    ods.row(*NAMES)
    ods.row("A", text(P, numberrowsspanned=2), U)
    ods.row("B", CoveredTableCell(), U)
    ods.row("C", P, U, visibility="filter", numberrowsrepeated=2)
    ods.save()
    every, visible = source("catalog.ods"), source("catalog.ods", visible_only=True)
    assert [(line, cells[:3]) for line, cells, _ in every.records()][1:] == [
        (2, ["A", P, U]),
        (3, ["B", P, U]),
        (4, ["C", P, U]),
        (5, ["C", P, U]),
    ]
    assert every.remarks[0].startswith("Looks: 2 rows are hidden in the sheet")
    assert [line for line, *_ in visible.records()] == [1, 2, 3]


def test_texts_keep_their_lines_and_lose_their_notes(ods, records):
    cell = TableCell(valuetype="string")
    note = Annotation()
    note.addElement(Paragraph(text="ask Anna"))
    cell.addElement(note)
    first = Paragraph(text="one")
    first.addElement(LineBreak())
    first.addText("two")
    first.addElement(S(c=2))
    cell.addElement(first)
    cell.addElement(Paragraph(text="three"))
    ods.row(*NAMES)
    ods.row("A", P, U, cell)
    ods.save()
    assert records("catalog.ods") == [(2, ["A", P, U, "one\ntwo  \nthree"], "")]


def test_links_count_for_pictures(ods, records):
    def linked(target: str, label: str) -> TableCell:
        cell = TableCell(valuetype="string")
        paragraph = Paragraph()
        paragraph.addElement(A(href=target, text=label))
        cell.addElement(paragraph)
        return cell

    formula = TableCell(valuetype="string", formula=f'of:=HYPERLINK("{U}";"tee")')
    formula.addElement(Paragraph(text="tee"))
    ods.row(*NAMES)
    ods.row(linked("https://shop.example/", "A"), linked(P, "photo"), formula)
    ods.row("B", linked("../people/anna%201.jpg", "photo"), linked("https://old.example/", U))
    ods.save()
    assert records("catalog.ods") == [(2, ["A", P, U, ""], ""), (3, ["B", "people/anna 1.jpg", U, ""], "")]


def test_a_picture_belongs_to_the_cell_under_its_middle(ods, records, tmp_path):
    photo = tmp_path / "red.jpg"
    photo.write_bytes(jpeg("red"))
    wide = ods.style("table-column", TableColumnProperties(columnwidth="3cm"))
    high = ods.style("table-row", TableRowProperties(rowheight="2cm"))
    ods.table.addElement(TableColumn(stylename=wide, numbercolumnsrepeated=4))

    def pictured(x: str) -> TableCell:
        cell = TableCell()
        frame = Frame(width="2cm", height="1cm", x=x, y="0.2cm")
        frame.addElement(Image(href=ods.document.addPicture(str(photo))))
        cell.addElement(frame)
        return cell

    ods.row(*NAMES)
    ods.row("A", pictured("0.5cm"), stylename=high)
    ods.row("B", pictured("2.5cm"), stylename=high)
    ods.save()
    (_, first, _), (_, second, _) = records("catalog.ods")
    assert Path(first[1]).read_bytes() == Path(second[2]).read_bytes() == jpeg("red")
    assert (first[2], second[1]) == ("", "")


def by_hand(path: Path, rows: str, **parts: str) -> None:
    content = (
        f"<office:document-content {XLINK}><office:body><office:spreadsheet>"
        f'<table:table table:name="Looks">{rows}</table:table></office:spreadsheet></office:body></office:document-content>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        for name, part in parts.items():
            archive.writestr(f"META-INF/{name}.xml", part)


def cell_xml(repeated: str) -> str:
    return (
        f'<table:table-cell office:value-type="string" table:number-columns-repeated="{repeated}">'
        "<text:p>x</text:p></table:table-cell>"
    )


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (f"<table:table-row>{cell_xml('16384')}</table:table-row>" * 200, "more cells"),
        (f"<table:table-row>{cell_xml('99999999') * 2}</table:table-row>", "more cells"),
        (
            f'<table:table-row table:number-rows-repeated="9999999">{cell_xml("1")}</table:table-row>',
            "more cells",
        ),
        ("<table:table-row>", "is no XML"),
    ],
)
def test_few_cells_that_stand_for_more_than_a_table_has_are_refused(tmp_path, source, rows, why):
    by_hand(tmp_path / "catalog.ods", rows)
    with pytest.raises(ManifestError, match=why):
        source("catalog.ods")


def test_a_password_is_told(tmp_path, source):
    by_hand(tmp_path / "catalog.ods", "", manifest="<manifest:encryption-data/>")
    with pytest.raises(ManifestError, match="password"):
        source("catalog.ods")
