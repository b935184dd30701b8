"""A manifest that comes again: rows whose pictures were changed, signatures made anew, batches cancelled meanwhile."""

import json

import pytest

from jobs.cli import control
from jobs.identity import former_request_id, request_id
from jobs.ledger import Admission, RowFate, steps
from jobs.ledger.codec import encode, encode_pair
from jobs.ledger.records import BadCell
from jobs.producing.planning import Planned, Planner, admission
from jobs.producing.queue import Queue
from jobs.records import BatchId, JobState, Pair, RequestId, Row, Url
from tests.heart import Heart, failure, rid, row

A, B = BatchId("a"), BatchId("b")


# -- a picture was changed -----------------------------------------------------------------------------------


def test_a_row_whose_picture_was_changed_buys_the_new_one(heart: Heart) -> None:
    heart.admit("a", ["x", "y"], seal=True)
    heart.succeeded()
    heart.succeeded()
    admitted = heart.admit("a", ["new", "y"], seal=True)
    assert (admitted.queued, admitted.changed, admitted.rows) == ((rid("new"),), 1, 0)
    assert heart.counts("a") == {"queued": 1, "succeeded": 1}
    status = heart.ledger.status(A)
    assert (status.rows, status.open, status.completed_ms) == (2, 1, None)
    assert heart.ledger.rows_at(A, [1])[1].job == rid("new")
    assert heart.job(rid("x")).refs == {}
    heart.succeeded()
    assert heart.ledger.status(A).complete
    assert heart.ledger.outbox(A, "0")[-1].request_id == rid("new")


def test_the_former_job_is_not_bought_when_nobody_else_wants_it(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.admit("a", ["new"])
    assert heart.state(rid("x")) is JobState.CANCELLED
    assert heart.granted().request_id == rid("new")
    assert heart.ask().kind == "empty"


def test_the_former_job_stays_in_the_line_of_whoever_else_wants_it(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.admit("b", ["x"])
    heart.admit("a", ["new"])
    assert heart.job(rid("x")).refs == {"b": (1,)}
    assert {heart.granted().request_id, heart.granted().request_id} == {rid("x"), rid("new")}
    assert heart.raw(rid("x"))["paid_batch"] == "b"
    assert (heart.counts("a"), heart.counts("b")) == ({"queued": 1}, {"queued": 1})


def test_of_two_rows_of_a_pair_one_may_be_changed(heart: Heart) -> None:
    heart.admit("a", ["x", "x"])
    heart.admit("a", ["x", "new"])
    assert heart.job(rid("x")).refs == {"a": (1,)}
    assert heart.ledger.status(A).duplicate == 0
    assert heart.counts("a") == {"queued": 2}


def test_rows_that_change_places_buy_nothing(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    assert heart.admit("a", ["y", "x"]).queued == ()
    assert heart.counts("a") == {"queued": 2}
    assert sorted(heart.line("a")) == sorted([rid("x"), rid("y")])


def test_a_row_whose_new_picture_is_bad_becomes_invalid_and_good_again(heart: Heart) -> None:
    heart.admit("a", ["x"], seal=True)
    heart.succeeded()
    heart.admit("a", [None], seal=True)
    assert heart.counts("a") == {"invalid": 1}
    assert heart.ledger.status(A).complete
    assert heart.ledger.rows_at(A, [1])[1].bad.why == "no such file"
    assert heart.ledger.outbox(A, "0")[-1].row == 1
    assert heart.admit("a", ["x"], seal=True).queued == ()
    assert heart.counts("a") == {"succeeded": 1}
    assert heart.ledger.status(A).complete


def test_a_bad_row_that_is_bad_for_another_reason_says_so(heart: Heart) -> None:
    heart.admit("a", [None])
    other = row(1, None).row.replace("no such file", "damaged")
    heart.ledger.admit(A, [Admission(number=1, request_id="", row=other, pair="")])
    assert heart.ledger.rows_at(A, [1])[1].bad.why == "damaged"
    assert heart.counts("a") == {"invalid": 1}


def test_a_row_of_a_former_version_keeps_its_job(heart: Heart) -> None:
    heart.admit("a", ["x"])
    text = encode({"job": rid("x"), "line": 2, "sku": "x", "fields": {}})
    again = Admission(number=1, request_id=rid("x"), row=text, pair=row(1, "x").pair)
    assert heart.ledger.admit(A, [again]).changed == 0
    assert heart.job(rid("x")).refs == {"a": (1,)}
    assert heart.counts("a") == {"queued": 1}


# -- a batch is cancelled while it is fed --------------------------------------------------------------------


def cancelled(heart: Heart, batch: str) -> None:
    heart.ledger.client.hset(heart.ledger.key("batch", batch), "cancelled", 1)


@pytest.mark.parametrize("kind", ["task_failed", "task_lost"])
def test_a_batch_cancelled_while_it_is_fed_leaves_failed_jobs_of_others_alone(
    heart: Heart, kind: str
) -> None:
    heart.admit("a", ["x"], seal=True)
    job = heart.submitted()
    assert heart.ledger.run(steps.fail(job.request_id, failure(kind=kind)))
    heart.admit("b", [])
    cancelled(heart, "b")
    assert heart.ledger.admit(B, [row(1, "x"), row(2, "x")]).queued == ()
    heart.ledger.seal(B)
    assert heart.counts("b") == {"cancelled": 2}
    assert heart.ledger.status(B).complete
    assert heart.ledger.left_rows(B) == {1: "cancelled", 2: "cancelled"}
    assert heart.counts("a") == {"failed": 1}
    left = heart.job(rid("x"))
    assert left.failure is not None
    assert (left.failure.kind, left.task_id) == (kind, job.task_id)


def test_a_batch_cancelled_while_it_is_fed_takes_nothing_into_the_line(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.admit("b", [])
    cancelled(heart, "b")
    assert heart.ledger.admit(B, [row(1, "x"), row(2, "y")]).queued == ()
    assert heart.counts("b") == {"cancelled": 2}
    assert heart.state(rid("y")) is JobState.CANCELLED, "it is known, so that a retry finds it"
    assert heart.counts("a") == {"queued": 1}
    assert heart.granted().request_id == rid("x")
    assert heart.ask().kind == "empty"


def test_a_cancelled_batch_that_is_fed_again_takes_all_of_it(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.admit("b", [])
    cancelled(heart, "b")
    heart.ledger.admit(B, [row(1, "x"), row(2, "x"), row(3, "y")])
    heart.admit("b", ["x", "x", "y"])
    assert heart.counts("b") == {"queued": 2, "cancelled": 1}
    assert heart.ledger.run(steps.reopen(rid("y"), JobState.CANCELLED, "b")), "as every run does"
    assert heart.counts("b") == {"queued": 3}
    assert heart.ledger.status(B).duplicate == 1
    assert heart.ledger.left_rows(B) == {}


def test_a_batch_cancelled_while_it_is_fed_is_not_taken_up_by_the_end_of_that_run(
    heart: Heart, queue: Queue
) -> None:
    heart.admit("a", ["x", "y"], seal=True)
    heart.failed(retryable=True)
    control.cancel(heart.ledger, queue, A)
    assert control.retry_failed(heart.ledger, queue, A) == 0
    assert heart.counts("a") == {"failed": 1, "cancelled": 1}


def test_a_step_that_cancels_may_be_sent_twice(heart: Heart) -> None:
    heart.admit("a", ["x"])
    call = steps.cancel("a", rid("x"))
    assert heart.ledger.run(call)
    assert heart.ledger.run(call), "its first reply was lost"
    assert not heart.ledger.run(steps.cancel("a", rid("x")))


def test_a_batch_that_is_opened_twice_by_one_call_is_new(heart: Heart) -> None:
    heart.admit("b", [])
    assert heart.ledger.open_batch(A)
    assert not heart.ledger.open_batch(A)


# -- signed addresses ----------------------------------------------------------------------------------------


def signed(signature: str, expires: int = 1_900_000_000) -> str:
    return f"https://shop.example/x.jpg?w=800&Expires={expires}&Signature={signature}"


def planned(number: int, url: str, now: float = 1_800_000_000) -> Admission:
    inputs = {"person": url, "dress": "https://shop.example/d.jpg"}
    asked = Row(number=number, line=number + 1, sku="", inputs=inputs, fields=inputs)
    found = Planner(lambda text: Url(url=text), clock=lambda: now).plan(asked)
    assert isinstance(found, Planned)
    return admission(found)


def pair_of(url: str) -> Pair:
    return Pair(person=Url(url=url), dress=Url(url="https://shop.example/d.jpg"))


def admit(heart: Heart, batch: str, *rows: Admission) -> tuple[RequestId, ...]:
    heart.ledger.open_batch(BatchId(batch))
    return heart.ledger.admit(BatchId(batch), rows).queued


def test_a_pair_signed_anew_is_not_bought_again(heart: Heart) -> None:
    assert len(admit(heart, "a", planned(1, signed("one")))) == 1
    heart.succeeded()
    assert admit(heart, "b", planned(1, signed("two"))) == ()
    assert heart.counts("b") == {"succeeded": 1}


def test_what_was_bought_under_the_whole_address_is_found_under_it(heart: Heart) -> None:
    old = former_request_id(pair_of(signed("one")))
    new = request_id(pair_of(signed("one")))
    assert old != new
    text = encode({"line": 2, "sku": "", "fields": {}, "job": old})
    before = Admission(number=1, request_id=old, row=text, pair=encode_pair(pair_of(signed("one"))))
    assert admit(heart, "a", before) == (old,)
    heart.succeeded()
    assert heart.ledger.fates(A, [planned(1, signed("one"))]) == [RowFate.REUSED]
    assert admit(heart, "a", planned(1, signed("one"))) == (), "the same manifest, a newer version"
    assert heart.counts("a") == {"succeeded": 1}
    assert admit(heart, "b", planned(1, signed("two")), planned(2, signed("one"))) == (), "remembered"
    assert {row.job for row in heart.ledger.rows_at(B, [1, 2]).values()} == {old}
    assert heart.counts("b") == {"succeeded": 2}
    assert heart.raw(new) == {}


def test_a_waiting_job_takes_the_newest_address(heart: Heart) -> None:
    (queued,) = admit(heart, "a", planned(1, signed("one")))
    admit(heart, "b", planned(1, signed("two")))
    assert heart.job(queued).pair == pair_of(signed("two"))
    heart.failed(retryable=True)
    admit(heart, "c", planned(1, signed("three")))
    assert heart.job(queued).pair == pair_of(signed("three"))
    heart.granted()
    admit(heart, "d", planned(1, signed("four")))
    assert heart.job(queued).pair == pair_of(signed("three")), "it is being sent"


def test_an_address_that_has_ended_is_refused_when_it_must_be_sent(heart: Heart) -> None:
    late = planned(1, signed("one"), now=1_900_000_001)
    assert heart.ledger.fates(A, [late]) == [RowFate.INVALID]
    heart.ledger.open_batch(A)
    admitted = heart.ledger.admit(A, [late])
    assert (admitted.queued, admitted.unsendable) == ((), {1})
    bad = heart.ledger.rows_at(A, [1])[1].bad
    assert bad == BadCell(
        column="person", why="the address ended at 2030-03-17 17:46 UTC; ask the shop system for a new one"
    )
    assert heart.counts("a") == {"invalid": 1}
    assert admit(heart, "a", planned(1, signed("one"))) != (), "its clock was wrong"


def test_an_address_that_has_ended_harms_nothing_that_is_bought(heart: Heart) -> None:
    admit(heart, "a", planned(1, signed("one")))
    heart.succeeded()
    late = planned(1, signed("one"), now=1_900_000_001)
    assert heart.ledger.fates(A, [late]) == [RowFate.REUSED]
    admit(heart, "a", late)
    assert heart.counts("a") == {"succeeded": 1}


def test_a_job_that_waits_with_an_address_that_has_ended_is_not_sent(heart: Heart) -> None:
    (queued,) = admit(heart, "a", planned(1, signed("one")))
    admit(heart, "a", planned(1, signed("one"), now=1_900_000_001))
    assert heart.counts("a") == {"invalid": 1}
    assert heart.state(queued) is JobState.CANCELLED


def test_a_job_that_waits_with_a_newer_address_goes_on(heart: Heart) -> None:
    admit(heart, "a", planned(1, signed("one")))
    admit(heart, "b", planned(1, signed("two", 1_999_999_999)))
    late = planned(1, signed("one"), now=1_900_000_001)
    assert heart.ledger.fates(A, [late]) == [RowFate.WAITING]
    admit(heart, "a", late)
    assert heart.counts("a") == {"queued": 1}
    permit = heart.granted()
    assert heart.job(permit.request_id).pair == pair_of(signed("two", 1_999_999_999))


def test_a_column_named_job_does_not_lead_the_ledger_astray(heart: Heart) -> None:
    inputs = {"person": signed("one"), "dress": "https://shop.example/d.jpg"}
    fields = {"job": "0", **inputs}
    asked = Row(number=1, line=2, sku="", inputs=inputs, fields=fields)
    found = Planner(lambda text: Url(url=text), clock=lambda: 0).plan(asked)
    assert isinstance(found, Planned)
    text = admission(found).row
    assert json.loads(text)["fields"]["job"] == "0"
    (queued,) = admit(heart, "a", admission(found))
    assert admit(heart, "a", admission(found)) == ()
    assert heart.ledger.rows_at(A, [1])[1].job == queued
