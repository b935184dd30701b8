"""What time alone moves: dead holders, due retries, the unknown policy."""

import pytest

from jobs.ledger import steps
from jobs.ledger.steps import Reconciled
from jobs.records import BatchId, JobState, TaskId
from tests.driver import Driver, failure, rid


def reconcile(driver: Driver, policy: str = "hold", quiet_s: float = 300) -> Reconciled:
    return driver.ledger.run(steps.reconcile(policy=policy, quiet_s=quiet_s))


def test_a_holder_that_died_before_the_intent_sent_nothing(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    permit = driver.granted()
    driver.score("posting", rid("x"), 0)
    found = reconcile(driver)
    assert (found.redriven, found.unknown, found.queued) == ((rid("x"),), (), 2)
    assert driver.line("a") == [rid("x"), rid("y")]
    assert driver.members("leases") == driver.members("posting") == {}
    assert (driver.spent("a"), driver.spent_on()) == (0, 0)
    assert driver.begin(rid("x"), permit.claim) == "fenced"
    assert driver.ledger.client.llen(driver.ledger.key("wakeups")) > 0


@pytest.mark.parametrize(("late_ms", "posting_ms"), [(5_000, 0), (90_000, 23_000)])
def test_found_late_a_holder_may_still_be_sending_and_its_slot_stays_taken_for_that_time_too(
    driver: Driver, late_ms: int, posting_ms: int
) -> None:
    """The clock has jumped: a POST that began a moment ago seems to be over since long."""
    driver.admit("a", ["x"])
    driver.submitting()
    now = driver.ledger.run(steps.take_due(1)).now_ms
    driver.score("posting", rid("x"), now - late_ms)
    driver.ledger.client.hset(driver.ledger.key("job", rid("x")), "begun_ms", now - late_ms - 23_000)
    assert reconcile(driver).unknown == (rid("x"),)
    after = driver.ledger.run(steps.take_due(1)).now_ms
    assert now + 15_000 + posting_ms <= driver.members("leases")[rid("x")] <= after + 15_000 + posting_ms


def test_a_holder_that_died_after_the_intent_may_have_bought(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.submitting()
    driver.score("posting", rid("x"), 0)
    assert reconcile(driver).unknown == (rid("x"),)
    job = driver.job(rid("x"))
    assert job.state is JobState.UNKNOWN
    assert job.failure is not None
    assert job.failure.kind == "no_answer"
    assert job.failure.message.startswith("The worker that was to send it ended"), (
        "nobody knows that it was sent"
    )
    assert list(driver.members("leases")) == [rid("x")], (
        "a task may be running: its slot stays taken for a while"
    )
    assert driver.spent("a") == 1
    assert driver.ledger.status(BatchId("a")).complete
    before = driver.snapshot()
    assert reconcile(driver) == Reconciled(
        queued=0, redriven=(), unknown=(), resubmitted=(), broken=False, paused=""
    )
    assert driver.snapshot() == before


def test_a_holder_that_lives_is_left_alone(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    driver.granted()
    driver.submitting()
    before = driver.snapshot()
    assert reconcile(driver, "resubmit") == Reconciled(
        queued=0, redriven=(), unknown=(), resubmitted=(), broken=False, paused=""
    )
    assert driver.snapshot() == before


def test_a_retry_goes_into_the_line_when_its_time_has_come(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    driver.submitted(task="t")
    driver.ledger.run(steps.again(rid("x"), TaskId("t"), 60_000))
    assert reconcile(driver).redriven == ()
    driver.score("retry", rid("x"), 0)
    assert reconcile(driver).redriven == (rid("x"),)
    assert driver.line("a") == [rid("x"), rid("y")]
    assert reconcile(driver).redriven == ()


def test_unknown_jobs_are_held_by_policy(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.unknown()
    driver.score("unknown", rid("x"), 0)
    assert reconcile(driver, "hold").resubmitted == ()
    assert driver.state(rid("x")) is JobState.UNKNOWN


def test_unknown_jobs_are_bought_again_once_after_a_quiet_time(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    late = driver.unknown()
    assert reconcile(driver, "resubmit").resubmitted == (), "its callback may still come"
    driver.score("unknown", rid("x"), 0)
    assert reconcile(driver, "resubmit").resubmitted == (rid("x"),)
    assert (driver.state(rid("x")), driver.line("a")) == (JobState.QUEUED, [rid("x")])
    again = driver.unknown()
    assert not driver.ledger.run(
        steps.accept(rid("x"), late.claim, TaskId("t1"), [], first_poll_ms=1)
    ).recorded, "somebody else has taken it since"
    assert again.claim != late.claim
    assert driver.spent("a") == 2, "both may have been bought"
    driver.score("unknown", rid("x"), 0)
    assert reconcile(driver, "resubmit").resubmitted == (), "at most once"
    assert driver.state(rid("x")) is JobState.UNKNOWN
    assert driver.ledger.run(steps.reopen(rid("x"), JobState.UNKNOWN)), "a person may"


def test_a_resubmitted_job_that_is_refused_gives_back_only_the_second_charge(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.unknown()
    driver.score("unknown", rid("x"), 0)
    reconcile(driver, "resubmit")
    permit = driver.submitting()
    assert driver.spent("a") == 2
    driver.ledger.run(steps.refuse(rid("x"), permit.claim, failure(), answered=True))
    assert driver.spent("a") == 1


@pytest.mark.parametrize("jobs", [600])
def test_a_whole_crowd_of_dead_holders_is_found_in_two_turns(driver: Driver, jobs: int) -> None:
    driver.admit("a", [f"p{number}" for number in range(jobs)])
    for _ in range(jobs):
        driver.granted()
    for request_id in driver.members("posting"):
        driver.score("posting", request_id, 0)
    first, second = reconcile(driver), reconcile(driver)
    assert (len(first.redriven), len(second.redriven)) == (500, 100)
    assert sorted(driver.line("a")) == sorted(first.redriven + second.redriven)


def test_an_unknown_job_that_nobody_wants_any_more_is_not_called_cancelled_before_it_was_sent(
    driver: Driver,
) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.unknown()
    driver.ledger.client.hset(driver.ledger.key("batch", "a"), "cancelled", 1)
    driver.score("unknown", rid("x"), 0)
    assert driver.ledger.run(steps.reconcile(policy="resubmit", quiet_s=1)).resubmitted == ()
    assert driver.state(rid("x")) is JobState.UNKNOWN
    assert (driver.spent("a"), driver.raw(rid("x"))["paid_batch"]) == (1, "a"), (
        "a late answer finds who ordered it"
    )
