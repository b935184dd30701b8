"""Yesterday's rows beside today's."""

import pytest
from msgspec.structs import replace

from jobs.records import Image, Inputs, ResultLine, Verdict
from jobs.results.difference import Change, differences


def line(
    row: int, sku: str = "A", pair: str = "p", status: str = "succeeded", *, person: str = "", sha: str = "s"
):
    image = Image(path="images/x", url="", sha256=sha, width=1, height=1, bytes=1)
    return ResultLine(
        batch="b",
        row=row,
        sku=sku,
        request_id=pair,
        status=status,
        images=(image,) if status == "succeeded" else (),
        inputs=Inputs(person=person or None),
    )


def said(one: ResultLine, verdict: str, at: str = "2026-11-28T01:00:00.000Z") -> ResultLine:
    return replace(
        one,
        review=(
            *one.review,
            Verdict(row=one.row, picture_sha256="s", verdict=verdict, reviewer="Ann", at=at),
        ),
    )


def found(before, after):
    return [(one.sku, [change.value for change in one.changes]) for one in differences(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (line(1), line(5), []),
        (None, line(1), [Change.NEW]),
        (line(1), None, [Change.REMOVED]),
        (line(1), line(1, pair="q"), [Change.CHANGED_PICTURE]),
        (line(1), line(1, sha="t"), [Change.CHANGED_PICTURE]),
        (line(1), line(1, status="failed"), [Change.NEWLY_FAILING]),
        (line(1, status="queued"), line(1, status="unknown"), [Change.NEWLY_FAILING]),
        (line(1, status="rejected"), line(1, status="failed"), [Change.STILL_FAILING]),
        (line(1, status="failed"), line(1), []),
        (line(1, status="failed"), line(1, status="queued"), []),
        (None, line(1, status="invalid"), [Change.NEW, Change.NEWLY_FAILING]),
        (line(1), said(line(1), "approve"), [Change.NEWLY_APPROVED]),
        (said(line(1), "approve"), said(line(2), "approve"), []),
        (said(line(1), "reject"), said(line(2), "approve"), [Change.NEWLY_APPROVED]),
        (line(1), said(said(line(1), "approve"), "reject", "2026-11-28T02:00:00.000Z"), []),
    ],
)
def test_what_is_said_of_a_row(before, after, changes) -> None:
    expected = [("A", [each.value for each in changes])] if changes else []
    assert found([before] if before else [], [after] if after else []) == expected


def test_rows_of_one_sku_are_matched_by_pair_then_by_person_then_as_they_come() -> None:
    before = [line(1, pair="p"), line(2, pair="q", person="ann"), line(3, pair="r", person="bob")]
    after = [line(1, pair="new", person="bob"), line(2, pair="q", person="ann"), line(3, pair="z")]
    changes = [
        (one.before and one.before.row, one.after and one.after.row) for one in differences(before, after)
    ]
    assert changes == [(3, 1), (1, 3)]


def test_rows_without_a_sku_are_matched_by_their_pair_only() -> None:
    before = [line(1, "", "p"), line(2, "", "q")]
    after = [line(1, "", "q"), line(2, "", "z")]
    assert found(before, after) == [("", ["new"]), ("", ["removed"])]
