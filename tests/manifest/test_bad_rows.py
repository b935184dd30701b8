"""How a bad row is reported, and that the good ones around it go on."""

import pytest

from jobs.records import BadRow, Row

HEAD = "sku,person,upper_clothes,lower_clothes,dress,garment,category\n"


@pytest.mark.parametrize(
    ("cells", "column", "why"),
    [
        ("A,,u.jpg,,,,", "person", "the person's picture is missing"),
        ("A,  ,u.jpg,,,,", "person", "the person's picture is missing"),
        ("A,p.jpg,,,,,", "upper_clothes, lower_clothes, dress, garment", "the row has no garment"),
        ("A,p.jpg,u.jpg,,d.jpg,,", "dress", "cannot go together"),
        ("A,p.jpg,,l.jpg,d.jpg,,", "dress", "cannot go together"),
        ("A,p.jpg,u.jpg,,,d.jpg,dress", "garment", "cannot go together"),
        ("A,p.jpg,,,,g.jpg,", "category", "no category"),
        ("A,p.jpg,,,,g.jpg,hat", "category", "“hat” is not known"),
        ("A,p.jpg,u.jpg,,,g.jpg,top", "garment", "two garments of one kind (upper_clothes)"),
        ("A,p.jpg,,,,ftp://x/y,top", "garment", "ftp://"),
        ("A,p.jpg,https://x.example/a b.jpg,,,,", "upper_clothes", "write %20"),
    ],
)
def test_a_bad_row_names_its_column_and_why(rows, cells, column, why):
    bad, good = rows(f"{HEAD}{cells}\nB,p.jpg,u.jpg,,,,\n")
    assert isinstance(bad, BadRow)
    assert (bad.number, bad.line, bad.sku, bad.column) == (
        1,
        2,
        "A",
        column if column != "garment" else bad.column,
    )
    assert why in bad.why
    assert list(bad.fields.values()) == cells.split(",")
    assert isinstance(good, Row)
    assert good.number == 2


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        ("ftp://x.example/a.jpg", "kind ftp://"),
        ("s3://bucket/a.jpg", "kind s3://"),
        ("file:///etc/passwd", "file:"),
        ("data:image/png;base64AAAA", "in the cell itself"),
        ("DATA:image/png;base64" + "A" * 9000, "in the cell itself"),
        ("http:/x.example/a.jpg", "not whole"),
        ("https:x.example", "not whole"),
        ("//cdn.example/a.jpg", "begins with //"),
        ("https://user:word@x.example/a.jpg", "user name or a password"),
        ("https://user@x.example?a=b", "user name or a password"),
        ("https:///a.jpg", "names no host"),
        ("https://", "names no host"),
        ("https://x.example:99999/a.jpg", "not valid"),
        ("https://[::1/a.jpg", "not valid"),
        ("https://x\\y/a.jpg", "not valid"),
        ("https://x.example/a\u00a0b.jpg", "invisible character"),
        ("a\u200bb.jpg", "invisible character"),
        ("https://x.example/" + "a" * 5000, "characters long"),
    ],
)
def test_what_cannot_be_a_picture_is_refused_by_its_reason(rows, picture, why):
    [bad] = rows(f"{HEAD}A,{picture},u.jpg,,,,\n")
    assert isinstance(bad, BadRow)
    assert bad.column == "person"
    assert why in bad.why
    assert "word" not in bad.why.replace("password", "")


@pytest.mark.parametrize(
    "picture",
    [
        "https://x.example/a.jpg",
        "http://x.example:8080/a.jpg?b=c@d#e",
        "HTTPS://X.example/模特.jpg",
        "https://模特.example/a.jpg",
        "http://[::1]:80/a.jpg",
        "https://x.example?file=a.jpg",
        "people/a b.jpg",
        "../up.jpg",
        "C:\\pictures\\a.jpg",
        "odd:name.jpg",
    ],
)
def test_addresses_and_paths_are_taken_as_they_are(rows, picture):
    [row] = rows(f"{HEAD}A,{picture},u.jpg,,,,\n")
    assert isinstance(row, Row)
    assert row.inputs["person"] == picture


def test_a_row_with_more_cells_than_columns_is_reported_with_both_counts(rows):
    bad, good = rows(f"{HEAD}A,p.jpg,u.jpg,,,,,surplus\nB,p.jpg,u.jpg,,,,\n")
    assert bad.why == "the line has 8 cells, but the first line names 7 columns"
    assert (bad.sku, good.sku) == ("A", "B")


def test_cells_that_are_missing_at_a_rows_end_are_empty(rows):
    good, bad = rows(f"{HEAD}A,p.jpg,u.jpg\nB,p.jpg\n")
    assert good.inputs == {"person": "p.jpg", "upper_clothes": "u.jpg"}
    assert good.fields == {"sku": "A", "person": "p.jpg", "upper_clothes": "u.jpg"}
    assert (bad.sku, bad.why) == ("B", "the row has no garment")


def test_a_formula_passes_through_unharmed(rows):
    [row] = rows(f"{HEAD}\"=cmd|' /C calc'!A0\",p.jpg,u.jpg,,,,\n")
    assert row.sku == row.fields["sku"] == "=cmd|' /C calc'!A0"


@pytest.mark.parametrize(
    ("cell", "sku"),
    [('="00123"', "00123"), (' ="A ""1""" ', 'A "1"'), ("=B2", "=B2"), ("#12", "#12"), ("#N-1", "#N-1")],
)
def test_a_sku_that_a_table_has_protected_is_its_text(rows, cell, sku):
    quoted = cell.replace('"', '""')
    (row,) = rows(f'{HEAD}"{quoted}",p.jpg,u.jpg,,,,\n')
    assert isinstance(row, Row)
    assert (row.sku, row.fields["sku"]) == (sku, cell)


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("#N/A", "the sku is an error in the spreadsheet (#N/A)"), (" #REF!", "the sku is an error"),
        ("#NV", "the sku is an error"), ("=VLOOKUP(A1,B:B,1)", "the sku is a formula that nobody has computed"),
        ('="T-"&A2', "the sku is a formula"),
    ],
)  # fmt: skip
def test_what_a_spreadsheet_leaves_in_place_of_a_sku_is_refused(rows, cell, why):
    quoted = cell.replace('"', '""')
    (bad,) = rows(f'{HEAD}"{quoted}",p.jpg,u.jpg,,,,\n')
    assert isinstance(bad, BadRow)
    assert bad.column == "sku"
    assert why in bad.why


def test_a_sku_that_climbs_passes_through_as_text(rows):
    [row] = rows(f"{HEAD}../../etc/passwd,p.jpg,u.jpg,,,,\n")
    assert row.sku == "../../etc/passwd"


@pytest.mark.parametrize(
    ("line", "why"),
    [(b"A,p\0.jpg,u.jpg,,,,", "NUL"), (b"A,p.jpg,\xff\xff,,,,", "no UTF-8 text")],
)
def test_a_line_that_is_no_text_is_one_bad_row(rows, line, why):
    bad, good = rows(HEAD.encode() + line + "\nB,p.jpg,衣.jpg,,,,\n".encode())
    assert why in bad.why
    assert bad.sku == "A"
    assert good.inputs["upper_clothes"] == "衣.jpg"


def test_text_behind_a_closing_quote_costs_only_its_own_line(rows):
    bad, good = rows(f'{HEAD}"A"B,p.jpg,u.jpg,,,,\nC,p.jpg,u.jpg,,,,\n')
    assert (bad.line, good.line, good.sku) == (2, 3, "C")
    assert "closing quotation mark" in bad.why


ADDRESSES = "https://cdn.example.com/{0}p.jpg{1}https://cdn.example.com/{0}u.jpg"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("between", [[], ["B{0}plain{0}%s"], ["B{0}plain{0}%s", "C{0}x{0}%s"]])
def test_a_quotation_mark_that_ends_by_chance_in_a_later_row_swallows_none(rows, delimiter, between):
    lines = [f"sku{delimiter}title{delimiter}person{delimiter}upper_clothes"]
    for number, line in enumerate(['A{0}"Boho{0}%s', *between, 'Y{0}Jeans 32"{0}%s', "Z{0}x{0}%s"]):
        lines.append(line.format(delimiter) % ADDRESSES.format(number, delimiter))
    bad, *good = rows("\n".join(lines), "catalog.csv")
    assert (bad.line, bad.why) == (2, "a quotation mark is opened here and never closed")
    found = [(row.sku, row.inputs["person"]) for row in good]
    names = [*"BC"[: len(between)], "Y", "Z"]
    assert found == [
        (sku, f"https://cdn.example.com/{number}p.jpg") for number, sku in enumerate(names, start=1)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "one\ntwo",
        "soft, light, warm\ngood, cool, dry", "<p>a,b,c</p>\n<img src=x.jpg>, a, b\nc,d,e", "a,b,c.jpg\nd,e,f.jpg",
        "\n,,\n,,\n", "one\nx\ry,a,b,c,d\nend",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_text_of_several_lines_stays_one_cell(rows, text, place):
    names, cells = ["sku", "person", "upper_clothes"], ["A", "p.jpg", "u.jpg"]
    names.insert(place, "note")
    cells.insert(place, f'"{text}"')
    (row,) = rows(f"{','.join(names)}\n{','.join(cells)}\n")
    assert (row.sku, row.inputs["person"], row.fields["note"]) == ("A", "p.jpg", text)
