import dataclasses

import pytest

from worker.simulator.faults import Script, parse_rules
from worker.simulator.tasks import Outcome, Task, callback_body, decide, envelope, results


def task(outcome: Outcome | None = None, **changes: object) -> Task:
    outcome = outcome or Outcome()
    usual = {
        "task_id": "t",
        "request_id": "r",
        "ordinal": 1,
        "created_s": 100.0,
        "due_s": 110.0,
        "sub_task_ids": tuple(f"s{n}" for n in range(outcome.pictures)),
        "inputs": {"person": "d1", "dress": "http://shop/d.jpg"},
        "notify_url": "",
        "pictures_base": "http://cdn/image/",
        "outcome": outcome,
        "charged": outcome.pictures,
    }
    return Task(**(usual | changes))


def outcome_of(rule: str) -> Outcome:
    return decide(Script(parse_rules(f"[{{at: task, {rule}}}]")).strikes("task"), base=Outcome())


def parts(one: Task, now: float, **how: object) -> list[dict]:
    return results(one, now_s=now, **how)["sub_task_results"]


def test_a_task_is_unlisted_then_waiting_then_working_then_done():
    one = task()
    assert parts(one, 100.5) == []
    assert parts(one, 101.5)[0]["task_status"] == 0
    assert parts(one, 105)[0]["task_status"] == 2
    assert parts(one, 105)[0]["task_completion"] == 0.5
    done = parts(dataclasses.replace(one, ended_s=110.0), 111)[0]
    assert done["task_status"] == 1
    assert done["image"] == "http://cdn/image/p_s0.jpg"


def test_a_silent_account_does_not_say_how_far_a_task_is():
    said = [parts(task(), now, silent=True)[0] for now in (100.5, 101.5, 109)]
    assert {(part["task_status"], part["task_completion"]) for part in said} == {(2, 0.5)}
    assert parts(task(ended_s=110.0), 111, silent=True)[0]["task_status"] == 1


def test_completion_comes_as_int_and_as_float():
    whole = [parts(task(ordinal=n, ended_s=110.0), 111)[0]["task_completion"] for n in (1, 2)]
    assert [type(one) for one in whole] == [int, float]


@pytest.mark.parametrize(
    ("rule", "status"),
    [("do: failed", 3), ("do: moderated", 4), ("do: nothing, status: 1006", 1006), ("do: odd, status: 7", 7)],
)
def test_a_bad_end_has_no_picture(rule, status):
    outcome = outcome_of(rule)
    (part,) = parts(task(outcome, ended_s=110.0), 111)
    assert (part["task_status"], part["image"], outcome.good) == (status, "", 0)


def test_an_odd_status_is_shown_while_working_or_as_text_at_the_end():
    working = outcome_of("do: odd, status: -1")
    assert parts(task(working), 105)[0]["task_status"] == -1
    assert parts(task(working, ended_s=110.0), 111)[0]["task_status"] == 1
    text = outcome_of('do: odd, status: "1"')
    assert parts(task(text, ended_s=110.0), 111)[0]["task_status"] == "1"
    assert text.good == 1


def test_a_stuck_task_is_at_two_for_ever():
    stuck = outcome_of("do: stuck")
    assert parts(task(stuck, ended_s=110.0), 10_000)[0]["task_status"] == 2


def test_an_empty_image_fills_after_some_polls():
    late = task(outcome_of("do: empty-image, polls: 2"), ended_s=110.0)
    assert [bool(parts(late, 111, poll=n)[0]["image"]) for n in (1, 2, 3)] == [False, False, True]
    assert callback_body(late, shape="bare", now_s=111)["sub_task_results"][0]["image"]


def test_backwards_says_waiting_after_done():
    odd = task(outcome_of("do: backwards"), ended_s=110.0)
    assert [parts(odd, 111, poll=n)[0]["task_status"] for n in (1, 2, 3)] == [1, 0, 1]


def test_partial_success_has_a_picture_and_a_failure():
    both = parts(task(outcome_of("do: partial"), ended_s=110.0), 111)
    assert [part["task_status"] for part in both] == [1, 3]
    assert [bool(part["image"]) for part in both] == [True, False]


def test_bare_ids_and_png_change_the_address():
    assert parts(task(outcome_of("do: bare-ids"), ended_s=110.0), 111)[0]["image"] == "p_s0"
    assert parts(task(outcome_of("do: png"), ended_s=110.0), 111)[0]["image"] == "http://cdn/image/p_s0.png"


def test_the_newer_dialect_has_its_own_field_names():
    one = task(Outcome(status=3, message="no"), ended_s=110.0)
    reply = envelope(one, results(one, now_s=111, dialect="newer"), dialect="newer")
    assert "messasge" in reply
    assert reply["result"]["sub_task_results"][0]["error_msg"] == "no"
    assert "url" in reply["result"]["sub_task_results"][0]


def test_callbacks_come_in_four_shapes():
    done = task(ended_s=110.0)
    shapes = {
        shape: set(callback_body(done, shape=shape, now_s=111))
        for shape in ("envelope", "bare", "main", "main-result")
    }
    assert shapes == {
        "envelope": {"code", "message", "request_id", "result"},
        "bare": {"task_id", "sub_task_results"},
        "main": {"main_task_id", "sub_task_results"},
        "main-result": {"main_task_id", "result"},
    }


def test_a_task_survives_its_encoding():
    one = task(Outcome(status="1", pictures=2, stuck_s=3.0), notify_url="http://x/")
    assert Task.decode(one.encode()) == one
