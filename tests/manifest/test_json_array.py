"""A JSON array of objects as a manifest."""

import json

import pytest

from jobs.errors import ManifestError
from jobs.records import BadRow, Row

ROWS = [
    {"sku": "A", "person": "p.jpg", "dress": "d.jpg", "note": "x\n, ]"},
    {"sku": 12.50, "person": "", "dress": "d.jpg"},
]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.ndjson"])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_array_is_read_whatever_it_looks_like(rows, name, indent, encoding):
    good, bad = rows(json.dumps(ROWS, indent=indent).encode(encoding), name)
    assert (type(good), good.number, good.sku, good.fields["note"]) == (Row, 1, "A", "x\n, ]")
    assert (type(bad), bad.number, bad.sku, bad.column) == (BadRow, 2, "12.5", "person")
    assert (good.line, bad.line) == ((1, 1) if indent is None else (2, 8))


def test_digits_stay_as_they_are_written(rows):
    [row] = rows(
        '[{"sku": 00.10, "person": "p", "dress": "d"}]'.replace("00.10", "1234567890123456789.10"), "a.json"
    )
    assert row.sku == "1234567890123456789.10"


def test_many_objects_are_read_in_order(rows):
    text = (
        "["
        + ",\n".join(json.dumps({"sku": f"ü{n}", "person": "p", "dress": "d"}) for n in range(9000))
        + "]\n"
    )
    found = rows(text, "a.json")
    assert [(row.line, row.sku) for row in found] == [(n + 1, f"ü{n}") for n in range(9000)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "a.json: is empty"),
        ('[{"sku": "A"}\n, {"sku": ', "a.json:2: is not JSON"),
        ('[{"sku": "A"}] x', "something stands behind"),
        ('[\n\n{"sku": "A",}]', "a.json:3: is not JSON"),
        ("[{" + '"a":[' * 100_000, "nested too deeply|longer than 1 MB|not JSON"),
        ('[{"sku": "' + "x" * 2_000_000, "longer than 1 MB"),
        (b'[{"sku": "\x81 \x81"}]', "encoding"),
    ],
)
def test_what_is_no_array_to_its_end_is_refused_before_its_first_row(opened, text, why):
    with pytest.raises(ManifestError, match=why):
        opened(text, "a.json")


def test_an_element_that_is_no_object_is_one_bad_row(rows):
    bad, good = rows(
        "[\n{}, 7]".replace("{}, 7", '7, {"person": "p", "dress": "d"}').replace("[\n7", '[{"a": 1}, 7'),
        "a.json",
    )[1:]
    assert (bad.number, bad.why, good.number) == (2, "every element must be one object: {…}", 3)


def test_lines_of_json_called_json_are_read(rows):
    assert [row.sku for row in rows("".join(json.dumps(row) + "\n" for row in ROWS), "a.json")] == [
        "A",
        "12.5",
    ]
