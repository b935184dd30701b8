"""What a person has found out about an unknown job: bought, not bought, or left; each once, and nothing is bought twice."""

from typing import Any

import pytest

from jobs.ledger import steps
from jobs.ledger.codec import job_fields
from jobs.ledger.orders import Money, Order, find_orders
from jobs.ledger.recovery import Brought, Finding, bring_in
from jobs.records import BatchId, JobState, SettledAs, Settlement, TaskId
from tests.driver import Driver, failure, picture, rid, row

A = BatchId("a")
X = rid("x")


@pytest.fixture
def held(driver: Driver) -> Driver:
    """A batch of two pairs, of which the first may have been bought."""
    driver.admit("a", ["x", "y"], seal=True)
    driver.unknown()
    return driver


def settle(
    driver: Driver, outcome: SettledAs, task: str = "", name: str = "x", **how: Any
) -> steps.SettleReply:
    return driver.ledger.run(steps.settle(rid(name), "a", outcome, by="ann", task_id=task, **how))


def orders(driver: Driver, batch: str = "a") -> list[Order]:
    found = sorted(find_orders(driver.ledger, BatchId(batch)).orders, key=lambda one: one.posted_ms or 0)
    status = driver.ledger.status(BatchId(batch))
    sure, perhaps = (sum(one.money is money for one in found) for money in (Money.FOR_SURE, Money.PERHAPS))
    assert (sure, perhaps) == (status.charged_for_sure, status.perhaps_charged), "lines and counters agree"
    return found


def test_what_was_bought_is_asked_for_by_its_task_and_nothing_is_bought(held: Driver) -> None:
    posted_ms = held.job(X).posted_ms
    reply = settle(held, "bought", "found")
    assert (reply.kind, reply.state) == ("settled", JobState.SUBMITTED)
    job = held.job(X)
    assert (job.state, job.task_id, job.failure) == (JobState.SUBMITTED, "found", None)
    assert X in held.members("due")
    assert not job.hinted, "callbacks are relied on no more than before"
    assert held.members("unknown") == {}
    assert held.line("a") == [rid("y")]
    (order,) = orders(held)
    assert (order.money, order.task_id, order.posted_ms) == (Money.FOR_SURE, "found", posted_ms)
    (one,) = job.settled
    assert (one.outcome, one.task_id, one.by, one.posted_ms) == ("bought", "found", "ann", posted_ms)
    assert one.at_ms > 0
    assert held.ledger.run(steps.ended(X, TaskId("found"), ["u"], "poll", None)), (
        "it is collected like any other"
    )


def test_what_was_not_bought_waits_again_and_its_budgets_get_it_back(held: Driver) -> None:
    assert held.spent_on() == 1
    assert settle(held, "not_bought").state is JobState.QUEUED
    assert held.line("a")[0] == X
    assert (held.spent("a"), held.spent_on(), held.members("leases")) == (0, 0, {})
    status = held.ledger.status(A)
    assert (status.ordered, status.refunded, status.completed_ms) == (0, 1, None)
    (order,) = orders(held)
    assert (order.money, order.batch, order.rows) == (Money.REFUNDED, "a", (1,))
    assert held.granted().request_id == X


def test_what_is_left_stays_and_is_never_sent_again_by_the_policy(held: Driver) -> None:
    entries = held.ledger.outbox(A, "0")
    assert settle(held, "leave").state is JobState.UNKNOWN
    assert held.counts("a") == {"unknown": 1, "queued": 1}
    assert len(held.ledger.outbox(A, "0")) == len(entries) + 1, "the files hear who has said it"
    assert held.ledger.run(steps.reconcile(policy="resubmit", quiet_s=0)).resubmitted == ()
    assert held.spent("a") == 1


@pytest.mark.parametrize(("outcome", "task"), [("bought", "t"), ("not_bought", ""), ("leave", "")])
def test_the_same_word_twice_is_one_word(held: Driver, outcome: SettledAs, task: str) -> None:
    posted_ms = held.job(X).posted_ms
    settle(held, outcome, task)
    before = held.snapshot()
    assert settle(held, outcome, task).kind == "known"
    assert settle(held, outcome, task, posted_ms=posted_ms).kind == "known"
    assert settle(held, outcome, task, force=True).kind == "known"
    assert held.snapshot() == before


def test_a_table_that_is_read_once_more_says_nothing_of_a_later_post(held: Driver) -> None:
    first_ms = held.job(X).posted_ms
    settle(held, "not_bought", posted_ms=first_ms)
    while held.unknown().request_id != X:
        pass
    held.ledger.client.hset(held.ledger.key("job", X), "begun_ms", (first_ms or 0) + 5)
    before = held.snapshot()
    assert settle(held, "not_bought", posted_ms=first_ms).kind == "known"
    assert settle(held, "bought", "t", posted_ms=first_ms).kind == "differs"
    assert settle(held, "bought", "t", posted_ms=first_ms, force=True).kind == "moved"
    assert settle(held, "leave", posted_ms=(first_ms or 0) + 1).kind == "post"
    assert held.snapshot() == before
    assert settle(held, "not_bought").kind == "settled", "a person speaks of the last one"


def test_another_word_needs_force_and_takes_the_first_back(held: Driver) -> None:
    settle(held, "bought", "wrong")
    reply = settle(held, "bought", "right")
    assert reply.kind == "differs"
    assert reply.former is not None
    assert (reply.former.task_id, reply.former.by) == ("wrong", "ann")
    assert settle(held, "bought", "right", force=True).kind == "settled"
    job = held.job(X)
    assert (job.task_id, job.attempts, job.past_task_ids) == ("right", 1, ())
    assert [one.task_id for one in job.settled] == ["wrong", "right"]
    (order,) = orders(held)
    assert (order.task_id, held.spent("a")) == ("right", 1)
    held.submitting()
    held.ledger.run(steps.hold(rid("y"), held.raw(rid("y"))["claim"], failure()))
    assert settle(held, "bought", "wrong", name="y").kind == "settled", (
        "the id is free for the job whose it is"
    )


def test_bought_may_become_not_bought_and_the_other_way_round(held: Driver) -> None:
    posted_ms = held.job(X).posted_ms
    settle(held, "bought", "wrong")
    assert settle(held, "not_bought", force=True).state is JobState.QUEUED
    assert (held.spent("a"), held.spent_on()) == (0, 0)
    assert {each.money for each in orders(held)} == {Money.REFUNDED}
    assert settle(held, "bought", "right", force=True).state is JobState.SUBMITTED
    assert (held.spent("a"), held.spent_on(), held.ledger.status(A).refunded) == (1, 1, 0)
    (order,) = orders(held)
    assert (order.money, order.task_id, order.posted_ms) == (Money.FOR_SURE, "right", posted_ms)
    assert held.granted().request_id == rid("y"), "the place in the line is nobody's"


def test_a_wrong_word_is_taken_back_though_that_task_has_brought_a_picture(held: Driver) -> None:
    settle(held, "bought", "wrong")
    assert held.ledger.run(steps.ended(X, TaskId("wrong"), ["u"], "poll", None))
    assert held.ledger.run(steps.succeed(X, [picture()], None))
    assert (held.spent("a"), held.spent_on()) == (1, 1)
    assert settle(held, "not_bought", force=True).state is JobState.QUEUED
    assert (held.spent("a"), held.spent_on()) == (0, 0), "the day's budget has it back too"
    assert held.granted().request_id == X


def test_what_has_been_sent_again_cannot_be_taken_back(held: Driver) -> None:
    settle(held, "not_bought")
    assert held.submitting().request_id == X
    before = held.snapshot()
    assert settle(held, "bought", "t", force=True).kind == "moved"
    assert held.snapshot() == before


@pytest.mark.parametrize("force", [False, True])
def test_a_task_of_another_job_and_a_row_that_is_not_unknown_are_refused(
    held: Driver, *, force: bool
) -> None:
    held.submitted(task="theirs")
    before = held.snapshot()
    reply = settle(held, "bought", "theirs", force=force)
    assert (reply.kind, reply.owner) == ("taken", rid("y"))
    assert settle(held, "not_bought", name="y", force=force) == steps.SettleReply(
        kind="state", state=JobState.SUBMITTED
    )
    assert settle(held, "leave", name="z", force=force).kind == "none"
    assert held.ledger.run(steps.settle(X, "b", "leave", by="ann", force=force)).kind == "none"
    assert held.snapshot() == before


def test_a_word_may_follow_leave_without_force(held: Driver) -> None:
    settle(held, "leave")
    assert settle(held, "bought", "t").kind == "settled"
    assert [one.outcome for one in held.job(X).settled] == ["leave", "bought"]


def test_one_task_of_two_jobs_is_settled_for_the_one_whose_it_is(driver: Driver) -> None:
    driver.admit("a", ["x", "y"], seal=True)
    driver.submitted(task="t")
    permit = driver.submitting()
    driver.ledger.run(steps.accept(rid("y"), permit.claim, TaskId("t"), [], first_poll_ms=1))
    assert driver.counts("a") == {"unknown": 2}
    assert settle(driver, "bought", "t", name="y").kind == "taken"
    assert settle(driver, "bought", "t").kind == "settled"
    assert (driver.job(X).state, driver.job(X).task_id) == (JobState.SUBMITTED, "t")
    assert settle(driver, "not_bought", name="y").kind == "settled"
    assert [each.money for each in orders(driver)] == [Money.FOR_SURE, Money.REFUNDED]


def test_a_settled_row_of_a_cancelled_batch_is_cancelled_and_bought_by_nobody(held: Driver) -> None:
    held.ledger.client.hset(held.ledger.key("batch", "a"), "cancelled", 1)
    assert settle(held, "not_bought").state is JobState.CANCELLED
    assert held.ask().kind == "empty"


# -- orders --------------------------------------------------------------------------------------------------


def test_an_order_that_was_sent_again_by_a_person_stays_on_the_bill(held: Driver) -> None:
    first_ms = held.job(X).posted_ms
    held.ledger.run(steps.reopen(X, JobState.UNKNOWN, "a"))
    while held.submitted().request_id != X:
        pass
    found = [one for one in orders(held) if one.request_id == X]
    assert next((one.money, one.posted_ms) for one in found) == (Money.PERHAPS, first_ms)
    assert [one.money for one in found] == [Money.PERHAPS, Money.FOR_SURE]
    assert held.ledger.run(steps.keep_task(X, TaskId("late"), [], ledger_id="")) == "past"
    found = [one for one in orders(held) if one.request_id == X]
    assert next((one.money, one.task_id) for one in found) == (Money.FOR_SURE, "late")


def test_a_task_that_comes_late_is_that_of_the_order_that_was_given_up(held: Driver) -> None:
    first_ms = held.job(X).posted_ms
    held.ledger.run(steps.reopen(X, JobState.UNKNOWN, "a"))
    held.ledger.run(steps.hint(X, "late"))
    (order,) = orders(held)
    assert (order.money, order.task_id, order.posted_ms) == (Money.FOR_SURE, "late", first_ms)
    assert held.spent("a") == 1


def test_every_task_of_a_job_that_hidream_failed_is_on_the_bill(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    for n in range(3):
        driver.submitted(task=f"t{n}")
        driver.ledger.run(steps.again(X, TaskId(f"t{n}"), 0))
        driver.ledger.client.zadd(driver.ledger.key("retry"), {X: 0})
        driver.ledger.run(steps.reconcile(policy="hold", quiet_s=1))
    assert [one.task_id for one in orders(driver)] == ["t0", "t1", "t2"]
    assert all(one.posted_ms for one in orders(driver))


def test_an_order_of_a_job_that_the_row_has_left_is_still_its_batchs(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.submitted(task="t")
    driver.admit("a", ["y"], seal=True)
    (order,) = orders(driver)
    assert (order.request_id, order.batch, order.rows) == (X, "a", ())


def test_a_refusal_is_on_the_bill_as_refunded(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    permit = driver.submitting()
    driver.ledger.run(steps.refuse(X, permit.claim, failure(), answered=True))
    (order,) = orders(driver)
    assert (order.money, order.batch, order.task_id) == (Money.REFUNDED, "a", None)


def test_what_an_earlier_version_has_forgotten_is_said_to_be_unknown(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.submitted(task="t")
    driver.ledger.client.hset(driver.ledger.key("job", X), "past", "older")
    driver.ledger.client.hincrby(driver.ledger.key("batch", "a"), "spent", 1)
    driver.ledger.client.hincrby(driver.ledger.key("batch", "a"), "charged", 1)
    older = next(one for one in orders(driver) if one.task_id == "older")
    assert (older.money, older.posted_ms, older.batch) == (Money.FOR_SURE, None, None)


def totals(driver: Driver) -> tuple[int, int, int, int]:
    """Orders, those charged for sure, refunds; and what the day's budget counts."""
    status = driver.ledger.status(A)
    return status.ordered, status.charged_for_sure, status.refunded, driver.spent_on()


def test_a_post_that_was_bought_after_all_is_an_order_and_no_refund(held: Driver) -> None:
    posted_ms = held.job(X).posted_ms
    settle(held, "not_bought")
    assert totals(held) == (0, 0, 1, 0)
    held.ledger.run(steps.hint(X, "late"))
    assert held.job(X).task_id == "late"
    assert totals(held) == (1, 1, 0, 1)
    (order,) = orders(held)
    assert (order.money, order.task_id, order.posted_ms, order.batch) == (
        Money.FOR_SURE,
        "late",
        posted_ms,
        "a",
    )
    before = held.snapshot()
    held.ledger.run(steps.hint(X, "late"))
    held.ledger.run(steps.hint(X, "later"))
    assert totals(held) == (1, 1, 0, 1)
    assert held.snapshot()["batch:a"] == before["batch:a"]
    held.ledger.run(steps.again(X, TaskId("late"), 0))
    held.ledger.client.zadd(held.ledger.key("retry"), {X: 0})
    held.ledger.run(steps.reconcile(policy="hold", quiet_s=1))
    while held.submitted(task=None).request_id != X:
        pass
    found = [one for one in orders(held) if one.request_id == X]
    assert [one.money for one in found] == [Money.FOR_SURE, Money.FOR_SURE]
    assert held.ledger.status(A).refunded == 0


@pytest.mark.parametrize("granted", [True, False], ids=["with a permit out", "sent again"])
def test_it_is_an_order_too_when_it_is_named_while_the_pair_is_sent_again(
    held: Driver, *, granted: bool
) -> None:
    posted_ms = held.job(X).posted_ms
    settle(held, "not_bought")
    permit = held.granted()
    assert permit.request_id == X
    if granted:
        held.ledger.run(steps.hint(X, "late"))
        assert held.begin(X, permit.claim) == "fenced"
        (order,) = orders(held)
        assert (order.task_id, order.posted_ms) == ("late", posted_ms)
        assert totals(held) == (1, 1, 0, 1)
        return
    assert held.begin(X, permit.claim) == "go"
    held.ledger.client.hset(held.ledger.key("job", X), "begun_ms", (posted_ms or 0) + 5)
    held.ledger.run(steps.hint(X, "late"))
    assert held.ledger.run(steps.accept(X, permit.claim, TaskId("second"), [], first_poll_ms=1)).recorded
    assert [(one.money, one.task_id, one.posted_ms) for one in orders(held)] == [
        (Money.FOR_SURE, "late", posted_ms),
        (Money.FOR_SURE, "second", (posted_ms or 0) + 5),
    ]
    assert totals(held) == (2, 2, 0, 2)


def test_an_answer_on_disk_that_comes_after_a_persons_word_is_counted_once(held: Driver) -> None:
    settle(held, "not_bought")
    permit = held.submitting()
    held.ledger.client.hincrby(held.ledger.key("job", X), "begun_ms", 5)
    held.ledger.run(steps.accept(X, permit.claim, TaskId("second"), [], first_poll_ms=1))
    for _ in range(2):
        assert held.ledger.run(steps.keep_task(X, TaskId("late"), [], ledger_id="")) == "past"
    assert [one.task_id for one in orders(held)] == ["late", "second"]
    assert totals(held) == (2, 2, 0, 2)


def test_a_refused_post_whose_task_a_callback_names_is_an_order_and_no_refund(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    permit = driver.submitting()
    driver.ledger.run(steps.refuse(X, permit.claim, failure(), answered=True))
    assert totals(driver) == (0, 0, 1, 0)
    driver.ledger.run(steps.hint(X, "late"))
    (order,) = orders(driver)
    assert (order.money, order.task_id) == (Money.FOR_SURE, "late")
    assert totals(driver) == (1, 1, 0, 1)


def test_a_pair_that_was_never_sent_is_no_refund_when_a_task_is_named_for_it(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.ledger.run(steps.hint(X, "stray"))
    assert totals(driver) == (1, 1, 0, 1)


# -- what a results file brings into a ledger that is older -----------------------------------------------------


def test_a_recovered_task_is_the_order_that_the_older_ledger_has_counted(held: Driver) -> None:
    said = Settlement(outcome="bought", task_id=TaskId("t"), posted_ms=5, by="ann", at_ms=6)
    fields = job_fields(posted_ms=5, settled=(said,))
    finding = Finding(
        request_id=X, state=JobState.SUBMITTED, task_id=TaskId("t"), pair=row(1, "x").pair, fields=fields
    )
    assert held.ledger.run(bring_in(finding)) is Brought.IN
    (order,) = orders(held)
    assert (order.money, order.task_id, order.posted_ms, order.batch) == (Money.FOR_SURE, "t", 5, "a")
    assert held.job(X).settled == (said,)
    assert held.spent("a") == 1


def test_an_order_that_no_batch_of_this_ledger_has_counted_is_on_the_bill_of_those_that_want_it(
    driver: Driver,
) -> None:
    finding = Finding(
        request_id=X,
        state=JobState.UNKNOWN,
        task_id=None,
        pair=row(1, "x").pair,
        fields=job_fields(posted_ms=5),
    )
    assert driver.ledger.run(bring_in(finding)) is Brought.IN
    driver.admit("a", ["x"], seal=True)
    (order,) = find_orders(driver.ledger, A).orders
    assert (order.money, order.posted_ms, order.batch, order.rows) == (Money.PERHAPS, 5, None, (1,))
    assert settle(driver, "not_bought").kind == "settled", "and may be settled like any other"
    assert driver.spent("a") == 0
    assert driver.granted().request_id == X
