"""Who gets a permit, whose turn it is, and what it costs."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from jobs.config.settings import LimitSettings
from jobs.errors import LedgerLostError
from jobs.ledger import Ledger, steps
from jobs.records import BatchId, JobState, TaskId
from tests.driver import Driver, failure, rid
from tests.on_loop import gate_of

ENOUGH = LimitSettings(in_flight=100, images_per_minute=1e6)


def gate(ledger: Ledger, **limits: float) -> Any:
    return gate_of(ledger, ENOUGH.model_copy(update=limits), submit_timeout_s=60)


@pytest.fixture
def names() -> Iterator[str]:
    return (f"p{number}" for number in count())


def test_an_empty_ledger_has_nothing_to_submit(ledger: Ledger, driver: Driver) -> None:
    assert gate(ledger).acquire() is None
    driver.admit("a", [None], seal=True)
    assert gate(ledger).acquire() is None


def test_a_permit_brings_the_job_with_it(ledger: Ledger, driver: Driver) -> None:
    driver.admit("a", ["x"])
    permit = gate(ledger).acquire()
    assert permit is not None
    assert (permit.request_id, permit.job.pair.person.url) == (rid("x"), "https://shop.example/x.jpg")
    assert permit.latency is None
    assert not permit.probe
    assert permit.go_ms >= permit.now_ms


def test_the_jobs_of_one_batch_go_in_the_order_of_its_rows(driver: Driver) -> None:
    driver.admit("a", list("tsrqp"))
    assert [driver.granted().request_id for _ in range(5)] == [rid(name) for name in "tsrqp"]


def test_two_batches_take_turns_whatever_their_size(driver: Driver) -> None:
    driver.admit("big", [f"b{number}" for number in range(20)])
    driver.admit("small", [f"s{number}" for number in range(3)])
    paid = [driver.raw(driver.granted().request_id)["paid_batch"] for _ in range(8)]
    assert paid == ["big", "small", "big", "small", "big", "small", "big", "big"]


def test_a_batch_that_comes_back_waits_for_its_turn(driver: Driver) -> None:
    for batch in "abc":
        driver.admit(batch, [f"{batch}{number}" for number in range(4)])
    paid = [driver.raw(driver.granted().request_id)["paid_batch"] for _ in range(9)]
    assert paid == list("abcabcabc")


def test_the_same_permit_is_given_when_its_reply_was_lost(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    first = driver.ask("token", interval_us=50_000)
    before = driver.snapshot()
    again = driver.ask("token", interval_us=50_000)
    assert (again.request_id, again.claim, again.go_ms) == (first.request_id, first.claim, first.go_ms)
    assert driver.snapshot() == before
    assert driver.ask("other").request_id == rid("y")


def test_a_job_somebody_holds_is_given_to_nobody_else(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.granted()
    driver.ledger.client.rpush(driver.ledger.key("queued", "a"), rid("x"))
    driver.ledger.client.rpush(driver.ledger.key("ring"), "a")
    assert driver.ask().kind == "empty"


def test_what_ended_meanwhile_is_passed_over(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    driver.ledger.run(steps.cancel("a", rid("x")))
    assert driver.granted().request_id == rid("y")
    assert driver.ask().kind == "empty"


# -- parallel tasks ------------------------------------------------------------------------------------------


def test_no_more_permits_than_parallel_tasks(driver: Driver) -> None:
    driver.admit("a", ["x", "y", "z"])
    for _ in range(2):
        driver.granted(in_flight=2)
    answer = driver.ask(in_flight=2)
    assert (answer.kind, answer.reason) == ("wait", "slots")
    assert 0 < answer.wait_ms <= steps.LEASE_MS + 1


def test_a_slot_is_held_from_the_permit_to_the_end_of_the_task(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    job = driver.submitted(in_flight=1)
    assert driver.ask(in_flight=1).reason == "slots"
    assert driver.ledger.run(steps.ended(job.request_id, job.task_id, ["u"], "poll", 1_000))
    assert driver.granted(in_flight=1).request_id == rid("y")


def test_a_slot_whose_holder_died_is_free_when_its_lease_runs_out(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    driver.granted(in_flight=1)
    driver.score("leases", rid("x"), 1)
    assert driver.granted(in_flight=1).request_id == rid("y")


def test_a_task_that_nobody_asks_about_keeps_its_slot(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    driver.submitted(task="t", in_flight=1)
    driver.score("leases", rid("x"), 1)
    assert driver.ask(in_flight=1).reason == "slots", "it still runs at HiDream"
    driver.ledger.run(steps.ended(rid("x"), TaskId("t"), ["u"], "poll", None))
    assert driver.granted(in_flight=1).request_id == rid("y")


def test_a_post_keeps_its_slot_until_the_reconciler_says_that_it_is_over(driver: Driver) -> None:
    """Its lease may only seem to be over: Redis' clock has jumped."""
    driver.admit("a", ["x", "y"])
    driver.submitting(in_flight=1)
    driver.score("leases", rid("x"), 1)
    assert driver.ask(in_flight=1).reason == "slots"
    driver.score("posting", rid("x"), 1)
    assert driver.ledger.run(steps.reconcile(policy="hold", quiet_s=1)).unknown == (rid("x"),)
    assert driver.ask(in_flight=1).reason == "slots", "its task may be running"
    driver.score("leases", rid("x"), 1)
    assert driver.granted(in_flight=1).request_id == rid("y")


def test_a_permit_whose_lease_ran_out_is_not_used(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    late = driver.granted(in_flight=1)
    driver.score("leases", rid("x"), 1)
    driver.granted(in_flight=1)
    assert driver.begin(late.request_id, late.claim) == "closed"
    assert len(driver.members("leases")) == 1


# -- budgets -------------------------------------------------------------------------------------------------


def test_a_batch_buys_exactly_its_budget(driver: Driver) -> None:
    driver.admit("a", [f"a{number}" for number in range(5)])
    driver.admit("b", ["b0"])
    paid = []
    while (answer := driver.ask(batch_budget=3)).kind == "granted":
        paid.append(driver.raw(answer.request_id)["paid_batch"])
    assert sorted(paid) == ["a", "a", "a", "b"]
    assert (answer.reason, answer.detail) == ("budget", "batch")
    assert (driver.spent("a"), driver.spent("b")) == (3, 1)


def test_a_day_buys_exactly_its_budget_over_all_batches(driver: Driver) -> None:
    driver.admit("a", ["a0", "a1"])
    driver.admit("b", ["b0", "b1"])
    driver.time_is("2096-02-28T23:00:00+00:00")
    for _ in range(3):
        driver.granted(day_budget=3)
    answer = driver.ask(day_budget=3)
    assert (answer.reason, answer.detail) == ("budget", "day")
    assert driver.spent_on("2096-02-28") == 3
    driver.time_is("2096-02-29T00:00:00.5+00:00")
    driver.granted(day_budget=3)
    assert (driver.spent_on("2096-02-28"), driver.spent_on("2096-02-29")) == (3, 1)


@pytest.mark.parametrize(
    "day",
    [
        *("2027-01-01", "2027-12-31", "2028-02-29", "2028-03-01", "2096-02-29", "2100-02-28", "2100-03-01"),
        *("2399-12-31", "2400-02-29", "2400-12-31"),
    ],
)
def test_the_day_is_redis_own_in_utc(driver: Driver, day: str) -> None:
    driver.admit("a", ["x", "y"])
    for moment in ("00:00:01", "23:59:50"):
        driver.time_is(f"{day}T{moment}+00:00")
        driver.granted()
    assert driver.spent_on(day) == 2


def test_what_is_spent_today_is_told_by_redis_clock(driver: Driver) -> None:
    driver.admit("a", ["x"])
    assert driver.ledger.spent_today() == 0
    driver.granted()
    assert driver.ledger.spent_today() == 1


def test_the_day_that_is_told_is_that_of_the_gate_when_the_servers_clock_was_set_back(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    driver.time_is("2031-05-01T12:00:00+00:00")
    driver.granted(day_budget=1)
    assert driver.ask(day_budget=1).reason == "budget"
    assert driver.ledger.spent_today() == 1, (
        "else a run would wait for a budget that it does not know to be reached"
    )


def test_what_was_refused_may_be_spent_on_another_job(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    permit = driver.submitting(batch_budget=1, day_budget=1)
    assert driver.ask(batch_budget=1).reason == "budget"
    driver.ledger.run(steps.refuse(permit.request_id, permit.claim, failure(), answered=True))
    assert driver.submitted(batch_budget=1, day_budget=1).request_id == rid("y")
    assert (driver.spent("a"), driver.spent_on()) == (1, 1)


def test_a_refund_goes_to_the_day_that_paid(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.time_is("2096-01-31T23:59:00+00:00")
    permit = driver.submitting()
    driver.time_is("2096-02-01T00:01:00+00:00")
    driver.ledger.run(driver.give_back_call(permit.request_id, permit.claim))
    driver.granted()
    assert (driver.spent_on("2096-01-31"), driver.spent_on("2096-02-01")) == (0, 1)


def test_a_shared_job_is_bought_by_the_batch_that_has_money_left(driver: Driver) -> None:
    driver.admit("a", ["a0", "x"])
    driver.granted(batch_budget=1)
    driver.admit("b", ["x"])
    permit = driver.granted(batch_budget=1)
    assert (permit.request_id, driver.spent("a"), driver.spent("b")) == (rid("x"), 1, 1)


def test_a_batch_that_left_a_job_does_not_pay_for_it(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.admit("b", ["x", "y"])
    driver.granted(batch_budget=1)
    driver.ledger.run(driver.give_back_call(rid("x"), driver.raw(rid("x"))["claim"]))
    driver.ledger.run(steps.cancel("a", rid("x")))
    assert driver.granted(batch_budget=1).request_id in {rid("x"), rid("y")}
    assert driver.ask(batch_budget=1).kind == "wait"
    assert (driver.spent("a"), driver.spent("b")) == (0, 1)


# -- cancelled batches ---------------------------------------------------------------------------------------


def cancelled(driver: Driver, batch: str) -> None:
    driver.ledger.client.hset(driver.ledger.key("batch", batch), "cancelled", 1)


def test_a_cancelled_batch_gets_no_permit_before_its_jobs_are_out_of_the_line(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    cancelled(driver, "a")
    assert driver.ask().kind == "empty"


def test_a_batch_whose_cancelling_was_killed_half_way_runs_again(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    cancelled(driver, "a")
    assert driver.ledger.run(steps.cancel("a", rid("x")))
    assert driver.ask().kind == "empty"
    assert not driver.ledger.open_batch(BatchId("a"))
    assert driver.granted().request_id == rid("y")


def test_a_job_of_batches_that_were_all_cancelled_is_cancelled(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.admit("b", ["x"], seal=True)
    permit = driver.granted()
    cancelled(driver, "b")
    assert not driver.ledger.run(steps.cancel("b", rid("x"))), "it may be under way"
    driver.ledger.run(driver.give_back_call(rid("x"), permit.claim))
    cancelled(driver, "a")
    assert driver.ledger.run(steps.cancel("a", rid("x")))
    assert driver.state(rid("x")) is JobState.CANCELLED
    assert driver.counts("a") == driver.counts("b") == {"cancelled": 1}
    assert driver.ledger.status(BatchId("a")).complete
    assert driver.ledger.status(BatchId("b")).complete


def test_what_comes_back_to_a_cancelled_batch_is_cancelled(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    permit = driver.submitting()
    cancelled(driver, "a")
    driver.ledger.run(driver.give_back_call(rid("x"), permit.claim))
    assert driver.state(rid("x")) is JobState.CANCELLED
    assert driver.members("leases") == driver.members("posting") == {}
    assert driver.ledger.status(BatchId("a")).complete


# -- another ledger ------------------------------------------------------------------------------------------


def test_nothing_is_submitted_to_a_ledger_that_was_wiped(ledger: Ledger, driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    door = gate(ledger)
    permit = door.acquire()
    assert permit is not None
    ledger.client.delete(ledger.key("meta"))
    with pytest.raises(LedgerLostError, match="nothing is submitted"):
        door.acquire()
    with pytest.raises(LedgerLostError, match="nothing is submitted"):
        door.begin(permit)


def test_nothing_is_submitted_to_a_new_ledger_in_the_place_of_the_old(ledger: Ledger, driver: Driver) -> None:
    driver.admit("a", ["x"])
    door = gate(ledger)
    permit = door.acquire()
    assert permit is not None
    for key in ledger.client.scan_iter(f"{ledger.prefix}:*"):
        ledger.client.delete(key)
    driver.admit("a", ["x"])
    with pytest.raises(LedgerLostError):
        door.acquire()
    with pytest.raises(LedgerLostError):
        door.begin(permit)
    other = gate(ledger).acquire()
    assert other is not None
    assert driver.begin(other.request_id, other.claim) == "go"


def test_a_job_that_comes_back_to_a_batch_without_budget_is_had_by_another_that_wants_it(
    driver: Driver,
) -> None:
    driver.admit("a", ["x", "y"])
    first = driver.submitted(batch_budget=1)
    driver.admit("b", ["x"])
    assert driver.ledger.run(steps.again(first.request_id, first.task_id or TaskId(""), 0))
    driver.score("retry", first.request_id, 0)
    driver.ledger.run(steps.reconcile(policy="hold", quiet_s=1))
    assert driver.granted(batch_budget=1).request_id == rid("x")
    assert (driver.spent("a"), driver.spent("b")) == (1, 1)
    assert driver.ask(batch_budget=1).reason == "budget"
