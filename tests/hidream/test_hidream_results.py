import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.records import Owner
from worker.hidream.outcomes import Ended, Pending, SubFailure, SubFailureKind
from worker.hidream.results import job_failure, task_outcome
from worker.hidream.wire import read_envelope


def told(content: Any, expected: int = 1):
    envelope = read_envelope(json.dumps(content).encode())
    assert envelope is not None
    return task_outcome(envelope, expected=expected)


def subs(*listed: Any, expected: int = 1):
    return told({"code": 0, "result": {"task_id": "t", "sub_task_results": list(listed)}}, expected)


def test_a_finished_picture_ends_the_task():
    done = {"sub_task_id": "s", "task_status": 1, "task_completion": 1.0, "image": "https://c/p_1.jpg"}
    assert subs(done) == Ended(pictures=("https://c/p_1.jpg",))


def test_the_newer_gateways_words_are_understood():
    done = {"task_status": "1", "task_completion": 1, "url": " https://c/p.png ", "error_msg": ""}
    failed = {"task_status": "3", "error_msg": "Server congestion. Please try again shortly"}
    assert subs(done, failed) == Ended(
        pictures=("https://c/p.png",),
        failures=(
            SubFailure(
                kind=SubFailureKind.FAILED, status="3", message="Server congestion. Please try again shortly"
            ),
        ),
    )


@pytest.mark.parametrize(
    "content",
    [
        {"code": 0, "result": {"task_id": "t", "sub_task_results": [{"task_status": 1, "image": "p_1"}]}},
        {"task_id": "t", "sub_task_results": [{"task_status": 1, "image": "p_1"}]},
        {"main_task_id": "t", "sub_task_results": [{"task_status": 1, "image": "p_1"}]},
        {"main_task_id": "t", "result": {"sub_task_results": [{"task_status": 1, "image": "p_1"}]}},
        {"main_task_id": "t", "result": {"task_status": 1, "image": "p_1"}},
    ],
)
def test_every_shape_of_a_body_is_understood(content):
    assert told(content) == Ended(pictures=("p_1",))


def test_an_empty_list_is_a_task_in_the_queue():
    assert subs() == Pending(queued=True)


@pytest.mark.parametrize("status", [0, "0", -1, -2, -3, -4, -5, None])
def test_a_waiting_task_is_queued(status):
    assert subs({"task_status": status, "task_completion": 0}) == Pending(progress=0.0, queued=True)


@pytest.mark.parametrize(
    ("completion", "progress"), [(0.5, 0.5), ("0.5", 0.5), (7, 1), (-1, 0), (None, None), ("x", None)]
)
def test_a_running_task_tells_its_progress(completion, progress):
    assert subs({"task_status": 2, "task_completion": completion}) == Pending(progress=progress)


@pytest.mark.parametrize("image", ["", None, " ", 5, ["https://a"]])
def test_done_without_a_picture_is_asked_again(image):
    assert isinstance(subs({"task_status": 1, "image": image}), Pending)


def test_one_finished_of_two_is_half_way():
    done, running = {"task_status": 1, "image": "p_1"}, {"task_status": 2, "task_completion": 0.5}
    assert subs(done, running) == Pending(progress=0.75, so_far=Ended(pictures=("p_1",)))


def test_a_sub_task_not_yet_listed_keeps_the_task_open():
    assert subs({"task_status": 1, "image": "p_1"}, expected=2) == Pending(
        progress=1.0, so_far=Ended(pictures=("p_1",)), incomplete=True
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (3, "failed"),
        (4, "moderated"),
        (1004, "nothing"),
        (1005, "nothing"),
        (1006, "nothing"),
        ("4", "moderated"),
    ],
)
def test_a_failure_ends_the_sub_task(status, kind):
    ended = subs({"task_status": status, "description": "why", "sub_task_id": 9})
    assert isinstance(ended, Ended)
    assert ended.failures == (
        SubFailure(kind=SubFailureKind(kind), status=str(status), message="why", sub_task_id="9"),
    )


@pytest.mark.parametrize("status", [7, "dead", True, -6, 2.5])
def test_a_status_that_nobody_has_documented_says_nothing_of_the_end(status):
    assert subs({"task_status": status, "task_completion": 1}) == Pending(progress=1.0, odd=str(status))


def test_a_reply_without_sub_tasks_tells_nothing():
    assert told({"code": 0, "result": {"task_id": "t"}}) is None
    assert told({"code": 0, "result": {"sub_task_results": "none"}}) is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["task_status", "image", "url", "task_completion", "description"]), inner
        )
    ),
    max_leaves=8,
)


@given(_json)
def test_no_reply_however_odd_breaks_the_reading(content):
    outcome = told({"code": 0, "result": {"sub_task_results": content}})
    assert outcome is None or isinstance(outcome, Pending | Ended)


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("failed", "3", ("task_failed", 3, True, Owner.VENDOR)),
        ("moderated", "4", ("moderated", 4, False, Owner.MERCH)),
        ("nothing", "1004", ("no_result", 1004, True, Owner.VENDOR)),
        ("missing", "", ("task_lost", None, True, Owner.VENDOR)),
    ],
)
def test_a_failure_has_a_kind_and_an_owner(kind, status, expected):
    failure = job_failure([SubFailure(kind=SubFailureKind(kind), status=status, message="their words")])
    assert (failure.kind, failure.code, failure.retryable, failure.owner) == expected
    assert failure.message.endswith(": their words")


def test_the_gravest_sub_task_speaks_for_the_job():
    failures = [SubFailure(kind=kind, status="4") for kind in SubFailureKind]
    assert job_failure(failures).kind == "moderated"


def test_a_task_that_ended_with_nothing_at_all_has_no_result():
    assert job_failure([]).kind == "no_result"
