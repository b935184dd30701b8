"""The same rows, whatever they are written in."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P as Paragraph
from pyarrow import parquet

from jobs.manifest import open_manifest
from jobs.records import Row

NAMES = ("sku", "person", "dress", "note")
#: What every format can hold: printable, without blanks at its ends or in a row.
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=12)
PICTURE = st.from_regex(r"[a-z]{1,8}/[a-zA-Z0-9]{1,8}\.jpg", fullmatch=True)
ROWS = st.lists(st.tuples(TEXT, PICTURE, PICTURE, TEXT), min_size=1, max_size=8)


def as_csv(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([NAMES, *rows])


def as_jsonl(path: Path, rows: list[tuple[str, ...]]) -> None:
    path.write_text(
        "".join(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in rows), encoding="utf-8"
    )


def as_json(path: Path, rows: list[tuple[str, ...]]) -> None:
    objects = [dict(zip(NAMES, row, strict=True)) for row in rows]
    path.write_text(json.dumps(objects, ensure_ascii=len(rows) % 2 == 0, indent=1), encoding="utf-8")


def as_yaml(path: Path, rows: list[tuple[str, ...]]) -> None:
    path.write_text(
        "".join(f"- {json.dumps(dict(zip(NAMES, row, strict=True)), ensure_ascii=False)}\n" for row in rows),
        encoding="utf-8",
    )


def as_tsv(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-16") as file:
        csv.writer(file, delimiter="\t").writerows([NAMES, *rows])


def as_parquet(path: Path, rows: list[tuple[str, ...]]) -> None:
    columns = dict(zip(NAMES, map(list, zip(*rows, strict=True)), strict=True))
    parquet.write_table(pa.table(columns), path)


def as_xlsx(path: Path, rows: list[tuple[str, ...]]) -> None:
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet()
        for number, row in enumerate([NAMES, *rows]):
            for column, text in enumerate(row):
                sheet.write_string(number, column, text)


def as_ods(path: Path, rows: list[tuple[str, ...]]) -> None:
    document, table = OpenDocumentSpreadsheet(), Table(name="Sheet1")
    for row in [NAMES, *rows]:
        line = TableRow()
        for text in row:
            cell = TableCell(valuetype="string")
            cell.addElement(Paragraph(text=text))
            line.addElement(cell)
        table.addElement(line)
    document.spreadsheet.addElement(table)
    document.save(path)


@pytest.mark.parametrize("write", [as_csv, as_tsv, as_jsonl, as_json, as_yaml, as_xlsx, as_ods, as_parquet])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_rows_mean_the_same_in_every_format(tmp_path, write, rows):
    path = tmp_path / f"catalog.{write.__name__[3:]}"
    write(path, rows)
    found = list(open_manifest(str(path)).rows())
    assert all(isinstance(row, Row) for row in found)
    assert [(row.number, tuple(row.fields[name] for name in NAMES)) for row in found] == list(
        enumerate(rows, start=1)
    )
    assert [row.inputs for row in found] == [{"person": row[1], "dress": row[2]} for row in rows]


ENCODED = {
    "gb18030": "连衣裙红色上衣模特棉",
    "cp932": "ワンピース花柄上衣",
    "cp949": "원피스상의치마꽃무늬",
    "cp1252": "äöüßéèñ",
    "utf-16": "äü裙원",
    "utf-8": "äü裙원",
    "utf-8-sig": "äü裙원",
}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ENCODED)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_rows_mean_the_same_in_every_encoding_and_with_every_delimiter(tmp_path, encoding, delimiter, data):
    words = st.lists(
        st.sampled_from(ENCODED[encoding]).map(lambda letter: f"kr{letter}n" if encoding == "cp1252" else letter),
        min_size=3, max_size=4,
    ).map("".join)  # fmt: skip
    rows = data.draw(st.lists(st.tuples(words, PICTURE, PICTURE, words), min_size=3, max_size=8))
    path = tmp_path / "catalog.csv"
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows([NAMES, *rows])
    found = list(open_manifest(str(path)).rows())
    assert [tuple(row.fields[name] for name in NAMES) for row in found] == rows
    assert [row.inputs for row in found] == [{"person": row[1], "dress": row[2]} for row in rows]
