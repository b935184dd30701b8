"""YAML and JSONL manifests: their forms, and the bombs that look like them."""

import gzip
import tracemalloc

import pytest
import yaml

from jobs.errors import ManifestError
from jobs.manifest.yaml import events as yaml_events
from jobs.records import BadRow, Row

PEOPLE = "people: {anna: people/anna.jpg, '0012': https://x.example/b.jpg}\n"
GARMENTS = """\
garments:
  shirt: {top: tops/1.jpg, sku: S-1, color: on}
  jeans: {image: b/1.jpg, category: pants}
"""


@pytest.fixture(params=["libyaml", "plain"], autouse=True)
def parser(request, monkeypatch):
    """Every test runs with the C parser and with the one in Python."""
    if request.param == "plain":
        monkeypatch.setattr(yaml_events, "_LOADER", yaml.SafeLoader)
        monkeypatch.setattr(
            yaml_events, "EVENT_BYTES", 100_000
        )  # ten times slower, so ten times less to read


@pytest.fixture
def read(rows):
    return lambda content: rows(content, "catalog.yaml")


def brief(found):
    return [(row.sku, dict(row.inputs)) for row in found]


def test_a_list_of_rows_keeps_every_scalar_as_written(read):
    [row] = read(
        "- {sku: 0012, person: p.jpg, dress: d.jpg, day: 2024-01-01, yes: on, price: 1.50, none: ~}\n"
    )
    assert row.fields == {
        "sku": "0012",
        "person": "p.jpg",
        "dress": "d.jpg",
        "day": "2024-01-01",
        "yes": "on",
        "price": "1.50",
        "none": "",
    }
    assert (row.number, row.line) == (1, 1)


def test_the_matrix_puts_every_person_into_every_garment(read):
    found = read("matrix: true\ndefaults: {season: S26}\n" + PEOPLE + GARMENTS)
    assert brief(found) == [
        ("S-1", {"person": "people/anna.jpg", "upper_clothes": "tops/1.jpg"}),
        ("jeans", {"person": "people/anna.jpg", "lower_clothes": "b/1.jpg"}),
        ("S-1", {"person": "https://x.example/b.jpg", "upper_clothes": "tops/1.jpg"}),
        ("jeans", {"person": "https://x.example/b.jpg", "lower_clothes": "b/1.jpg"}),
    ]
    assert found[0].fields == {
        "sku": "S-1",
        "person": "anna",
        "garment": "shirt",
        "season": "S26",
        "color": "on",
    }
    assert [(row.number, row.line) for row in found] == [(1, 5), (2, 6), (3, 5), (4, 6)]


def test_the_matrix_may_choose_and_jobs_follow_it(read):
    found = read(
        PEOPLE
        + GARMENTS
        + "matrix: {people: ['0012'], garments: [jeans]}\njobs: [{person: anna, garment: shirt}]\n"
    )
    assert [(row.number, row.sku, row.fields["person"]) for row in found] == [
        (1, "jeans", "0012"),
        (2, "S-1", "anna"),
    ]


def test_jobs_name_people_and_garments_or_give_pictures(read):
    found = read(f"""{PEOPLE}{GARMENTS}jobs:
  - {{person: anna, garments: [shirt, jeans], sku: look}}
  - {{person: anna, garments: [shirt, jeans]}}
  - {{model: other.jpg, garment: x.jpg, category: 上衣, sku: C}}
  - {{person: anna, dress: d.jpg, sku: D}}
""")
    both = {"person": "people/anna.jpg", "upper_clothes": "tops/1.jpg", "lower_clothes": "b/1.jpg"}
    assert brief(found) == [
        ("look", both),
        ("S-1+jeans", both),
        ("C", {"person": "other.jpg", "upper_clothes": "x.jpg"}),
        ("D", {"person": "people/anna.jpg", "dress": "d.jpg"}),
    ]
    assert found[0].fields["garments"] == "shirt, jeans"


def test_defaults_fill_what_a_row_leaves_out_under_any_alias(read):
    found = read(
        "defaults: {person: p.jpg, dress: d.jpg, note: n}\n"
        "jobs: [{sku: A}, {sku: B, model: q.jpg, top: t.jpg}, {sku: C, person: '', note: m}]\n"
    )
    assert brief(found) == [
        ("A", {"person": "p.jpg", "dress": "d.jpg"}),
        ("B", {"person": "q.jpg", "upper_clothes": "t.jpg"}),
        ("C", {"person": "p.jpg", "dress": "d.jpg"}),
    ]
    assert [row.fields["note"] for row in found] == ["n", "n", "m"]


@pytest.mark.parametrize(
    ("job", "column", "why"),
    [
        ("{person: anna, garment: skirt}", "garment", "no garment named “skirt”"),
        ("{person: anna, garments: [shirt, skirt]}", "garments", "no garment named “skirt”"),
        ("{person: anna, garments: [shirt, shirt]}", "garments", "two garments of one kind"),
        ("{person: anna, garment: shirt, dress: d.jpg}", "dress", "cannot go together"),
        ("{person: anna, dress: ~}", "dress", "no garment"),
        ("{person: anna, person: b, dress: d}", "person", "stands twice"),
        ("{person: anna, dress: [d]}", "dress", "not a list"),
        ("{person: anna, top: a, upper: b}", "", "both mean upper_clothes"),
        ("{person: 'data:x', dress: d}", "person", "in the cell itself"),
        ("just text", "", "must be a mapping"),
        ("[a, b]", "", "must be a mapping"),
    ],
)
def test_a_bad_job_is_reported_and_the_next_goes_on(read, job, column, why):
    bad, good = read(f"{PEOPLE}{GARMENTS}jobs:\n  - {job}\n  - {{person: anna, garment: shirt}}\n")
    assert isinstance(bad, BadRow)
    assert (bad.number, bad.line, bad.column) == (1, 6, column)
    assert why in bad.why
    assert isinstance(good, Row)


ROW = "- {person: p.jpg, dress: d.jpg}\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("a: &x [1]\nb: *x\n", ":1: the anchor &x"),
        (ROW + "- *x\n", ":2: the alias \\*x"),
        (ROW + "- {<<: {a: b}}\n", ":2: the merge key <<"),
        (ROW + "- " + "[" * 9000 + "\n", ":2: .*nested more than 8"),
        (ROW + "- {a: " * 50 + "\n", ":2: .*nested more than 8|is not YAML"),
        (ROW + "- !!python/object/apply:os.system [ls]\n", ":2: the tag"),
        (ROW + "- !!str x\n", ":2: the tag"),
        (ROW + '- {person: "a\n', ": is not YAML"),
        (ROW + "---\n" + ROW, "second document"),
        ("[" * 9000, "nested more than 8"),
        ("text\n", "must be a list of rows"),
        ("people: {}\n", "says nothing to do"),
        ("job: []\n", ":1: “job” is not known here"),
        ("jobs: []\njobs: []\n", ":2: “jobs” is there twice"),
        ("jobs: {a: b}\n", ":1: jobs: must be a list"),
        ("people: [a]\njobs: []\n", ":1: people: must be a mapping"),
        ("people: {a: b, a: c}\njobs: []\n", ":1: people: “a” is there twice"),
        ("people: {a: [b]}\njobs: []\n", ":1: people: a: must be one text"),
        ("garments: {a: b}\njobs: []\n", "garments: a: must be a mapping"),
        ("garments: {a: {dress: b, dress: c}}\njobs: []\n", "stands twice"),
        ("garments: {a: {dress: b, 连衣裙: c}}\njobs: []\n", ":1: garments: a: .*both mean dress"),
        (
            "garments: {a: {image: b}}\njobs: []\n",
            ":1: garments: a: .*no category; write upper, lower or dress",
        ),
        (
            "garments: {a: {image: b, category: hat}}\njobs: []\n",
            "“hat” is not known; write upper, lower or dress",
        ),
        ("garments: {a: {color: b}}\njobs: []\n", "has no picture"),
        ("garments: {a: {dress: b, model: c}}\njobs: []\n", "means a person"),
        ("garments: {a: {dress: [b]}}\njobs: []\n", "every value must be one text"),
        ("matrix: true\n", "no people to multiply"),
        ("matrix: maybe\n", ":1: matrix: must be true"),
        (PEOPLE + GARMENTS + "matrix: {people: [eve]}\n", ":5: matrix: people: there is none named “eve”"),
        (PEOPLE + GARMENTS + "matrix: {people: anna}\n", "must be lists of names"),
        ("? [a]\n: b\n", "a key must be one text"),
        (b"- {person: \x81\xff}\n", "is not"),
    ],
)
def test_what_is_no_manifest_is_refused_by_its_line_before_any_row(opened, content, why):
    with pytest.raises(ManifestError, match=why) as error:
        opened(content, "catalog.yaml")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("opening", [b"- {person: '", b"- ", b"- {person: p.jpg, dress: d.jpg} # "])
def test_one_enormous_scalar_or_line_is_refused_in_bounded_memory(opened, opening):
    content = gzip.compress(opening + b"x" * (20 << 20), 1)
    tracemalloc.start()
    try:
        with pytest.raises(ManifestError, match="longer than 1 MB"):
            opened(content, "catalog.yaml.gz")
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


def test_an_entry_of_too_many_values_is_refused(read):
    with pytest.raises(ManifestError, match=":1: the entry is too large"):
        read("- {person: p, dress: [" + "a," * 6000 + "]}\n")


def test_an_alias_bomb_is_refused_at_its_first_anchor(opened):
    bomb = "jobs: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(ManifestError, match=":1: the anchor &a"):
        opened(bomb, "catalog.yaml")
