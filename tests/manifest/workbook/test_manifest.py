"""A workbook as a manifest."""

import gzip

import pytest

from jobs.errors import ManifestError
from jobs.manifest import Reading, open_manifest
from jobs.records import BadRow, Row
from tests.manifest.workbook.parts import NAMES, P, U


@pytest.fixture
def catalog(book, tmp_path):
    """A workbook of two rows, one of them bad and hidden."""
    with book() as made:
        sheet = made.add_worksheet("Looks")
        sheet.write("A1", "Autumn")
        sheet.write_row("A3", NAMES)
        sheet.write_row("A4", ["A", P, U, "x"])
        sheet.write_row("A5", ["B", "https://cdn.example.com/a b.jpg", U])
        sheet.set_row(4, None, None, {"hidden": True})
    return tmp_path / "catalog.xlsx"


def test_a_workbook_is_a_manifest_whose_rows_have_their_cells_addresses(catalog):
    manifest = open_manifest(str(catalog))
    good, bad = manifest.rows()
    assert (type(good), good.number, good.line, good.sku) == (Row, 1, 4, "A")
    assert good.inputs == {"person": P, "upper_clothes": U}
    assert good.fields == {"sku": "A", "person": P, "upper_clothes": U, "note": "x"}
    assert (type(bad), bad.column) == (BadRow, "person")
    assert manifest.where(bad.line, bad.column) == "Looks!B5"
    assert (manifest.name, manifest.columns, manifest.dialect.bom) == ("catalog", tuple(NAMES), True)
    assert manifest.remarks[0].startswith("Looks: 1 row is hidden")


def test_a_part_of_a_workbook_is_another_list_than_the_whole(catalog):
    whole = open_manifest(str(catalog))
    visible = open_manifest(str(catalog), Reading(visible_only=True))
    named = open_manifest(str(catalog), Reading(sheet="Looks"))
    assert len({whole.digest, visible.digest, named.digest}) == 3
    assert len(list(visible.rows())) == 1


def test_a_workbook_is_known_by_its_content_whatever_its_name_is(catalog, tmp_path):
    for name in ("catalog.csv", "catalog.xls", "catalog.ods"):
        (tmp_path / name).write_bytes(catalog.read_bytes())
        assert len(list(open_manifest(str(tmp_path / name)).rows())) == 2


@pytest.mark.parametrize("name", ["export.xlsx", "export.xls"])
def test_a_table_of_text_with_a_workbooks_name_is_read_as_what_it_is(tmp_path, name):
    (tmp_path / name).write_text("sku\tperson\tdress\nA\tp.jpg\td.jpg\n")
    manifest = open_manifest(str(tmp_path / name))
    assert [row.inputs for row in manifest.rows()] == [{"person": "p.jpg", "dress": "d.jpg"}]
    assert manifest.where(2, "person") == "2"


def test_a_web_page_with_a_workbooks_name_and_a_packed_workbook_are_refused(catalog, tmp_path):
    (tmp_path / "page.xls").write_text("<html><table><tr><td>sku</td></tr></table></html>")
    with pytest.raises(ManifestError, match=r"page\.xls: is a web page"):
        open_manifest(str(tmp_path / "page.xls"))
    (tmp_path / "catalog.xlsx.gz").write_bytes(gzip.compress(catalog.read_bytes()))
    with pytest.raises(ManifestError, match=r"catalog\.xlsx\.gz: is a workbook packed with gzip; unpack it"):
        open_manifest(str(tmp_path / "catalog.xlsx.gz"))


def test_a_sheet_without_a_column_for_the_person_is_refused_by_its_name(book, tmp_path):
    with book() as made:
        made.add_worksheet("Looks").write_row("A2", ["sku", "dress"])
    with pytest.raises(ManifestError, match=r"catalog\.xlsx:Looks:2: line 2 has no column for the person"):
        open_manifest(str(tmp_path / "catalog.xlsx"))


def test_the_sheet_that_has_all_columns_is_read_and_others_that_have_them_are_named(book, tmp_path):
    with book("catalog.xlsx") as workbook:
        workbook.add_worksheet("Products").write_row(0, 0, ["sku", "price"])
        for name in ("Looks", "Looks of June", "Looks of May"):
            sheet = workbook.add_worksheet(name)
            sheet.write_row(0, 0, ["sku", "person", "dress"])
            sheet.write_row(1, 0, [name, "p.jpg", "d.jpg"])
    manifest = open_manifest(str(tmp_path / "catalog.xlsx"))
    assert [row.sku for row in manifest.rows()] == ["Looks"]
    assert manifest.remarks == (
        "the sheet Looks is read; Looks of June, Looks of May have such columns too: --sheet NAME takes another",
    )
