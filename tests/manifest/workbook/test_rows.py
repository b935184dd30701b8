"""Where the rows of a workbook are, and what stands in their cells."""

import datetime as dt

import pytest

from jobs.errors import ManifestError
from tests.manifest.workbook.parts import HEAD, MAIN, NAMES, P, U, row_xml, sheet_xml


def test_the_names_are_found_below_titles_and_rows_keep_the_workbooks_numbers(book, source):
    with book() as made:
        sheet = made.add_worksheet("Tabelle1")
        sheet.write("B1", "Autumn catalog, dress and all")
        sheet.write_row("B4", NAMES)
        sheet.write_row("B6", ["A", P, U, "x"])
        sheet.write_row("B9", ["B", P, U])
    opened = source()
    assert list(opened.records()) == [
        (4, NAMES, ""),
        (6, ["A", P, U, "x"], ""),
        (9, ["B", P, U, ""], ""),
    ]
    assert opened.where(6, "upper_clothes") == "Tabelle1!D6"
    assert opened.where(6) == "Tabelle1!6"


def test_a_sheets_name_with_a_space_stands_in_quotes(book, source):
    with book() as made:
        sheet = made.add_worksheet("Anna's looks")
        sheet.write_row("A1", NAMES)
    assert source().where(2, "person") == "'Anna''s looks'!B2"


def test_records_may_be_read_twice_and_at_once(book, source):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", NAMES)
        sheet.write_row("A2", ["A", P, U, ""])
        sheet.write_row("A3", ["B", P, U, ""])
    opened = source()
    first, second = opened.records(), opened.records()
    assert [next(first), next(second)] == [next(opened.records())] * 2
    assert list(first) == list(second)


def test_the_sheet_that_has_the_columns_is_read(book, source, records):
    with book() as made:
        made.add_worksheet("Read me").write("A1", "How to fill this in")
        hidden = made.add_worksheet("Lists")
        hidden.write_row("A1", NAMES)
        hidden.hide()
        sheet = made.add_worksheet("Looks")
        sheet.write_row("A1", NAMES)
        sheet.write_row("A2", ["A", P, U, ""])
    assert source().where(2) == "Looks!2"
    assert records(sheet="Lists") == []
    with pytest.raises(ManifestError, match="has no sheet “Look”; its sheets are Read me, Lists, Looks"):
        source(sheet="Look")
    with pytest.raises(ManifestError, match="no sheet names a known column"):
        source(sheet="Read me")


def test_columns_without_a_name_are_left_out(book, records):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", ["sku", "", "person", "upper_clothes"])
        sheet.write_row("A2", ["A", "scribble", P, U, "", "more"])
    assert records() == [(2, ["A", P, U], "")]


@pytest.mark.parametrize(
    ("value", "shown_as", "text"),
    [
        (123, "00000", "00123"),
        (123, "General", "123"),
        (1234567890123, "General", "1234567890123"),
        (1234567890123, "0", "1234567890123"),
        (42, '"SKU-"0000', "SKU-0042"),
        (12345678, "0000-0000", "1234-5678"),
        (12345678, r"00\.00\.00", "1234.56.78"),
        (12.5, "0.00", "12.50"),
        (12.5, "General", "12.5"),
        (123, '"T-"General', "T-123"),
        (12.5, 'General" cm"', "12.5 cm"),
        (1234, "# ?/?", "1234"),
        (0.1 + 0.2, "General", "0.3"),
        (1234567.5, "#,##0.00", "1234567.50"),
        (0.5, "0%", "50%"),
        (-7, "000", "-007"),
        (19.9, "[$€-407] 0.00", "€ 19.90"),
        (7, '000;[Red]-000;"none"', "007"),
        (True, "General", "TRUE"),
        (dt.date(2026, 11, 27), "dd.mm.yyyy", "2026-11-27"),
        (dt.datetime(2026, 11, 27, 8, 30), "dd.mm.yyyy hh:mm", "2026-11-27 08:30:00"),  # noqa: DTZ001 sheets know no zones
        ("00123", "General", "00123"),
    ],
)
@pytest.mark.parametrize("parsed", [False, True])
def test_a_number_comes_out_as_a_person_sees_it(book, records, value, shown_as, text, *, parsed):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", NAMES)
        sheet.write_row("B2", [P, U])
        sheet.write("A2", value, made.add_format({"num_format": shown_as}))
        if parsed:
            sheet.set_row(4, None, None, {"hidden": True})
    assert records() == [(2, [text, P, U, ""], "")]


def test_merged_cells_count_for_every_row_they_cover(book, records):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", NAMES)
        sheet.merge_range("B2:B4", P)
        for row in (2, 3, 4, 5):
            sheet.write_row(f"A{row}", [str(row)])
            sheet.write_row(f"C{row}", [U])
        sheet.merge_range("D3:E3", "both")
    assert records() == [
        (2, ["2", P, U, ""], ""),
        (3, ["3", P, U, "both"], ""),
        (4, ["4", P, U, ""], ""),
        (5, ["5", "", U, ""], ""),
    ]


def test_hidden_rows_are_read_and_counted_or_left_out(book, source):
    with book() as made:
        sheet = made.add_worksheet("Looks")
        sheet.write_row("A1", NAMES)
        for row in range(1, 5):
            sheet.write_row(row, 0, [f"{row}", P, U])
        sheet.set_row(2, None, None, {"hidden": True})
        sheet.set_row(3, None, None, {"hidden": True})
    every, visible = source(), source(visible_only=True)
    assert [line for line, *_ in every.records()] == [1, 2, 3, 4, 5]
    assert every.remarks == (
        "Looks: 2 rows are hidden in the sheet and read all the same; --visible-only leaves them out",
    )
    assert [line for line, *_ in visible.records()] == [1, 2, 5]
    assert visible.remarks == ("Looks: 2 rows are hidden and left out",)


def test_errors_say_what_the_cell_shows(archive, records):
    error = '<c r="B2" t="e"><v>#N/A</v></c>'
    archive(sheet_xml(HEAD + row_xml(2, ["A", "", U]).replace('<c r="C2"', f'{error}<c r="C2"')))
    assert records() == [(2, ["A", "#N/A", U, ""], "")]


def test_cells_without_addresses_and_prefixed_elements_are_read(archive, records):
    rows = (
        "<x:row><x:c t='inlineStr'><x:is><x:t>sku</x:t></x:is></x:c><x:c t='inlineStr'><x:is><x:t>person</x:t></x:is>"
        "</x:c></x:row><x:row hidden='1'><x:c><x:v>7</x:v></x:c><x:c t='e'><x:v>#REF!</x:v></x:c></x:row>"
    )
    archive(f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData>{rows}</x:sheetData></x:worksheet>')
    assert records() == [(2, ["7", "#REF!"], "")]
    assert records(visible_only=True) == []


def test_a_large_plain_sheet_is_not_parsed_cell_by_cell(book, records, monkeypatch):
    with book() as made:
        sheet = made.add_worksheet()
        sheet.write_row("A1", NAMES)
        padded = made.add_format({"num_format": "00000"})
        for row in range(1, 3000):
            sheet.write(row, 0, row, padded)
            sheet.write_row(row, 1, [P, U, "x"])
    monkeypatch.setattr("jobs.manifest.workbook.sheet_xml.SheetXml._conclude", None)
    found = records()
    assert [line for line, *_ in found] == list(range(2, 3001))
    assert [found[0][1][0], found[-1][1][0]] == ["00001", "02999"]
