"""Problems of many rows: grouped, bounded, and each of them handed on for the whole list."""

import json

import pytest

from jobs.problems import EXAMPLES, Problem, Problems, Severity
from jobs.records import BadRow, Owner


def problems(**more):
    return Problems("night.csv", lambda row, _column: str(row.line), **more)


def bad(number, why="the row has no garment", column="dress", value="", **fields):
    return BadRow(
        number=number, line=number + 1, column=column, why=why, sku=f"S{number}", fields=fields, value=value
    )


def test_one_bad_row_is_told_by_file_line_and_column():
    some = problems()
    some.refuse(bad(8, "the line is cut off", ""))
    assert list(some.lines()) == ["night.csv:9: the line is cut off"]


def test_rows_of_one_fault_are_one_line_with_their_count_and_three_examples():
    some = problems()
    firsts = [
        some.refuse(bad(n, f"p{n}.jpg: there is no such file", value=f"p{n}.jpg")) for n in range(1, 3001)
    ]
    assert firsts == [True] * EXAMPLES + [False] * (3000 - EXAMPLES)
    assert list(some.lines()) == [
        "3,000 rows: dress: there is no such file",
        "    e.g. night.csv:2  S1  p1.jpg",
        "    e.g. night.csv:3  S2  p2.jpg",
        "    e.g. night.csv:4  S3  p3.jpg",
    ]


@pytest.mark.parametrize(
    ("first", "second", "line"),
    [
        ("12 x 300 pixels, at least 64", "300 x 40 pixels, at least 64", "… x … pixels, at least 64"),
        ("ended at 2026-11-26 21:53 UTC", "ended at 2026-11-27 08:05 UTC", "ended at … UTC"),
    ],
)
def test_what_is_the_same_in_all_sentences_of_a_fault_stays_in_its_line(first, second, line):
    some = problems()
    for number, words in enumerate((first, second), 1):
        some.refuse(bad(number, words))
    assert next(some.lines()) == f"2 rows: dress: {line}"


def test_examples_show_different_values_where_there_are_any():
    some = problems()
    for number, name in enumerate(["shoes"] * 100 + ["socks"] * 100 + ["hats"], 1):
        some.refuse(bad(number, f"the category “{name}” is not known", "category", category=name))
    (group,) = some.groups()
    assert [each.value for each in group.examples] == ["shoes", "socks", "hats"]
    assert next(some.lines()) == "201 rows: category: the category “…” is not known"


def test_a_million_different_faults_need_no_more_memory_than_some_hundred():
    some = problems()
    for number in range(1, 5001):
        some.refuse(bad(number, "fault " + "x" * number))
    assert sum(group.count for group in some.groups()) == 5000
    assert len(some.groups()) <= 201
    lines = list(some.lines())
    assert len(lines) < 100
    assert lines[0] == "4,800 rows: other faults"
    assert lines[-1] == "and 181 more, of 181 other kinds"


def test_errors_come_before_warnings_which_say_that_their_rows_are_sent():
    some = problems()
    odd = {"kind": "slow", "severity": Severity.WARNING, "file": "night.csv", "where": "9", "row": 8}
    some.add(Problem(words="the host answers after 9 s", owner=Owner.OPS, **odd))
    some.refuse(bad(20))
    assert list(some.lines()) == [
        "night.csv:21: dress: the row has no garment",
        "to look at, sent all the same:",
        "night.csv:9: the host answers after 9 s (for ops)",
    ]


@pytest.mark.parametrize("rest", [".jpg?", " front.jpg?a=1&", ".jpg?<a>", '.jpg?a="', ".jpg#x "])
def test_what_signs_an_address_is_neither_shown_nor_listed(rest):
    listed = []
    some = problems(listed=listed.append)
    url = f"https://nas/p{rest}X-Amz-Signature=canary"
    some.refuse(bad(1, f"{url}: HiDream cannot reach it", value=url))
    told = json.dumps([group.content() for group in some.groups()]) + "".join(some.lines()) + repr(listed)
    assert "canary" not in told
    assert "https://nas/p" in told


def test_a_suggestion_stands_behind_its_row_and_in_the_list():
    listed = []
    some = problems(suggest=lambda row: f"people/{row.sku}.jpg", listed=listed.append)
    some.refuse(bad(1, "there is no such file"))
    assert list(some.lines()) == ["night.csv:2: dress: there is no such file; did you mean people/S1.jpg?"]
    assert listed[0].suggestion == "people/S1.jpg"


@pytest.mark.parametrize(
    ("severity", "said"),
    [
        (
            Severity.WARNING,
            ["to look at, sent all the same:", "3 cells: person, dress: has transparent parts"],
        ),
        (Severity.ERROR, ["2 rows: person: has transparent parts"]),
    ],
)
def test_what_is_only_odd_is_one_group_whatever_the_column(severity, said):
    some = problems()
    for row, column in ((1, "person"), (1, "dress"), (2, "person")):
        more = {"severity": severity, "column": column, "value": f"{column}.png"}
        some.add(
            Problem(kind="transparent", words="has transparent parts", file="f", where="", row=row, **more)
        )
    assert [line for line in some.lines() if "e.g." not in line][: len(said)] == said
