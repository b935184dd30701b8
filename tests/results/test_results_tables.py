"""results.csv and failed.csv: what the manifest said comes back, and no spreadsheet runs it."""

import csv
import io
import json
import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.cells import safe_cell
from jobs.manifest import open_manifest
from jobs.records import BadRow, JobState
from jobs.results.tables import STATUS_COLUMNS

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
HOSTILE = st.sampled_from([
    *("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-12.5", "'=x", '"', ",", "\n", ""),
    *(" =1+1", "\u3000=1", "\n@x", "\ufeff=1", "\u200b+1+1", " -12.5", "\u00a0-x", "x=1", " x", "- "),
    *("\uff1d1+1", "\uff0b1", "\uff0d1+1", "\uff20SUM(A1)", " \uff1dA1", "\u22121+1", "\ufe661", "\ufe6bx"),
])  # fmt: skip
SIGNS = set("=+-@")


def neutral(text):
    """What a cell becomes, said in other words than the code's."""
    with suppress(ValueError):
        float(text)
        return text
    if text[:1] in {"\t", "\r"}:
        return "'" + text
    for char in text:
        if unicodedata.normalize("NFKC", char) in SIGNS or char == "\u2212":
            return "'" + text
        if not char.isspace() and char not in "\0\ufeff\u00ad\u200b\u200c\u200d\u200e\u200f\u2060":
            break
    return text


@given(st.lists(st.lists(TEXT | HOSTILE, min_size=2, max_size=5), min_size=1, max_size=5))
def test_any_cells_are_read_back_as_they_were_but_for_the_quote(rows):
    out = io.StringIO(newline="")
    csv.writer(out).writerows([safe_cell(cell) for cell in row] for row in rows)
    assert list(csv.reader(io.StringIO(out.getvalue(), newline=""))) == [
        [neutral(cell) for cell in row] for row in rows
    ]


@given(TEXT | HOSTILE)
def test_no_cell_begins_like_a_formula_unless_it_is_a_number(text):
    safe = safe_cell(text)
    assert safe in {text, "'" + text}
    if safe.strip().startswith(("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")):
        float(safe)


@pytest.mark.parametrize(
    ("encoding", "delimiter", "mark"),
    [
        ("utf-8", ",", b"\xef\xbb\xbf"),
        ("utf-8-sig", ";", b"\xef\xbb\xbf"),
        ("gb18030", "\t", b"\xef\xbb\xbf"),
    ],
)
def test_tables_are_written_for_the_spreadsheet_that_wrote_the_manifest(books, encoding, delimiter, mark):
    rows = [["货号", "person", "dress"], ["一", "https://a.example/p", "https://a.example/d"], ["二", "", ""]]
    batch = books.feed("\r\n".join(delimiter.join(row) for row in rows).encode(encoding))
    books.finish()
    books.exporter.export(batch)
    for name, left in (("results.csv", rows), ("failed.csv", [rows[0], rows[2]])):
        content = (books.out / batch / name).read_bytes()
        assert content.startswith(mark + rows[0][0].encode())
        table = csv.reader(content.decode("utf-8-sig").splitlines(), delimiter=delimiter)
        assert [row[:3] for row in table] == left


def test_a_gap_stands_in_failed_csv_with_its_reason_and_its_owner(books):
    batch = books.feed(
        "sku,person,dress\nA,https://a.example/p,https://a.example/d\nB,,https://a.example/d\n"
    )
    books.finish()
    books.exporter.export(batch)
    with (books.out / batch / "failed.csv").open(newline="") as file:
        (gap,) = csv.DictReader(file)
    assert gap == {
        "sku": "B",
        "person": "",
        "dress": "https://a.example/d",
        "vton_error": "row_invalid",
        "vton_message": "person: the person's picture is missing",
        "vton_owner": "merch",
        "vton_posted_at": "",
        "vton_file": "night.csv",
    }


def test_the_manifests_columns_stand_first_in_their_order(books):
    columns = ["Título", "=odd", "Variant SKU", "模特", "上衣", " spaced ", "price, €", 'say "x"']
    header = ",".join(f'"{name}"'.replace('"say "x""', '"say ""x"""') for name in columns)
    batch = books.feed(f'{header}\nx,=1,A-1,https://a.example/p,https://a.example/g, y ,"1,5",z\n')
    books.finish()
    books.exporter.export(batch)
    (head, row) = books.table(batch)
    assert head == [*("'=odd" if name == "=odd" else name for name in columns), *STATUS_COLUMNS]
    assert row[:8] == ["x", "'=1", "A-1", "https://a.example/p", "https://a.example/g", " y ", "1,5", "z"]
    assert row[8:10] == ["succeeded", "images/A-1_0001.jpg"]


def test_a_byte_order_mark_is_no_part_of_the_first_column(books):
    batch = books.feed(b"\xef\xbb\xbfsku,person,upper\na,https://a.example/p,https://a.example/g\n")
    books.finish()
    books.exporter.export(batch)
    assert books.table(batch)[0][:3] == ["sku", "person", "upper"]


def test_a_chinese_manifest_in_gb18030_keeps_its_words(books):
    batch = books.feed(
        "货号,模特,连衣裙,备注\n裙-1,https://a.example/p,https://a.example/g,红色\n".encode("gb18030")
    )
    books.finish()
    books.exporter.export(batch)
    head, row = books.table(batch)
    assert head[:4] == ["货号", "模特", "连衣裙", "备注"]
    assert row[:4] == ["裙-1", "https://a.example/p", "https://a.example/g", "红色"]
    assert (books.out / batch / row[5 if row[4] == "succeeded" else 4]).is_file()


def test_the_rows_without_a_picture_are_a_manifest_again(books):
    rows = [f"s{n},note {n},https://a.example/p,https://a.example/{n}" for n in range(5)]
    batch = books.feed(
        "sku,note,model,top\n" + "\n".join([*rows, "s5,no garment,https://a.example/p,"]) + "\n"
    )
    states = iter(
        [JobState.SUCCEEDED, JobState.FAILED, JobState.REJECTED, JobState.UNKNOWN, JobState.SUCCEEDED]
    )
    books.finish(lambda _job: next(states))
    books.exporter.export(batch)
    again = list(open_manifest(str(books.out / batch / "failed.csv")).rows())
    assert [row.sku for row in again] == ["s1", "s2", "s3", "s5"]
    assert [isinstance(row, BadRow) for row in again] == [False, False, False, True]
    assert [row.fields for row in again if not isinstance(row, BadRow)] == [
        {"sku": f"s{n}", "note": f"note {n}", "model": "https://a.example/p", "top": f"https://a.example/{n}"}
        for n in (1, 2, 3)
    ]


def test_rows_whose_cells_look_like_formulas_ask_for_the_same_pair_when_they_are_run_again(books):
    batch = books.feed(
        "sku,person,upper\n-A1,https://a.example/p,https://a.example/1\n=B2,https://a.example/p,https://a.example/2\n"
    )
    asked = {
        line["request_id"]
        for rows in books.ledger.rows(batch)
        for line in [{"request_id": row.job} for row in rows.values()]
    }
    books.finish(lambda _job: JobState.REJECTED)
    books.exporter.export(batch)
    failed = (books.out / batch / "failed.csv").read_text()
    second = books.feed(failed, "failed.csv")
    again = {row.job for rows in books.ledger.rows(second) for row in rows.values()}
    assert again == asked


def test_local_pictures_whose_names_look_like_formulas_are_found_again(books):
    content = books.saved("+p.jpg")
    for name in ("+p.jpg", "-g.jpg", "@h.jpg"):
        (books.folder / name).write_bytes((books.store / content.name[:2] / content.name).read_bytes())
    batch = books.feed("sku,person,upper\na,+p.jpg,-g.jpg\nb,@h.jpg,+p.jpg\n")
    books.finish(lambda _job: JobState.FAILED)
    books.exporter.export(batch)
    again = books.feed((books.out / batch / "failed.csv").read_text(), "failed.csv")
    assert books.ledger.status(again).counts.get("invalid", 0) == 0


def test_a_yaml_manifest_gets_the_columns_its_rows_bring(books):
    batch = books.feed(
        """
people: {ines: https://a.example/ines.jpg}
garments:
  shirt: {upper_clothes: https://a.example/shirt.png, season: SS}
  skirt: {lower_clothes: https://a.example/skirt.png}
matrix: {people: [ines], garments: [shirt, skirt]}
""",
        "night.yaml",
    )
    books.finish(lambda job: JobState.SUCCEEDED if job.pair.upper_clothes else JobState.REJECTED)
    books.exporter.export(batch)
    with (books.out / batch / "results.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["vton_status"] for row in table] == ["succeeded", "rejected"]
    assert table[0]["season"] == "SS"
    (again,) = open_manifest(str(books.out / batch / "failed.csv")).rows()
    assert not isinstance(again, BadRow)
    assert again.inputs == {
        "person": "https://a.example/ines.jpg",
        "lower_clothes": "https://a.example/skirt.png",
    }


def test_a_yaml_manifests_failed_rows_are_a_manifest_in_which_no_name_is_misspelt(books):
    batch = books.feed(
        """
people: {ines: https://a.example/ines.jpg}
garments:
  shirt: {upper_clothes: https://a.example/shirt.png}
  skirt: {lower_clothes: https://a.example/skirt.png}
jobs:
  - {sku: A, person: ines, garments: [shirt, skirt]}
  - {sku: B, person: ines, garments: [shirt, hat]}
  - {sku: C, person: ines, garment: shirt}
""",
        "night.yaml",
    )
    books.finish(lambda _job: JobState.REJECTED)
    books.exporter.export(batch)
    again = open_manifest(str(books.out / batch / "failed.csv"))
    rows = list(again.rows())
    assert [isinstance(row, BadRow) for row in rows] == [False, True, False]
    assert rows[0].inputs.keys() == {"person", "upper_clothes", "lower_clothes"}
    assert again.suspected_typos == ()
    head, *cells = books.table(batch, "failed.csv")
    assert [row[head.index("vton_garments")] for row in cells] == ["", "shirt, hat", ""]


def test_the_summary_adds_up_to_the_rows_at_every_moment(books):
    rows = [f"s{n},https://a.example/p,https://a.example/{n % 7}" for n in range(9)]
    batch = books.feed("sku,person,upper\n" + "\n".join([*rows, "bad,,"]) + "\n")
    states = iter([JobState.SUCCEEDED, JobState.FAILED, JobState.REJECTED, JobState.UNKNOWN] * 5)
    while True:
        done = books.finish(lambda _job: next(states), most=1)
        books.exporter.export(batch, tables=True)
        summary = books.summary(batch)
        assert sum(summary["status"].values()) == summary["rows"] == 10
        gaps = summary["rows"] - summary["status"].get("succeeded", 0)
        waiting = summary["status"].get("queued", 0)
        assert (
            sum(summary["gaps_by_owner"].values()) == sum(summary["gaps_by_class"].values()) == gaps - waiting
        )
        if not done:
            break
    assert summary["complete"]
    money = ("ordered", "charged_for_sure", "perhaps_charged", "refunded")
    assert [summary[name] for name in money] == [7, 6, 1, 0]
    assert summary["duplicate_rows"] == 2
    assert summary["status"] == {"failed": 3, "invalid": 1, "rejected": 2, "succeeded": 3, "unknown": 1}


def test_a_lone_surrogate_in_a_row_does_not_keep_the_batch_from_its_files(books):
    rows = [
        {"sku": "ok", "person": "https://a.example/p", "upper": "https://a.example/1"},
        {"sku": "\ud800", "person": "https://a.example/p", "upper": "https://a.example/2", "note": "\udfff"},
    ]
    batch = books.feed("\n".join(json.dumps(row) for row in rows) + "\n", "night.jsonl")
    books.finish()
    books.exporter.export(batch)
    assert books.summary(batch)["status"]["succeeded"] >= 1
