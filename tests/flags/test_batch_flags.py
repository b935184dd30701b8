"""Flags that are about a whole batch: blurred beside the others, equal to another row's."""

import pytest
from msgspec.structs import asdict
from PIL import Image, ImageFilter

from jobs.config.settings import FlagSettings
from jobs.flags.batch import BatchFlags
from jobs.flags.measures import Measures
from jobs.records import Job, JobState, Pair, RequestId, ResultLine
from tests.flags.drawn import SIZE, Folder, dressed, garment, person

COLOURS = ["#c02030", "#2040c0", "#20a040", "#e0c020", "#8020a0", "#202020", "#f08040", "#40c0c0", "#905020"]


class Night:
    """A batch whose n-th row has the n-th colour on one person."""

    def __init__(self, root):
        self.folder = Folder(root)
        self.pairs = [
            Pair(person=self.folder.pair.person, dress=self.folder.local(garment(colour), f"{at}.png"))
            for at, colour in enumerate(COLOURS)
        ]

    def flags(self, *images, limits=None, pairs=None, clock=None):
        jobs = [
            Job(
                request_id=RequestId(str(at)),
                state=JobState.SUCCEEDED,
                pair=pair,
                refs={},
                pictures=(self.folder.stored(image),),
            )
            for at, (pair, image) in enumerate(zip(pairs or self.pairs, images, strict=False))
        ]
        given = {"clock": clock} if clock else {"patience_s": 1e9}
        flags = BatchFlags(Measures(self.folder.root), self.folder.store, limits or FlagSettings(), **given)
        flags.survey(enumerate(jobs, start=1))
        lines = [
            ResultLine(batch="b", row=at, sku="", status="succeeded") for at, _ in enumerate(jobs, start=1)
        ]
        return [flags.flagged(line, job) for line, job in zip(lines, jobs, strict=True)]


@pytest.fixture
def night(tmp_path):
    return Night(tmp_path)


def ids(line):
    return [flag.id for flag in line.flags]


def test_a_batch_in_order_has_no_flags_and_all_measures(night):
    lines = night.flags(*map(dressed, COLOURS), limits=FlagSettings(grey=0))
    assert [ids(line) for line in lines] == [[]] * len(COLOURS)
    assert not [name for line in lines for name, value in asdict(line.measures).items() if value is None]


def test_the_blurred_one_is_blurred_beside_the_others(night):
    images = [dressed(colour) for colour in COLOURS]
    images[3] = images[3].filter(ImageFilter.GaussianBlur(3))
    lines = night.flags(*images)
    assert [line.row for line in lines if "blurred" in ids(line)] == [4]


def test_of_a_few_pictures_none_is_blurred(night):
    lines = night.flags(dressed(COLOURS[0]), dressed(COLOURS[1]).filter(ImageFilter.GaussianBlur(3)))
    assert [line.measures.blurred for line in lines] == [None, None]


def test_the_row_that_has_anothers_picture_is_named_and_the_other_is_not(night):
    images = [dressed(colour) for colour in COLOURS]
    images[6] = dressed(COLOURS[0]).resize((768, 1024))
    lines = night.flags(*images)
    assert [line.row for line in lines if "same_as_row" in ids(line)] == [7]
    (flag,) = [flag for flag in lines[6].flags if flag.id == "same_as_row"]
    assert flag.evidence.endswith("differs from another row's, 1")


def test_where_nobody_can_tell_which_of_two_is_wrong_both_are_named(night):
    near = night.folder.local(garment("#c42434"), "near.png")
    pairs = [night.pairs[0], Pair(person=night.folder.pair.person, dress=near)]
    lines = night.flags(dressed(COLOURS[0]), dressed(COLOURS[0]), pairs=pairs)
    assert [line.row for line in lines if "same_as_row" in ids(line)] == [1, 2]


def test_rows_of_one_pair_may_have_one_picture(night):
    pairs = [night.pairs[0]] * 2
    assert [ids(line) for line in night.flags(dressed(COLOURS[0]), dressed(COLOURS[0]), pairs=pairs)] == [
        [],
        [],
    ]


def test_people_who_came_back_are_unchanged_and_no_more(night):
    lines = night.flags(*[person()] * 3)
    assert all("unchanged" in ids(line) and "same_as_row" not in ids(line) for line in lines)


def test_blank_pictures_are_blank_and_no_more(night):
    lines = night.flags(*[Image.new("RGB", SIZE, "white")] * 5)
    assert all("blank" in ids(line) and "same_as_row" not in ids(line) for line in lines)


def test_what_was_not_measured_in_time_is_left_open_and_done_by_the_next_writing(night):
    times = iter(range(0, 10_000, 1000))
    late = night.flags(*map(dressed, COLOURS), clock=lambda: next(times, 10_000))
    assert [line.measures.blank is None for line in late] == [False, *[True] * (len(COLOURS) - 1)]
    again = night.flags(*map(dressed, COLOURS))
    assert not [line for line in again if line.measures.blank is None]


def test_a_fault_of_our_own_costs_the_flags_and_nothing_else(night):
    class Broken(Measures):
        def known(self, key):
            raise RuntimeError(key)

    flags = BatchFlags(Broken(night.folder.root), night.folder.store, FlagSettings())
    picture = night.folder.stored(dressed())
    job = Job(
        request_id=RequestId("1"), state=JobState.SUCCEEDED, pair=night.pairs[0], refs={}, pictures=(picture,)
    )
    flags.survey([(1, job)])
    line = ResultLine(batch="b", row=1, sku="", status="succeeded")
    assert flags.flagged(line, job) == line
