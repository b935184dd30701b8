"""Verdicts in the ledger and in the files: each once, none of them lost, none on a picture that is another by now."""

import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.ledger.verdicts import add_verdicts, verdicts_of
from jobs.records import REJECT_REASONS, Image, ResultLine, Verdict, standing
from jobs.results.review import BadLine, Review, batch_of, read_review, write_review

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def verdict(sha="a" * 64, word="approve", who="Ana", at="10:00", row=1, **more):
    return Verdict(
        row=row, picture_sha256=sha, verdict=word, reviewer=who, at=f"2026-11-27T{at}:00.000Z", **more
    )


def row(number, *hashes):
    images = tuple(
        Image(path="images/x.jpg", url="", sha256=sha, width=1, height=1, bytes=1) for sha in hashes
    )
    return ResultLine(batch="b", row=number, sku="", status="succeeded", images=images)


def test_the_last_word_on_a_picture_counts_whoever_says_it():
    first, second = verdict(), verdict(word="reject", who="Bo", at="11:00")
    assert standing([second, first]) == second
    assert standing([first, second, verdict(word="clear", who="Bo", at="12:00")]) is None
    assert standing([]) is None


def test_the_same_verdicts_again_change_nothing_and_reviewers_do_not_touch_each_others(books):
    batch = books.feed("sku,person,upper\na,https://a.example/p,https://a.example/g\n")
    some = [verdict(note="-x\n"), verdict(who="Bo"), verdict(at="11:00", word="clear")]
    assert add_verdicts(books.ledger, batch, some) == 3
    assert add_verdicts(books.ledger, batch, [*some, verdict(sha="b" * 64)]) == 1
    assert verdicts_of(books.ledger, batch) == [some[0], verdict(sha="b" * 64), some[1], some[2]]


def test_a_rows_history_has_its_pictures_and_those_it_had_before():
    old, shared, others = verdict(sha="0" * 64, at="09:00"), verdict(row=2), verdict(sha="c" * 64, row=3)
    review = Review([old, shared, others])
    assert review.of(row(1, "a" * 64)) == (old, shared)
    assert review.of(row(2, "a" * 64)) == (shared,)
    assert review.of(row(4)) == ()


def test_a_batch_in_numbers():
    review = Review(
        [
            verdict(),
            verdict(who="Bo", word="reject", at="11:00", reasons=("face", "hands")),
            verdict(sha="b" * 64, row=2),
            verdict(sha="c" * 64, row=3),
            verdict(sha="c" * 64, row=3, word="clear", at="11:30"),
            verdict(sha="f" * 64, row=9),
        ]
    )
    assert review.counts(["a" * 64, "b" * 64, "c" * 64, "d" * 64, "a" * 64]) == {
        "pictures": 4,
        "approved": 1,
        "rejected": 1,
        "to_judge": 2,
        "disagreed": 1,
        "other_versions": 0,
        "of_replaced_pictures": 1,
        "reasons": {"face": 1, "hands": 1},
        "reviewers": {"Ana": 2, "Bo": 1},
    }


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=40).map(str.strip)


@given(note=CELL, who=CELL.filter(bool), reasons=st.sets(st.sampled_from(REJECT_REASONS)), sku=CELL)
def test_what_is_written_is_read_back_whatever_stands_in_it(tmp_path_factory, note, who, reasons, sku):
    said = verdict(
        word="reject", who=who, note=note, reasons=tuple(each for each in REJECT_REASONS if each in reasons)
    )
    path = tmp_path_factory.mktemp("review") / "review.csv"
    text = io.StringIO(newline="")
    write_review(text, [said], {1: sku})
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    assert list(read_review(path, now=NOW)) == [said]
    assert not any(cell[:1] in "=+-@" for cell in text.getvalue().splitlines()[1].split(",") if cell)


NO_TIME = "at is no time with its zone, like 2026-11-27T10:00:00Z"


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"picture_sha256": "abc"}, "picture_sha256 is no SHA-256"),
        ({"verdict": "maybe"}, "verdict is none of approve, reject, clear: 'maybe'"),
        ({"reasons": "face nose"}, f"unknown reason 'nose'; reasons are {', '.join(REJECT_REASONS)}"),
        ({"at": "yesterday"}, f"{NO_TIME}: 'yesterday'"),
        ({"at": "2026-11-27T10:00:00"}, f"{NO_TIME}: '2026-11-27T10:00:00'"),
        ({"at": "2027-01-01T10:00:00Z"}, "at is in the future: '2027-01-01T10:00:00Z'"),
        ({"at": "0001-01-01T00:00:00+23:59"}, f"{NO_TIME}: '0001-01-01T00:00:00+23:59'"),
        ({"reviewer": " "}, "no reviewer; say --reviewer NAME for lines without one"),
    ],
)
def test_a_line_that_is_no_verdict_is_named_and_the_others_go_on(tmp_path, cells, why):
    good = {
        "row": "1",
        "picture_sha256": "a" * 64,
        "verdict": "approve",
        "reasons": "",
        "reviewer": "Ana",
        "at": "2026-11-27T10:00:00Z",
    }
    lines = [";".join((good | changed).values()) for changed in (cells, {})]
    path = tmp_path / "review.csv"
    path.write_text("\ufeff" + ";".join(good) + "\r\n" + "\r\n".join(lines) + "\r\n", encoding="utf-8")
    assert list(read_review(path, now=NOW)) == [BadLine(line=2, why=why), verdict()]


@pytest.mark.parametrize("number", ["", "-1", "1e9", "9" * 30, "9" * 9_000], ids=len)
def test_a_row_that_is_no_number_of_one_costs_no_verdict(tmp_path, number):
    path = tmp_path / "review.csv"
    line = f"{number},{'a' * 64},approve,Ana,2026-11-27T10:00:00Z"
    path.write_text(f"row,picture_sha256,verdict,reviewer,at\n{line}\n")
    assert list(read_review(path, now=NOW)) == [verdict(row=0)]


def test_lines_without_a_name_get_the_one_that_is_given_and_other_files_are_refused(tmp_path):
    path = tmp_path / "review.csv"
    path.write_text(f"picture_sha256,verdict,at,row\n{'a' * 64},approve,2026-11-27T10:00:00Z,1\n")
    assert list(read_review(path, reviewer="Ana", now=NOW)) == [verdict()]
    path.write_text("sku,person\n1,2\n")
    with pytest.raises(ValueError, match="no column at, picture_sha256, verdict"):
        list(read_review(path))


def test_the_batch_of_a_file_is_the_one_whose_rows_it_names():
    refs = {"r1": {"mon": (1,), "tue": (4,)}, "r2": {"mon": (2,)}}
    some = [verdict(request_id="r1"), verdict(request_id="r2", row=2), verdict(request_id="gone")]
    assert batch_of(some, refs) == ["mon"]
    assert batch_of([verdict(request_id="r1")], {"r1": {"mon": (1,), "tue": (1,)}}) == ["mon", "tue"]
    assert batch_of(some, {}) == []


def test_the_files_of_a_batch_have_its_verdicts(books):
    batch = books.feed(
        "sku,person,upper\na,https://a.example/p,https://a.example/g\nb,https://a.example/p,https://a.example/h\n"
    )
    books.finish()
    books.exporter.export(batch, tables=True)
    first, second = books.lines(batch)
    assert first["review"] == second["review"] == []
    said = verdict(
        sha=first["images"][0]["sha256"], word="reject", reasons=("face",), request_id=first["request_id"]
    )
    add_verdicts(books.ledger, batch, [said])
    books.exporter.export(batch, tables=True)
    first, second = books.lines(batch)
    assert [(one["verdict"], one["reasons"], one["reviewer"]) for one in first["review"]] == [
        ("reject", ["face"], "Ana")
    ]
    assert second["review"] == []
    rows = (books.out / batch / "report" / "rows" / "0001.js").read_text()
    assert '"reasons":["face"]' in rows
