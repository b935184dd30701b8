"""What the manifest said comes back in results.csv, and failed.csv asks for the same pairs again."""

import csv
import io
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from jobs.cells import safe_cell
from jobs.ledger.codec import decode, encode
from jobs.ledger.records import RowRecord
from jobs.manifest import open_manifest
from jobs.manifest.aliases import COLUMNS
from jobs.pictures.check import PictureError
from jobs.producing.planning import Planner, admission
from jobs.records import BatchId, JobState, LocalFile, Url
from jobs.results.lines import result_line
from jobs.results.manifest_columns import table_cells
from jobs.results.tables import write_tables

FILES = ("plain.jpg", "=x.jpg", "-g.jpg", "@h.jpg", "+p.jpg", "\uff1dwide.jpg", "a b.jpg", "衣.jpg")
#: A failing example is good enough as it is found.
SETTINGS = settings(max_examples=40, phases=[Phase.explicit, Phase.generate])

BLANKS = st.sampled_from(["", "", "", " ", "  ", "\u3000", "\t"])
PICTURES = st.sampled_from(FILES) | st.integers(1, 9).map(lambda n: f"https://a.example/{n}.jpg")
SKUS = st.sampled_from(["", "A-1", "-A1", "=B2", "\uff1dC3", "007", "-12", " D4 "])
EXTRAS = st.sampled_from(["", "x", "=1+1", " =1", "https://a.example/1.jpg", "plain.jpg", "-3"])


@st.composite
def headings(draw, column):
    """A heading that means a column, as people write it."""
    name = draw(st.sampled_from(COLUMNS[column]))
    name = draw(st.sampled_from([name, name.upper(), name.title()]))
    return draw(st.sampled_from([name, f"{name} ", f"-{name}", f" {name}", name.replace(" ", "_")]))


@st.composite
def tables(draw):
    """Names and rows of a table, every cell with the blanks that spreadsheets leave."""
    slots = draw(
        st.sampled_from(
            [("upper_clothes",), ("lower_clothes", "upper_clothes"), ("dress",), ("garment", "category")]
        )
    )
    names = {column: draw(headings(column)) for column in ("sku", "person", *slots)}
    extra = draw(
        st.lists(st.sampled_from(["note", "=odd", " price ", "\uff0bsum", "-x"]), max_size=2, unique=True)
    )
    order = draw(st.permutations([*names, *extra]))
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        cells = {}
        for column in order:
            if column == "sku":
                cell = draw(SKUS)
            elif column == "category":
                cell = draw(BLANKS) + draw(st.sampled_from(["upper", "dress", "下装"])) + draw(BLANKS)
            elif column in names:
                cell = draw(BLANKS) + draw(PICTURES) + draw(BLANKS)
            else:
                cell = draw(EXTRAS)
            cells[column] = cell
        rows.append([cells[column] for column in order])
    return [names.get(column, column) for column in order], rows


def planned(path, folder):
    """A manifest's rows as the ledger holds them, and its header."""

    def source(text):
        if "://" in text:
            return Url(url=text)
        if (name := os.path.normpath(text)) not in FILES:
            raise PictureError("there is no such file")
        return LocalFile(path=f"/shop/{name}", sha256=name.encode().hex())

    manifest = open_manifest(str(path))
    planner = Planner(source, folder=folder)
    rows = [decode(admission(planner.plan(row)).row, RowRecord) for row in manifest.rows()]
    return rows, list(manifest.columns), manifest.dialect


def written_again(folder, content, name):
    """The rows of a manifest, its results.csv, and the rows of its failed.csv."""
    path = folder / name
    path.write_bytes(content)
    rows, header, dialect = planned(path, folder)
    lines = [
        (
            result_line(BatchId("b"), number, row, None, left="cancelled", created_ms=0),
            table_cells(row, header=bool(header)),
        )
        for number, row in enumerate(rows, 1)
    ]
    columns = header or list({column: None for row in rows for column in table_cells(row, header=False)})
    write_tables(folder, columns, lines, lambda: None, dialect)
    shown = (folder / "results.csv").read_text(encoding="utf-8-sig")
    table = list(csv.reader(io.StringIO(shown, newline=""), delimiter=dialect.delimiter))
    return rows, table, planned(folder / "failed.csv", folder)[0]


def asked(rows):
    """What each row asks for: its job's id, or why it is bad."""
    return [row.job or row.bad.why for row in rows]


@SETTINGS
@given(table=tables(), delimiter=st.sampled_from(",;\t"), mark=st.sampled_from([b"", b"\xef\xbb\xbf"]))
def test_a_tables_cells_come_back_as_they_were_and_ask_for_the_same_pairs_again(table, delimiter, mark):
    names, cells = table
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows([names, *cells])
    with TemporaryDirectory() as folder:
        rows, shown, again = written_again(Path(folder), mark + out.getvalue().encode(), "night.csv")
    assert [row[: len(names)] for row in shown] == [
        [safe_cell(cell) for cell in row] for row in [names, *cells]
    ]
    assert asked(again) == asked(rows)


@SETTINGS
@given(
    entries=st.lists(
        st.tuples(
            headings("sku"),
            headings("person"),
            headings("upper_clothes"),
            SKUS,
            PICTURES,
            PICTURES,
            BLANKS,
            EXTRAS,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_rows_that_each_name_their_keys_otherwise_are_one_manifest_again(entries):
    lines = [
        {sku: one, person: model + blank, upper: picture + blank, "note": note}
        for sku, person, upper, one, model, picture, blank, note in entries
    ]
    content = "".join(f"{json.dumps(line)}\n" for line in lines)
    with TemporaryDirectory() as folder:
        rows, _shown, again = written_again(Path(folder), content.encode(), "night.jsonl")
    assert asked(again) == asked(rows)
    assert [row.sku for row in again] == [safe_cell(row.sku).strip() for row in rows]


@SETTINGS
@given(
    pictures=st.tuples(PICTURES, PICTURES, PICTURES),
    key=headings("person"),
    note=st.sampled_from(["", "tee", "ines", "https://a.example/1.jpg"]),
    form=st.sampled_from(["matrix", "jobs"]),
)
def test_rows_that_name_their_pictures_ask_for_the_same_pairs_again(pictures, key, note, form):
    person, upper, lower = pictures
    content = {
        "people": {"ines": person},
        "garments": {"tee": {"upper": upper, "sku": "T"}, "pants": {"image": lower, "category": "bottom"}},
    }
    if form == "matrix":
        content |= {"matrix": True}
    else:
        content |= {
            "defaults": {"note": note},
            "jobs": [
                {"sku": "a", key.strip(): "ines", "garments": ["tee", "pants"]},
                {"sku": "b", "person": person, "garment": "tee"},
                {"sku": "c", "模特": "ines ", "garment": lower, "category": " dress "},
                {"sku": "d", "person": "nobody.jpg", "garment": "tee"},
            ],
        }
    text = yaml.safe_dump(content, allow_unicode=True)
    with TemporaryDirectory() as folder:
        rows, _shown, again = written_again(Path(folder), text.encode(), "night.yaml")
    assert len(rows) == (2 if form == "matrix" else 4)
    # A bad row of a YAML manifest is put right in the YAML.
    assert [row.job for row in again] == [row.job for row in rows]


@pytest.mark.parametrize("heading", ["Model,Top", "model,top", "person,upper_clothes"])
def test_a_blank_behind_a_picture_empties_no_cell(books, heading):
    batch = books.feed(f"SKU,{heading}\na,https://a.example/p ,https://a.example/g\n")
    books.finish(lambda _job: JobState.FAILED)
    books.exporter.export(batch)
    for name in ("results.csv", "failed.csv"):
        assert books.table(batch, name)[1][:3] == ["a", "https://a.example/p ", "https://a.example/g"]


def test_a_row_that_an_earlier_version_took_for_one_of_names_has_its_own_cells(books):
    batch = books.feed("SKU,Model,Top\na,https://a.example/p ,https://a.example/g\n")
    (row,) = books.ledger.rows_at(batch, [1]).values()
    names = {"person": "https://a.example/p", "upper_clothes": "https://a.example/g"}
    books.ledger.client.hset(books.ledger.key("rows", batch), "1", encode(replace(row, inputs=names)))
    books.finish(lambda _job: JobState.FAILED)
    books.exporter.export(batch)
    for name in ("results.csv", "failed.csv"):
        head, cells = books.table(batch, name)
        assert head[:3] == ["SKU", "Model", "Top"]
        assert cells[:3] == ["a", "https://a.example/p ", "https://a.example/g"]
