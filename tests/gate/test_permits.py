"""Who gets a permit, whose turn it is, and what it costs."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from jobs.config.settings import LimitSettings
from jobs.errors import LedgerLostError
from jobs.ledger import Ledger, steps
from jobs.records import BatchId, JobState, TaskId
from tests.heart import Heart, failure, rid
from tests.on_loop import gate_of

ENOUGH = LimitSettings(in_flight=100, images_per_minute=1e6)


def gate(ledger: Ledger, **limits: float) -> Any:
    return gate_of(ledger, ENOUGH.model_copy(update=limits), submit_timeout_s=60)


@pytest.fixture
def names() -> Iterator[str]:
    return (f"p{number}" for number in count())


def test_an_empty_ledger_has_nothing_to_submit(ledger: Ledger, heart: Heart) -> None:
    assert gate(ledger).acquire() is None
    heart.admit("a", [None], seal=True)
    assert gate(ledger).acquire() is None


def test_a_permit_brings_the_job_with_it(ledger: Ledger, heart: Heart) -> None:
    heart.admit("a", ["x"])
    permit = gate(ledger).acquire()
    assert permit is not None
    assert (permit.request_id, permit.job.pair.person.url) == (rid("x"), "https://shop.example/x.jpg")
    assert permit.latency is None
    assert not permit.probe
    assert permit.go_ms >= permit.now_ms


def test_the_jobs_of_one_batch_go_in_the_order_of_its_rows(heart: Heart) -> None:
    heart.admit("a", list("tsrqp"))
    assert [heart.granted().request_id for _ in range(5)] == [rid(name) for name in "tsrqp"]


def test_two_batches_take_turns_whatever_their_size(heart: Heart) -> None:
    heart.admit("big", [f"b{number}" for number in range(20)])
    heart.admit("small", [f"s{number}" for number in range(3)])
    paid = [heart.raw(heart.granted().request_id)["paid_batch"] for _ in range(8)]
    assert paid == ["big", "small", "big", "small", "big", "small", "big", "big"]


def test_a_batch_that_comes_back_waits_for_its_turn(heart: Heart) -> None:
    for batch in "abc":
        heart.admit(batch, [f"{batch}{number}" for number in range(4)])
    paid = [heart.raw(heart.granted().request_id)["paid_batch"] for _ in range(9)]
    assert paid == list("abcabcabc")


def test_the_same_permit_is_given_when_its_reply_was_lost(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    first = heart.ask("token", interval_us=50_000)
    before = heart.snapshot()
    again = heart.ask("token", interval_us=50_000)
    assert (again.request_id, again.claim, again.go_ms) == (first.request_id, first.claim, first.go_ms)
    assert heart.snapshot() == before
    assert heart.ask("other").request_id == rid("y")


def test_a_job_somebody_holds_is_given_to_nobody_else(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.granted()
    heart.ledger.client.rpush(heart.ledger.key("queued", "a"), rid("x"))
    heart.ledger.client.rpush(heart.ledger.key("ring"), "a")
    assert heart.ask().kind == "empty"


def test_what_ended_meanwhile_is_passed_over(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    heart.ledger.run(steps.cancel("a", rid("x")))
    assert heart.granted().request_id == rid("y")
    assert heart.ask().kind == "empty"


# -- parallel tasks ------------------------------------------------------------------------------------------


def test_no_more_permits_than_parallel_tasks(heart: Heart) -> None:
    heart.admit("a", ["x", "y", "z"])
    for _ in range(2):
        heart.granted(in_flight=2)
    answer = heart.ask(in_flight=2)
    assert (answer.kind, answer.reason) == ("wait", "slots")
    assert 0 < answer.wait_ms <= steps.LEASE_MS + 1


def test_a_slot_is_held_from_the_permit_to_the_end_of_the_task(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    job = heart.submitted(in_flight=1)
    assert heart.ask(in_flight=1).reason == "slots"
    assert heart.ledger.run(steps.ended(job.request_id, job.task_id, ["u"], "poll", 1_000))
    assert heart.granted(in_flight=1).request_id == rid("y")


def test_a_slot_whose_holder_died_is_free_when_its_lease_runs_out(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    heart.granted(in_flight=1)
    heart.score("leases", rid("x"), 1)
    assert heart.granted(in_flight=1).request_id == rid("y")


def test_a_task_that_nobody_asks_about_keeps_its_slot(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    heart.submitted(task="t", in_flight=1)
    heart.score("leases", rid("x"), 1)
    assert heart.ask(in_flight=1).reason == "slots", "it still runs at HiDream"
    heart.ledger.run(steps.ended(rid("x"), TaskId("t"), ["u"], "poll", None))
    assert heart.granted(in_flight=1).request_id == rid("y")


def test_a_post_keeps_its_slot_until_the_reconciler_says_that_it_is_over(heart: Heart) -> None:
    """Its lease may only seem to be over: Redis' clock has jumped."""
    heart.admit("a", ["x", "y"])
    heart.submitting(in_flight=1)
    heart.score("leases", rid("x"), 1)
    assert heart.ask(in_flight=1).reason == "slots"
    heart.score("posting", rid("x"), 1)
    assert heart.ledger.run(steps.reconcile(policy="hold", quiet_s=1)).unknown == (rid("x"),)
    assert heart.ask(in_flight=1).reason == "slots", "its task may be running"
    heart.score("leases", rid("x"), 1)
    assert heart.granted(in_flight=1).request_id == rid("y")


def test_a_permit_whose_lease_ran_out_is_not_used(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    late = heart.granted(in_flight=1)
    heart.score("leases", rid("x"), 1)
    heart.granted(in_flight=1)
    assert heart.begin(late.request_id, late.claim) == "closed"
    assert len(heart.members("leases")) == 1


# -- budgets -------------------------------------------------------------------------------------------------


def test_a_batch_buys_exactly_its_budget(heart: Heart) -> None:
    heart.admit("a", [f"a{number}" for number in range(5)])
    heart.admit("b", ["b0"])
    paid = []
    while (answer := heart.ask(batch_budget=3)).kind == "granted":
        paid.append(heart.raw(answer.request_id)["paid_batch"])
    assert sorted(paid) == ["a", "a", "a", "b"]
    assert (answer.reason, answer.detail) == ("budget", "batch")
    assert (heart.spent("a"), heart.spent("b")) == (3, 1)


def test_a_day_buys_exactly_its_budget_over_all_batches(heart: Heart) -> None:
    heart.admit("a", ["a0", "a1"])
    heart.admit("b", ["b0", "b1"])
    heart.time_is("2096-02-28T23:00:00+00:00")
    for _ in range(3):
        heart.granted(day_budget=3)
    answer = heart.ask(day_budget=3)
    assert (answer.reason, answer.detail) == ("budget", "day")
    assert heart.spent_on("2096-02-28") == 3
    heart.time_is("2096-02-29T00:00:00.5+00:00")
    heart.granted(day_budget=3)
    assert (heart.spent_on("2096-02-28"), heart.spent_on("2096-02-29")) == (3, 1)


@pytest.mark.parametrize(
    "day",
    [
        *("2027-01-01", "2027-12-31", "2028-02-29", "2028-03-01", "2096-02-29", "2100-02-28", "2100-03-01"),
        *("2399-12-31", "2400-02-29", "2400-12-31"),
    ],
)
def test_the_day_is_redis_own_in_utc(heart: Heart, day: str) -> None:
    heart.admit("a", ["x", "y"])
    for moment in ("00:00:01", "23:59:50"):
        heart.time_is(f"{day}T{moment}+00:00")
        heart.granted()
    assert heart.spent_on(day) == 2


def test_what_is_spent_today_is_told_by_redis_clock(heart: Heart) -> None:
    heart.admit("a", ["x"])
    assert heart.ledger.spent_today() == 0
    heart.granted()
    assert heart.ledger.spent_today() == 1


def test_the_day_that_is_told_is_that_of_the_gate_when_the_servers_clock_was_set_back(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    heart.time_is("2031-05-01T12:00:00+00:00")
    heart.granted(day_budget=1)
    assert heart.ask(day_budget=1).reason == "budget"
    assert heart.ledger.spent_today() == 1, (
        "else a run would wait for a budget that it does not know to be reached"
    )


def test_what_was_refused_may_be_spent_on_another_job(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    permit = heart.submitting(batch_budget=1, day_budget=1)
    assert heart.ask(batch_budget=1).reason == "budget"
    heart.ledger.run(steps.refuse(permit.request_id, permit.claim, failure(), answered=True))
    assert heart.submitted(batch_budget=1, day_budget=1).request_id == rid("y")
    assert (heart.spent("a"), heart.spent_on()) == (1, 1)


def test_a_refund_goes_to_the_day_that_paid(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.time_is("2096-01-31T23:59:00+00:00")
    permit = heart.submitting()
    heart.time_is("2096-02-01T00:01:00+00:00")
    heart.ledger.run(heart.give_back_call(permit.request_id, permit.claim))
    heart.granted()
    assert (heart.spent_on("2096-01-31"), heart.spent_on("2096-02-01")) == (0, 1)


def test_a_shared_job_is_bought_by_the_batch_that_has_money_left(heart: Heart) -> None:
    heart.admit("a", ["a0", "x"])
    heart.granted(batch_budget=1)
    heart.admit("b", ["x"])
    permit = heart.granted(batch_budget=1)
    assert (permit.request_id, heart.spent("a"), heart.spent("b")) == (rid("x"), 1, 1)


def test_a_batch_that_left_a_job_does_not_pay_for_it(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.admit("b", ["x", "y"])
    heart.granted(batch_budget=1)
    heart.ledger.run(heart.give_back_call(rid("x"), heart.raw(rid("x"))["claim"]))
    heart.ledger.run(steps.cancel("a", rid("x")))
    assert heart.granted(batch_budget=1).request_id in {rid("x"), rid("y")}
    assert heart.ask(batch_budget=1).kind == "wait"
    assert (heart.spent("a"), heart.spent("b")) == (0, 1)


# -- cancelled batches ---------------------------------------------------------------------------------------


def cancelled(heart: Heart, batch: str) -> None:
    heart.ledger.client.hset(heart.ledger.key("batch", batch), "cancelled", 1)


def test_a_cancelled_batch_gets_no_permit_before_its_jobs_are_out_of_the_line(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    cancelled(heart, "a")
    assert heart.ask().kind == "empty"


def test_a_batch_whose_cancelling_was_killed_half_way_runs_again(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    cancelled(heart, "a")
    assert heart.ledger.run(steps.cancel("a", rid("x")))
    assert heart.ask().kind == "empty"
    assert not heart.ledger.open_batch(BatchId("a"))
    assert heart.granted().request_id == rid("y")


def test_a_job_of_batches_that_were_all_cancelled_is_cancelled(heart: Heart) -> None:
    heart.admit("a", ["x"], seal=True)
    heart.admit("b", ["x"], seal=True)
    permit = heart.granted()
    cancelled(heart, "b")
    assert not heart.ledger.run(steps.cancel("b", rid("x"))), "it may be under way"
    heart.ledger.run(heart.give_back_call(rid("x"), permit.claim))
    cancelled(heart, "a")
    assert heart.ledger.run(steps.cancel("a", rid("x")))
    assert heart.state(rid("x")) is JobState.CANCELLED
    assert heart.counts("a") == heart.counts("b") == {"cancelled": 1}
    assert heart.ledger.status(BatchId("a")).complete
    assert heart.ledger.status(BatchId("b")).complete


def test_what_comes_back_to_a_cancelled_batch_is_cancelled(heart: Heart) -> None:
    heart.admit("a", ["x"], seal=True)
    permit = heart.submitting()
    cancelled(heart, "a")
    heart.ledger.run(heart.give_back_call(rid("x"), permit.claim))
    assert heart.state(rid("x")) is JobState.CANCELLED
    assert heart.members("leases") == heart.members("posting") == {}
    assert heart.ledger.status(BatchId("a")).complete


# -- another ledger ------------------------------------------------------------------------------------------


def test_nothing_is_submitted_to_a_ledger_that_was_wiped(ledger: Ledger, heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    door = gate(ledger)
    permit = door.acquire()
    assert permit is not None
    ledger.client.delete(ledger.key("meta"))
    with pytest.raises(LedgerLostError, match="nothing is submitted"):
        door.acquire()
    with pytest.raises(LedgerLostError, match="nothing is submitted"):
        door.begin(permit)


def test_nothing_is_submitted_to_a_new_ledger_in_the_place_of_the_old(ledger: Ledger, heart: Heart) -> None:
    heart.admit("a", ["x"])
    door = gate(ledger)
    permit = door.acquire()
    assert permit is not None
    for key in ledger.client.scan_iter(f"{ledger.prefix}:*"):
        ledger.client.delete(key)
    heart.admit("a", ["x"])
    with pytest.raises(LedgerLostError):
        door.acquire()
    with pytest.raises(LedgerLostError):
        door.begin(permit)
    other = gate(ledger).acquire()
    assert other is not None
    assert heart.begin(other.request_id, other.claim) == "go"


def test_a_job_that_comes_back_to_a_batch_without_budget_is_had_by_another_that_wants_it(
    heart: Heart,
) -> None:
    heart.admit("a", ["x", "y"])
    first = heart.submitted(batch_budget=1)
    heart.admit("b", ["x"])
    assert heart.ledger.run(steps.again(first.request_id, first.task_id or TaskId(""), 0))
    heart.score("retry", first.request_id, 0)
    heart.ledger.run(steps.reconcile(policy="hold", quiet_s=1))
    assert heart.granted(batch_budget=1).request_id == rid("x")
    assert (heart.spent("a"), heart.spent("b")) == (1, 1)
    assert heart.ask(batch_budget=1).reason == "budget"
