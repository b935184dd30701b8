"""docs/manifests.md says what the reader does."""

import re
from pathlib import Path

import pytest

from jobs.manifest.aliases import CATEGORIES, COLUMNS
from jobs.records import BadRow, Row

PAGE = (Path(__file__).parents[2] / "docs" / "manifests.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(.+?)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("names", [COLUMNS, CATEGORIES], ids=["columns", "categories"])
def test_every_name_stands_in_its_row_of_the_page_in_order(names):
    for name, aliases in names.items():
        listed = [
            re.findall(r"`([^`]+)`", line.replace("the kind of `garment`", "")) for line in PAGE.splitlines()
        ]
        assert list(dict.fromkeys((name, *aliases))) in listed


@pytest.mark.parametrize(
    ("kind", "text"), [block for block in BLOCKS if block[0] in {"csv", "yaml", "jsonl"}]
)
def test_every_example_is_read_without_a_bad_row(rows, kind, text):
    found = rows(text, f"catalog.{kind}")
    assert found
    assert all(isinstance(row, Row) for row in found)


def test_the_matrix_example_has_the_rows_it_says(rows):
    [text] = [text for kind, text in BLOCKS if kind == "yaml" and "matrix: true" in text]
    assert len(rows(text, "catalog.yaml")) == 6 + 3


def test_bad_rows_are_reported_as_the_page_says(rows):
    blocks = dict(BLOCKS)
    found = rows(blocks["csv bad"])
    assert all(isinstance(row, BadRow) for row in found)
    said = [
        f"catalog.csv:{row.line}: " + (f"{row.column}: " if row.column else "") + row.why for row in found
    ]
    assert said == blocks["text bad"].splitlines()
