"""Flags beside a shop's verdicts, and the limits that these speak for."""

import json

import pytest

from jobs.cli.calibrating import print_calibration, read_judged, read_verdicts
from jobs.config.settings import FlagSettings
from jobs.errors import NotFoundError, UsageError
from jobs.flags.calibration import Judged, calibrated

HEAD = "row,sku,request_id,picture_sha256,verdict,reasons,note,reviewer,at\n"


def judged(name, rejected, approved):
    return [
        Judged(measures={name: value}, rejected=bad)
        for bad, values in ((True, rejected), (False, approved))
        for value in values
    ]


def of(name, found):
    return next(each for each in found if each.flag == name)


def test_todays_limit_is_counted_and_a_better_one_is_proposed():
    pictures = judged("colour", [8, 9, 10, 11, 13, 20], [1, 2, 3, 4, 14])
    found = of("colour", calibrated(pictures, FlagSettings(), precision=0.8))
    assert (found.judged, found.today.limit) == (11, 10)
    assert (found.today.flagged, found.today.precision, found.today.recall) == (5, 4 / 5, 4 / 6)
    assert found.proposed is not None
    assert (found.proposed.limit, found.proposed.flagged, found.proposed.recall) == (6, 7, 1)


def test_limits_that_are_raised_below_are_proposed_above_what_was_rejected():
    pictures = judged("unchanged", [0, 0.001, 0.002, 0.003, 0.01], [0.03, 0.2])
    found = of("unchanged", calibrated(pictures, FlagSettings(unchanged=0.0005), precision=0.95))
    assert found.proposed is not None
    assert (found.today.flagged, found.proposed.limit, found.proposed.recall) == (1, 0.02, 1)


@pytest.mark.parametrize("rejected", [[], [1, 2, 3, 4]], ids=["none", "too few"])
def test_nothing_is_proposed_of_little(rejected):
    found = of("colour", calibrated(judged("colour", rejected, [0.5] * 9), FlagSettings(), precision=0.9))
    assert found.proposed is None


def test_what_was_not_measured_counts_nowhere():
    pictures = [Judged(measures={"colour": None}, rejected=True)] * 9
    assert {each.judged for each in calibrated(pictures, FlagSettings(), precision=0.9)} == {0}


def verdict(picture, word, minute):
    return f'1,a,,{picture * 64},{word},,"a note, with a comma",eva,2026-11-28T08:{minute:02}:00.000Z'


@pytest.fixture
def batch(tmp_path):
    """Results of twelve pictures, `0` to `b` sixty-four times, the darkest first; the first was approved in the ledger."""
    folder = tmp_path / "out" / "night"
    folder.mkdir(parents=True)
    lines = []
    for at, digit in enumerate("0123456789ab"):
        image = {"path": "", "url": "", "sha256": digit * 64, "width": 1, "height": 1, "bytes": 1}
        line = {"batch": "night", "row": at, "sku": "", "status": "succeeded", "images": [image]}
        said = {
            "row": 0,
            "picture_sha256": digit * 64,
            "verdict": "approve",
            "reviewer": "kai",
            "at": "2026-11-27",
        }
        lines.append(json.dumps(line | {"measures": {"dark": 10.0 + 10 * at}, "review": [said] * (not at)}))
    (folder / "results.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "results.jsonl"


def test_the_last_word_on_a_picture_counts_and_a_cleared_one_does_not(batch, tmp_path):
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text(
        HEAD + "\n".join([verdict("1", "reject", 1), verdict("2", "reject", 2), verdict("3", "reject", 3)])
    )
    two.write_text(HEAD + "\n".join([verdict("1", "approve", 4), verdict("2", "clear", 5)]))
    judged = list(read_judged(batch, read_verdicts([one, two])))
    assert [(each.measures["dark"], each.rejected) for each in judged] == [
        (10, False),
        (20, False),
        (40, True),
    ]


def test_a_table_or_json_is_shown(batch, tmp_path, capsys):
    review = tmp_path / "review.csv"
    words = [verdict(digit, "reject" if digit < "6" else "approve", 1) for digit in "0123456789ab"]
    review.write_text(HEAD + "\n".join(words))
    print_calibration(batch, [review], FlagSettings(), precision=0.95, as_json=False)
    shown = capsys.readouterr().out
    assert shown.startswith("12 pictures judged, 6 rejected\n")
    row = next(line.split() for line in shown.splitlines() if line.startswith("dark"))
    assert row == ["dark", "12", "40", "4", "1.00", "0.67", "65", "1.00", "1.00"]
    print_calibration(batch, [review], FlagSettings(), precision=0.95, as_json=True)
    assert {each["flag"]: each for each in json.loads(capsys.readouterr().out)}["dark"]["proposed"][
        "limit"
    ] == 65


def test_what_is_no_review_is_said_so(batch, tmp_path):
    with pytest.raises(NotFoundError):
        read_verdicts([tmp_path / "none.csv"])
    with pytest.raises(NotFoundError, match="vton results"):
        list(read_judged(tmp_path / "none.jsonl", {}))
    (tmp_path / "table.csv").write_text("sku,person\n1,2\n")
    with pytest.raises(UsageError, match="it has no column"):
        read_verdicts([tmp_path / "table.csv"])
