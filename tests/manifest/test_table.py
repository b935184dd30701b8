"""What a table of good rows becomes."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import ManifestError
from jobs.manifest.aliases import CATEGORIES, COLUMNS
from jobs.manifest.columns import Typo
from jobs.manifest.content import Content
from jobs.manifest.delimited import Delimited
from jobs.manifest.table import Table
from jobs.records import BadRow, Row

SLOTS = ("upper_clothes", "lower_clothes", "dress")


def test_a_row_keeps_its_cells_in_order_as_written(rows):
    [row] = rows("note,sku,person,top\n =1+1,A-1 ,https://x.example/p.jpg, tops/a b.jpg \n")
    assert row == Row(
        number=1,
        line=2,
        sku="A-1",
        inputs={"person": "https://x.example/p.jpg", "upper_clothes": "tops/a b.jpg"},
        fields={"note": " =1+1", "sku": "A-1 ", "person": "https://x.example/p.jpg", "top": " tops/a b.jpg "},
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_delimiter_mark_and_line_ends_are_found_from_the_file(rows, delimiter, bom, ending):
    text = ending.join(
        delimiter.join(cells) for cells in (["sku", "person", "dress"], ["A", "p.jpg", "d.jpg"])
    )
    [row] = rows(bom + text.encode())
    assert row.fields == {"sku": "A", "person": "p.jpg", "dress": "d.jpg"}


def test_a_tsv_keeps_its_commas(rows):
    [row] = rows("sku\tperson\tdress\tnote\nA\tp.jpg\td.jpg\ta,b;c\n", "catalog.tsv")
    assert row.fields["note"] == "a,b;c"


def test_excels_own_first_line_is_left_out(rows):
    [row] = rows("sep=;\r\nsku;person;dress\r\nA;p.jpg;d.jpg\r\n")
    assert (row.sku, row.line) == ("A", 3)


def test_gb18030_is_read_when_it_is_not_utf8(rows):
    [row] = rows("商品编号,模特,上衣,备注\n一,模特/一.jpg,衣.jpg,好\n".encode("gb18030"))
    assert row.inputs == {"person": "模特/一.jpg", "upper_clothes": "衣.jpg"}
    assert row.fields["备注"] == "好"


def test_gb18030_that_begins_after_a_megabyte_of_ascii_is_read(rows):
    filler = b"A,p.jpg,d.jpg,x\n" * 70_000
    *_, last = rows(b"sku,person,dress,note\n" + filler + "B,p.jpg,d.jpg,连衣裙\n".encode("gb18030"))
    assert last.fields["note"] == "连衣裙"


@pytest.mark.parametrize(
    ("column", "alias"), [(column, alias) for column in COLUMNS for alias in COLUMNS[column]]
)
def test_every_alias_means_its_column_in_any_case_and_spacing(rows, column, alias):
    cells = {"sku": "A", "person": "p.jpg", "upper_clothes": "", "garment": "g.jpg", "category": "dress"}
    if column in SLOTS:
        cells |= {"garment": "", column: "g.jpg"}
    headings = [alias.upper().replace(" ", "_ ") if name == column else name for name in cells]
    if column not in cells:
        headings.append(alias)
    [row] = rows(f"{','.join(headings)}\n{','.join(cells.values())}\n")
    assert isinstance(row, Row)
    assert row.sku == "A"
    assert row.inputs == {"person": "p.jpg", (column if column in SLOTS else "dress"): "g.jpg"}


@pytest.mark.parametrize(("slot", "word"), [(slot, word) for slot in CATEGORIES for word in CATEGORIES[slot]])
def test_every_category_word_means_its_slot(rows, slot, word):
    [row] = rows(f"person,garment,category\np.jpg,g.jpg,{word.title()}\n")
    assert row.inputs == {"person": "p.jpg", slot: "g.jpg"}


def test_of_several_sku_columns_the_plainest_wins_and_the_others_pass_through(rows):
    [row] = rows("id,Variant SKU,person,dress\n7,V-7,p.jpg,d.jpg\n")
    assert row.sku == "V-7"
    assert row.fields["id"] == "7"


def test_blank_lines_and_lines_of_empty_cells_are_left_out(rows):
    found = rows("\n\nsku,person,dress\n\nA,p.jpg,d.jpg\n,,\n  \nB,p.jpg,d.jpg\n\n")
    assert [(row.number, row.line, row.sku) for row in found] == [(1, 5, "A"), (2, 8, "B")]


def test_empty_columns_at_the_right_are_left_out(opened):
    manifest = opened("sku,person,dress,,\nA,p.jpg,d.jpg,,\nB,p.jpg,d.jpg\n")
    assert manifest.columns == ("sku", "person", "dress")
    assert [row.sku for row in manifest.rows()] == ["A", "B"]


def test_a_cell_may_hold_lines_and_the_next_row_knows_its_own(rows):
    found = rows('sku,person,dress,note\nA,p.jpg,d.jpg,"one\ntwo\n"\nB,p.jpg,d.jpg,x\n')
    assert [(row.line, row.fields["note"]) for row in found] == [(2, "one\ntwo\n"), (5, "x")]


def test_rows_may_be_read_twice_and_at_once(opened):
    manifest = opened("sku,person,dress\nA,p.jpg,d.jpg\nB,p.jpg,d.jpg\n")
    first, second = manifest.rows(), manifest.rows()
    assert [next(first), next(second)] == [next(manifest.rows())] * 2
    assert list(first) == list(second)


CELL = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
PICTURE = st.from_regex(r"[a-z]{1,8}/[a-z0-9]{1,8}\.jpg", fullmatch=True)


@given(
    st.lists(st.tuples(CELL, PICTURE, PICTURE, CELL), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\r\n", "\n"]),
)
def test_what_a_csv_writer_writes_is_read_back(tmp_path_factory, cells, delimiter, ending):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerows([("sku", "person", "dress", "note"), *cells])
    path = tmp_path_factory.mktemp("round") / "catalog.csv"
    path.write_bytes(text.getvalue().encode())
    content = Content(path.open("rb"), "catalog.csv")
    found = list(Table(Delimited(content)).rows())
    assert not any(isinstance(row, BadRow) for row in found)
    assert [tuple(row.fields.values()) for row in found] == cells


@pytest.mark.parametrize(
    ("names", "typos"),
    [
        ("sku,person,dress,lower_cloths", {"lower_cloths": "lower_clothes"}),
        ("sku,person,dress,upper_clths,Garmnet", {"upper_clths": "upper_clothes", "Garmnet": "garment"}),
        ("sku,person,dress,address,colour,shape,title,size,material", {}),
        # What is there under its own name is not meant by another.
        ("sku,person,dress,dress 2,perso", {}),
    ],
)
def test_a_column_that_looks_misspelt_is_reported(opened, names, typos):
    manifest = opened(f"{names}\n{'a,' * names.count(',')}b\n")
    expected = tuple(
        f"the column “{name}” is not read; did you mean {column}?" for name, column in typos.items()
    )
    assert tuple(map(str, manifest.suspected_typos)) == expected


def test_a_table_without_a_person_says_which_name_is_nearly_one(opened):
    with pytest.raises(ManifestError, match="the column “persn” is not read; did you mean person"):
        opened("sku,persn,dress\nA,p.jpg,d.jpg\n")


def test_the_columns_that_a_batch_has_added_are_passed_over(opened):
    manifest = opened(
        "sku,person,dress,vton_error,vton_owner\nA,p.jpg,d.jpg,row_invalid,merch\nB,,d.jpg,x,y\n"
    )
    assert manifest.columns == ("sku", "person", "dress")
    good, bad = manifest.rows()
    assert good.fields == {"sku": "A", "person": "p.jpg", "dress": "d.jpg"}
    assert bad.fields == {"sku": "B", "person": "", "dress": "d.jpg"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "catalog.jsonl",
            '{"person": "p.jpg", "dress": "d.jpg"}\n{"person": "p.jpg", "dress": "d.jpg", "lowr_clothes": "x"}\n',
        ),
        (
            "catalog.yaml",
            "jobs:\n- {person: p.jpg, dress: d.jpg}\n- {person: p.jpg, dress: d.jpg, lowr_clothes: x}\n",
        ),
    ],
)
def test_keys_that_look_misspelt_are_reported_when_they_are_met(opened, name, content):
    manifest = opened(content, name)
    assert manifest.suspected_typos == ()
    assert len(list(manifest.rows())) == 2
    assert manifest.suspected_typos == (Typo(name="lowr_clothes", column="lower_clothes"),)


def test_rows_that_all_have_other_keys_are_not_all_looked_at(opened):
    rows = (
        f'{{"person": "p.jpg", "dress": "d.jpg", "lowr_clothes": "x", "key {n}": ""}}' for n in range(1000)
    )
    manifest = opened("\n".join(rows), "catalog.jsonl")
    assert len(list(manifest.rows())) == 1000
    assert manifest.suspected_typos == (Typo(name="lowr_clothes", column="lower_clothes"),)


def test_a_row_of_thousands_of_nearly_known_columns_costs_no_time(opened):
    names = ",".join(f"lower_clothe{n}" for n in range(20_000))
    assert len(opened(f"sku,person,dress,{names}\n").suspected_typos) <= 100
