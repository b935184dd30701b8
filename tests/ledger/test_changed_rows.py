"""A manifest that comes again: rows whose pictures were changed, signatures made anew, batches cancelled meanwhile."""

import json

import pytest

from jobs.identity import former_request_id, request_id
from jobs.ledger import Admission, RowFate, steps
from jobs.ledger.codec import decode_pair, encode, encode_pair
from jobs.ledger.records import BadCell
from jobs.producing import control
from jobs.producing.planning import Planned, Planner, admission
from jobs.producing.queue import Queue
from jobs.records import BatchId, JobState, LocalFile, Pair, RequestId, Row, Url
from tests.driver import Driver, failure, rid, row

A, B = BatchId("a"), BatchId("b")


# -- a picture was changed -----------------------------------------------------------------------------------


def test_a_row_whose_picture_was_changed_buys_the_new_one(driver: Driver) -> None:
    driver.admit("a", ["x", "y"], seal=True)
    driver.succeeded()
    driver.succeeded()
    admitted = driver.admit("a", ["new", "y"], seal=True)
    assert (admitted.queued, admitted.changed, admitted.rows) == ((rid("new"),), 1, 0)
    assert driver.counts("a") == {"queued": 1, "succeeded": 1}
    status = driver.ledger.status(A)
    assert (status.rows, status.open, status.completed_ms) == (2, 1, None)
    assert driver.ledger.rows_at(A, [1])[1].job == rid("new")
    assert driver.job(rid("x")).refs == {}
    driver.succeeded()
    assert driver.ledger.status(A).complete
    assert driver.ledger.outbox(A, "0")[-1].request_id == rid("new")


def test_the_former_job_is_not_bought_when_nobody_else_wants_it(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.admit("a", ["new"])
    assert driver.state(rid("x")) is JobState.CANCELLED
    assert driver.granted().request_id == rid("new")
    assert driver.ask().kind == "empty"


def test_the_former_job_stays_in_the_line_of_whoever_else_wants_it(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.admit("b", ["x"])
    driver.admit("a", ["new"])
    assert driver.job(rid("x")).refs == {"b": (1,)}
    assert {driver.granted().request_id, driver.granted().request_id} == {rid("x"), rid("new")}
    assert driver.raw(rid("x"))["paid_batch"] == "b"
    assert (driver.counts("a"), driver.counts("b")) == ({"queued": 1}, {"queued": 1})


def test_of_two_rows_of_a_pair_one_may_be_changed(driver: Driver) -> None:
    driver.admit("a", ["x", "x"])
    driver.admit("a", ["x", "new"])
    assert driver.job(rid("x")).refs == {"a": (1,)}
    assert driver.ledger.status(A).duplicate == 0
    assert driver.counts("a") == {"queued": 2}


def test_rows_that_change_places_buy_nothing(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    assert driver.admit("a", ["y", "x"]).queued == ()
    assert driver.counts("a") == {"queued": 2}
    assert sorted(driver.line("a")) == sorted([rid("x"), rid("y")])


def test_a_row_whose_new_picture_is_bad_becomes_invalid_and_good_again(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.succeeded()
    driver.admit("a", [None], seal=True)
    assert driver.counts("a") == {"invalid": 1}
    assert driver.ledger.status(A).complete
    assert driver.ledger.rows_at(A, [1])[1].bad.why == "no such file"
    assert driver.ledger.outbox(A, "0")[-1].row == 1
    assert driver.admit("a", ["x"], seal=True).queued == ()
    assert driver.counts("a") == {"succeeded": 1}
    assert driver.ledger.status(A).complete


def test_a_bad_row_that_is_bad_for_another_reason_says_so(driver: Driver) -> None:
    driver.admit("a", [None])
    other = row(1, None).row.replace("no such file", "damaged")
    driver.ledger.admit(A, [Admission(number=1, request_id="", row=other, pair="")])
    assert driver.ledger.rows_at(A, [1])[1].bad.why == "damaged"
    assert driver.counts("a") == {"invalid": 1}


def test_a_row_of_a_former_version_keeps_its_job(driver: Driver) -> None:
    driver.admit("a", ["x"])
    text = encode({"job": rid("x"), "line": 2, "sku": "x", "fields": {}})
    again = Admission(number=1, request_id=rid("x"), row=text, pair=row(1, "x").pair)
    assert driver.ledger.admit(A, [again]).changed == 0
    assert driver.job(rid("x")).refs == {"a": (1,)}
    assert driver.counts("a") == {"queued": 1}


# -- a batch is cancelled while it is fed --------------------------------------------------------------------


def cancelled(driver: Driver, batch: str) -> None:
    driver.ledger.client.hset(driver.ledger.key("batch", batch), "cancelled", 1)


@pytest.mark.parametrize("kind", ["task_failed", "task_lost"])
def test_a_batch_cancelled_while_it_is_fed_leaves_failed_jobs_of_others_alone(
    driver: Driver, kind: str
) -> None:
    driver.admit("a", ["x"], seal=True)
    job = driver.submitted()
    assert driver.ledger.run(steps.fail(job.request_id, failure(kind=kind)))
    driver.admit("b", [])
    cancelled(driver, "b")
    assert driver.ledger.admit(B, [row(1, "x"), row(2, "x")]).queued == ()
    driver.ledger.seal(B)
    assert driver.counts("b") == {"cancelled": 2}
    assert driver.ledger.status(B).complete
    assert driver.ledger.left_rows(B) == {1: "cancelled", 2: "cancelled"}
    assert driver.counts("a") == {"failed": 1}
    left = driver.job(rid("x"))
    assert left.failure is not None
    assert (left.failure.kind, left.task_id) == (kind, job.task_id)


def test_a_batch_cancelled_while_it_is_fed_takes_nothing_into_the_line(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.admit("b", [])
    cancelled(driver, "b")
    assert driver.ledger.admit(B, [row(1, "x"), row(2, "y")]).queued == ()
    assert driver.counts("b") == {"cancelled": 2}
    assert driver.state(rid("y")) is JobState.CANCELLED, "it is known, so that a retry finds it"
    assert driver.counts("a") == {"queued": 1}
    assert driver.granted().request_id == rid("x")
    assert driver.ask().kind == "empty"


def test_a_cancelled_batch_that_is_fed_again_takes_all_of_it(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.admit("b", [])
    cancelled(driver, "b")
    driver.ledger.admit(B, [row(1, "x"), row(2, "x"), row(3, "y")])
    driver.admit("b", ["x", "x", "y"])
    assert driver.counts("b") == {"queued": 2, "cancelled": 1}
    assert driver.ledger.run(steps.reopen(rid("y"), JobState.CANCELLED, "b")), "as every run does"
    assert driver.counts("b") == {"queued": 3}
    assert driver.ledger.status(B).duplicate == 1
    assert driver.ledger.left_rows(B) == {}


def test_a_batch_cancelled_while_it_is_fed_is_not_taken_up_by_the_end_of_that_run(
    driver: Driver, queue: Queue
) -> None:
    driver.admit("a", ["x", "y"], seal=True)
    driver.failed(retryable=True)
    control.cancel(driver.ledger, queue, A)
    assert control.retry_failed(driver.ledger, queue, A) == 0
    assert driver.counts("a") == {"failed": 1, "cancelled": 1}


def test_a_step_that_cancels_may_be_sent_twice(driver: Driver) -> None:
    driver.admit("a", ["x"])
    call = steps.cancel("a", rid("x"))
    assert driver.ledger.run(call)
    assert driver.ledger.run(call), "its first reply was lost"
    assert not driver.ledger.run(steps.cancel("a", rid("x")))


def test_a_batch_that_is_opened_twice_by_one_call_is_new(driver: Driver) -> None:
    driver.admit("b", [])
    assert driver.ledger.open_batch(A)
    assert not driver.ledger.open_batch(A)


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


def admit(driver: Driver, batch: str, *rows: Admission) -> tuple[RequestId, ...]:
    driver.ledger.open_batch(BatchId(batch))
    return driver.ledger.admit(BatchId(batch), rows).queued


def test_a_pair_signed_anew_is_not_bought_again(driver: Driver) -> None:
    assert len(admit(driver, "a", planned(1, signed("one")))) == 1
    driver.succeeded()
    assert admit(driver, "b", planned(1, signed("two"))) == ()
    assert driver.counts("b") == {"succeeded": 1}


def test_what_was_bought_under_the_whole_address_is_found_under_it(driver: Driver) -> None:
    old = former_request_id(pair_of(signed("one")))
    new = request_id(pair_of(signed("one")))
    assert old != new
    text = encode({"line": 2, "sku": "", "fields": {}, "job": old})
    before = Admission(number=1, request_id=old, row=text, pair=encode_pair(pair_of(signed("one"))))
    assert admit(driver, "a", before) == (old,)
    driver.succeeded()
    assert driver.ledger.fates(A, [planned(1, signed("one"))]) == [RowFate.REUSED]
    assert admit(driver, "a", planned(1, signed("one"))) == (), "the same manifest, a newer version"
    assert driver.counts("a") == {"succeeded": 1}
    assert admit(driver, "b", planned(1, signed("two")), planned(2, signed("one"))) == (), "remembered"
    assert {row.job for row in driver.ledger.rows_at(B, [1, 2]).values()} == {old}
    assert driver.counts("b") == {"succeeded": 2}
    assert driver.raw(new) == {}


def lying(jpeg: str, dress: str = "https://shop/d.jpg") -> Admission:
    """A row whose photograph lies on its side; with `jpeg` it is sent upright."""
    source = LocalFile(path="/shop/p.jpg", sha256="a" * 64, jpeg=jpeg)
    asked = Row(number=1, line=2, sku="", inputs={"person": "p.jpg", "dress": dress}, fields={})
    row = Planner(lambda text: Url(url=text) if "://" in text else source).plan(asked)
    assert isinstance(row, Planned)
    return admission(row)


@pytest.mark.parametrize("between", [True, False], ids=["the version between ran too", "two versions later"])
def test_what_was_bought_under_the_whole_address_is_not_bought_again_upright(
    driver: Driver, between: bool
) -> None:
    lies, upright = lying("", dress=signed("one")), lying("80x120", dress=signed("one"))
    pair = decode_pair(lies.pair)
    old = former_request_id(pair)
    text = encode({"line": 2, "sku": "", "fields": {}, "job": old})
    admit(driver, "a", Admission(number=1, request_id=old, row=text, pair=lies.pair))
    driver.succeeded()
    if between:
        assert admit(driver, "a", lies) == ()
    assert driver.ledger.fates(B, [upright]) == [RowFate.REUSED]
    assert admit(driver, "b", upright) == ()
    assert driver.counts("b") == {"succeeded": 1}
    assert admit(driver, "b", lying("80x120", dress=signed("two"))) == (), "remembered"


def test_what_was_bought_as_it_lay_there_is_not_bought_again_upright(driver: Driver) -> None:
    (old,) = admit(driver, "a", lying(""))
    driver.succeeded()
    assert driver.ledger.fates(A, [lying("80x120")]) == [RowFate.REUSED]
    assert admit(driver, "a", lying("80x120")) == admit(driver, "b", lying("80x120")) == ()
    assert driver.ledger.rows_at(B, [1])[1].job == old
    assert (driver.counts("a"), driver.counts("b")) == ({"succeeded": 1}, {"succeeded": 1})


def test_a_job_that_waits_as_it_lay_there_is_sent_upright_once(driver: Driver) -> None:
    (old,) = admit(driver, "a", lying(""))
    assert admit(driver, "a", lying("80x120")) == admit(driver, "b", lying("80x120")) == ()
    assert driver.granted().request_id == old
    person = driver.job(old).pair.person
    assert isinstance(person, LocalFile)
    assert person.jpeg == "80x120"
    assert driver.ask().kind == "empty"


def test_what_is_sent_upright_from_the_beginning_has_an_id_of_its_own(driver: Driver) -> None:
    (new,) = admit(driver, "a", lying("80x120"))
    driver.succeeded()
    assert admit(driver, "b", lying("80x120")) == ()
    assert new != lying("").request_id


def test_a_waiting_job_takes_the_newest_address(driver: Driver) -> None:
    (queued,) = admit(driver, "a", planned(1, signed("one")))
    admit(driver, "b", planned(1, signed("two")))
    assert driver.job(queued).pair == pair_of(signed("two"))
    driver.failed(retryable=True)
    admit(driver, "c", planned(1, signed("three")))
    assert driver.job(queued).pair == pair_of(signed("three"))
    driver.granted()
    admit(driver, "d", planned(1, signed("four")))
    assert driver.job(queued).pair == pair_of(signed("three")), "it is being sent"


def test_an_address_that_has_ended_is_refused_when_it_must_be_sent(driver: Driver) -> None:
    late = planned(1, signed("one"), now=1_900_000_001)
    assert driver.ledger.fates(A, [late]) == [RowFate.INVALID]
    driver.ledger.open_batch(A)
    admitted = driver.ledger.admit(A, [late])
    assert (admitted.queued, admitted.unsendable) == ((), {1})
    bad = driver.ledger.rows_at(A, [1])[1].bad
    assert bad == BadCell(
        column="person", why="the address ended at 2030-03-17 17:46 UTC; ask the shop system for a new one"
    )
    assert driver.counts("a") == {"invalid": 1}
    assert admit(driver, "a", planned(1, signed("one"))) != (), "its clock was wrong"


def test_an_address_that_has_ended_harms_nothing_that_is_bought(driver: Driver) -> None:
    admit(driver, "a", planned(1, signed("one")))
    driver.succeeded()
    late = planned(1, signed("one"), now=1_900_000_001)
    assert driver.ledger.fates(A, [late]) == [RowFate.REUSED]
    admit(driver, "a", late)
    assert driver.counts("a") == {"succeeded": 1}


def test_a_job_that_waits_with_an_address_that_has_ended_is_not_sent(driver: Driver) -> None:
    (queued,) = admit(driver, "a", planned(1, signed("one")))
    admit(driver, "a", planned(1, signed("one"), now=1_900_000_001))
    assert driver.counts("a") == {"invalid": 1}
    assert driver.state(queued) is JobState.CANCELLED


def test_a_job_that_waits_with_a_newer_address_goes_on(driver: Driver) -> None:
    admit(driver, "a", planned(1, signed("one")))
    admit(driver, "b", planned(1, signed("two", 1_999_999_999)))
    late = planned(1, signed("one"), now=1_900_000_001)
    assert driver.ledger.fates(A, [late]) == [RowFate.WAITING]
    admit(driver, "a", late)
    assert driver.counts("a") == {"queued": 1}
    permit = driver.granted()
    assert driver.job(permit.request_id).pair == pair_of(signed("two", 1_999_999_999))


def test_a_column_named_job_does_not_lead_the_ledger_astray(driver: Driver) -> None:
    inputs = {"person": signed("one"), "dress": "https://shop.example/d.jpg"}
    fields = {"job": "0", **inputs}
    asked = Row(number=1, line=2, sku="", inputs=inputs, fields=fields)
    found = Planner(lambda text: Url(url=text), clock=lambda: 0).plan(asked)
    assert isinstance(found, Planned)
    text = admission(found).row
    assert json.loads(text)["fields"]["job"] == "0"
    (queued,) = admit(driver, "a", admission(found))
    assert admit(driver, "a", admission(found)) == ()
    assert driver.ledger.rows_at(A, [1])[1].job == queued
