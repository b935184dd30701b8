"""JSONL manifests: an object a line."""

import pytest

from jobs.records import BadRow, Row

GOOD = '{"person": "p.jpg", "dress": "d.jpg"}\n'


def test_every_scalar_becomes_the_text_that_was_written(rows):
    [row] = rows(
        '{"sku": 12345678901234567890123, "model": "p.jpg", "top": "t.jpg", '
        '"price": 1.50, "new": true, "old": null}\n',
        "catalog.jsonl",
    )
    assert row.sku == "12345678901234567890123"
    assert row.inputs == {"person": "p.jpg", "upper_clothes": "t.jpg"}
    assert (row.fields["price"], row.fields["new"], row.fields["old"]) == ("1.50", "true", "")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{bad", "not JSON"),
        ("[1]", "one object"),
        ("[" * 100_000, "nested too deeply"),
        ('{"person": "a", "person": "b"}', "stands twice"),
        ('{"person": "p.jpg", "dress": {"a": 1}}', "not a list or a mapping"),
        ('{"person": "p.jpg", "dress": "d.jpg", "note": "\\u0000"}', "NUL"),
        ('{"person": "p.jpg", "dress": "d.jpg", "note": "\\ud800"}', "half a character"),
        ('{"person": "p.jpg"}', "no garment"),
        ("{" + ",".join(f'"k{n}": 1' for n in range(300)) + "}", "300 keys"),
        ("x" * 2_000_000, "longer than 1 MB"),
    ],
)
def test_a_bad_line_is_reported_and_the_next_goes_on(rows, line, why):
    bad, good = rows(f"{line}\n\n{GOOD}", "catalog.ndjson")
    assert isinstance(bad, BadRow)
    assert (bad.number, bad.line) == (1, 1)
    assert why in bad.why
    assert isinstance(good, Row)
    assert (good.number, good.line) == (2, 3)
