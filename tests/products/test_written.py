"""What is written is an ordinary manifest that reads back as the pairs that were made, whatever the products hold."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.manifest import open_manifest
from jobs.products.pairing import Pair
from jobs.products.records import GARMENT_SLOTS, Garment, Product
from jobs.products.written import COLUMNS, write_manifest
from jobs.records import Row, Slot

CDN = "https://cdn.shop.example"
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NAME = st.one_of(
    st.sampled_from(
        [
            "sku",
            "SKU",
            "id",
            "model",
            "person",
            "Category",
            "dress",
            "garment",
            "top",
            "source_line",
            "vton_x",
            "dres",
        ]
    ),
    CELL.filter(str.strip),
)


def pair(sku="A", slot=Slot.DRESS, picture=f"{CDN}/d.jpg", person=f"{CDN}/p.jpg", line="2", **fields):
    product = Product(
        place=line, sku=sku, group=sku, pictures=(), categories=(), fields=fields.pop("own", fields)
    )
    return Pair(source_line=line, garment=Garment(product=product, slot=slot, picture=picture), person=person)


def table(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_the_columns_are_ours_then_the_line_then_the_products_own(tmp_path):
    out = tmp_path / "tonight.csv"
    write_manifest(
        out,
        [
            pair(own={"Title": "Gown", "size": "M"}),
            pair("B", Slot.UPPER_CLOTHES, "t/b.jpg", own={"Title": "Tee"}),
        ],
    )
    assert table(out) == [
        [*COLUMNS, "Title", "size"],
        ["A", f"{CDN}/p.jpg", "", "", f"{CDN}/d.jpg", "2", "Gown", "M"],
        ["B", f"{CDN}/p.jpg", "t/b.jpg", "", "", "2", "Tee", ""],
    ]
    assert COLUMNS == ("sku", "person", "upper_clothes", "lower_clothes", "dress", "source_line")
    assert not out.read_bytes().startswith(b"\xef\xbb\xbf"), "text in ASCII needs no mark"


def test_columns_that_come_later_make_every_row_wider(tmp_path):
    out = tmp_path / "tonight.csv"
    write_manifest(out, [pair(str(n), own={"a": f"x\n{n}", f"c{n // 100}": "y"}) for n in range(1_000)])
    names, *rows = table(out)
    assert names[len(COLUMNS) :] == ["a", *(f"c{n}" for n in range(10))]
    assert {len(row) for row in rows} == {len(names)}
    assert [dict(zip(names, row, strict=True))[f"c{n // 100}"] for n, row in enumerate(rows)] == ["y"] * 1_000
    assert [row[len(COLUMNS)] for row in rows] == [f"x\n{n}" for n in range(1_000)]


def test_a_cell_that_a_spreadsheet_would_run_is_quoted_and_a_mark_tells_the_encoding(tmp_path):
    out = tmp_path / "tonight.csv"
    write_manifest(out, [pair("=1+1", own={"=cmd": "@SUM(A1)", "Größe": "-5", "x": "+ä"})])
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    names, row = table(out)
    assert names[len(COLUMNS) :] == ["'=cmd", "Größe", "x"]
    assert row[0] == "'=1+1"
    assert row[len(COLUMNS) :] == ["'@SUM(A1)", "-5", "'+ä"]


def test_columns_that_mean_something_in_a_manifest_get_another_name(tmp_path):
    out = tmp_path / "tonight.csv"
    own = {
        "model": "XR-200",
        "Category": "Dresses",
        "Categories": "x",
        "sku": "A",
        "source_line": "9",
        "id": "7",
        "dres": "y",
    }
    write_manifest(out, [pair(own=own)])
    assert table(out)[0][len(COLUMNS) :] == [
        "product model", "product Category", "Categories", "product sku", "product source_line", "id",
        "product dres",
    ]  # fmt: skip
    manifest = open_manifest(str(out))
    assert manifest.suspected_typos == ()
    (row,) = manifest.rows()
    assert isinstance(row, Row)
    assert (row.sku, row.inputs) == ("A", {"person": f"{CDN}/p.jpg", "dress": f"{CDN}/d.jpg"})


def test_a_description_without_an_end_is_cut_so_that_its_row_can_be_read(tmp_path):
    out = tmp_path / "tonight.csv"
    body = write_manifest(
        out, [pair(own={"html": "<p>" * 100_000}), pair(own={"html": "x\n" * 5_000}), pair(own={"html": "y"})]
    )
    assert body.cut == 2
    assert [type(row) for row in open_manifest(str(out)).rows()] == [Row, Row, Row]


@given(
    rows=st.lists(
        st.tuples(
            CELL.filter(str.strip), st.sampled_from(GARMENT_SLOTS), st.dictionaries(NAME, CELL, max_size=5)
        ),
        max_size=6,
    )
)
def test_whatever_the_products_hold_the_manifest_reads_back_as_its_pairs(tmp_path_factory, rows):
    out = tmp_path_factory.mktemp("out") / "tonight.csv"
    made = [pair(sku, slot, own=own) for sku, slot, own in rows]
    write_manifest(out, [*made, pair("LAST")])
    found = list(open_manifest(str(out)).rows())
    assert all(isinstance(row, Row) for row in found), found
    assert [dict(row.inputs) for row in found] == [
        {"person": f"{CDN}/p.jpg", each.garment.slot.value: f"{CDN}/d.jpg"} for each in [*made, pair("LAST")]
    ]


def test_a_manifest_is_written_whole_or_not_at_all(tmp_path):
    out = tmp_path / "tonight.csv"
    out.write_text("before")

    def broken():
        yield pair()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_manifest(out, broken())
    assert out.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["tonight.csv"]
