"""What time alone moves: dead holders, due retries, the unknown policy."""

import pytest

from jobs.ledger import steps
from jobs.ledger.steps import Reconciled
from jobs.records import BatchId, JobState, TaskId
from tests.heart import Heart, failure, rid


def reconcile(heart: Heart, policy: str = "hold", quiet_s: float = 300) -> Reconciled:
    return heart.ledger.run(steps.reconcile(policy=policy, quiet_s=quiet_s))


def test_a_holder_that_died_before_the_intent_sent_nothing(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    permit = heart.granted()
    heart.score("posting", rid("x"), 0)
    found = reconcile(heart)
    assert (found.redriven, found.unknown, found.queued) == ((rid("x"),), (), 2)
    assert heart.line("a") == [rid("x"), rid("y")]
    assert heart.members("leases") == heart.members("posting") == {}
    assert (heart.spent("a"), heart.spent_on()) == (0, 0)
    assert heart.begin(rid("x"), permit.claim) == "fenced"
    assert heart.ledger.client.llen(heart.ledger.key("wakeups")) > 0


@pytest.mark.parametrize(("late_ms", "posting_ms"), [(5_000, 0), (90_000, 23_000)])
def test_found_late_a_holder_may_still_be_sending_and_its_slot_stays_taken_for_that_time_too(
    heart: Heart, late_ms: int, posting_ms: int
) -> None:
    """The clock has jumped: a POST that began a moment ago seems to be over since long."""
    heart.admit("a", ["x"])
    heart.submitting()
    now = heart.ledger.run(steps.take_due(1)).now_ms
    heart.score("posting", rid("x"), now - late_ms)
    heart.ledger.client.hset(heart.ledger.key("job", rid("x")), "begun_ms", now - late_ms - 23_000)
    assert reconcile(heart).unknown == (rid("x"),)
    after = heart.ledger.run(steps.take_due(1)).now_ms
    assert now + 15_000 + posting_ms <= heart.members("leases")[rid("x")] <= after + 15_000 + posting_ms


def test_a_holder_that_died_after_the_intent_may_have_bought(heart: Heart) -> None:
    heart.admit("a", ["x"], seal=True)
    heart.submitting()
    heart.score("posting", rid("x"), 0)
    assert reconcile(heart).unknown == (rid("x"),)
    job = heart.job(rid("x"))
    assert job.state is JobState.UNKNOWN
    assert job.failure is not None
    assert job.failure.kind == "no_answer"
    assert list(heart.members("leases")) == [rid("x")], (
        "a task may be running: its slot stays taken for a while"
    )
    assert heart.spent("a") == 1
    assert heart.ledger.status(BatchId("a")).complete
    before = heart.snapshot()
    assert reconcile(heart) == Reconciled(queued=0, redriven=(), unknown=(), resubmitted=())
    assert heart.snapshot() == before


def test_a_holder_that_lives_is_left_alone(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    heart.granted()
    heart.submitting()
    before = heart.snapshot()
    assert reconcile(heart, "resubmit") == Reconciled(queued=0, redriven=(), unknown=(), resubmitted=())
    assert heart.snapshot() == before


def test_a_retry_goes_into_the_line_when_its_time_has_come(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    heart.submitted(task="t")
    heart.ledger.run(steps.again(rid("x"), TaskId("t"), 60_000))
    assert reconcile(heart).redriven == ()
    heart.score("retry", rid("x"), 0)
    assert reconcile(heart).redriven == (rid("x"),)
    assert heart.line("a") == [rid("x"), rid("y")]
    assert reconcile(heart).redriven == ()


def test_unknown_jobs_are_held_by_policy(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.unknown()
    heart.score("unknown", rid("x"), 0)
    assert reconcile(heart, "hold").resubmitted == ()
    assert heart.state(rid("x")) is JobState.UNKNOWN


def test_unknown_jobs_are_bought_again_once_after_a_quiet_time(heart: Heart) -> None:
    heart.admit("a", ["x"], seal=True)
    late = heart.unknown()
    assert reconcile(heart, "resubmit").resubmitted == (), "its callback may still come"
    heart.score("unknown", rid("x"), 0)
    assert reconcile(heart, "resubmit").resubmitted == (rid("x"),)
    assert (heart.state(rid("x")), heart.line("a")) == (JobState.QUEUED, [rid("x")])
    again = heart.unknown()
    assert not heart.ledger.run(
        steps.accept(rid("x"), late.claim, TaskId("t1"), [], first_poll_ms=1)
    ).recorded, "somebody else has taken it since"
    assert again.claim != late.claim
    assert heart.spent("a") == 2, "both may have been bought"
    heart.score("unknown", rid("x"), 0)
    assert reconcile(heart, "resubmit").resubmitted == (), "at most once"
    assert heart.state(rid("x")) is JobState.UNKNOWN
    assert heart.ledger.run(steps.reopen(rid("x"), JobState.UNKNOWN)), "a person may"


def test_a_resubmitted_job_that_is_refused_gives_back_only_the_second_charge(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.unknown()
    heart.score("unknown", rid("x"), 0)
    reconcile(heart, "resubmit")
    permit = heart.submitting()
    assert heart.spent("a") == 2
    heart.ledger.run(steps.refuse(rid("x"), permit.claim, failure(), answered=True))
    assert heart.spent("a") == 1


@pytest.mark.parametrize("jobs", [600])
def test_a_whole_crowd_of_dead_holders_is_found_in_two_turns(heart: Heart, jobs: int) -> None:
    heart.admit("a", [f"p{number}" for number in range(jobs)])
    for _ in range(jobs):
        heart.granted()
    for request_id in heart.members("posting"):
        heart.score("posting", request_id, 0)
    first, second = reconcile(heart), reconcile(heart)
    assert (len(first.redriven), len(second.redriven)) == (500, 100)
    assert sorted(heart.line("a")) == sorted(first.redriven + second.redriven)


def test_an_unknown_job_that_nobody_wants_any_more_is_not_called_cancelled_before_it_was_sent(
    heart: Heart,
) -> None:
    heart.admit("a", ["x"], seal=True)
    heart.unknown()
    heart.ledger.client.hset(heart.ledger.key("batch", "a"), "cancelled", 1)
    heart.score("unknown", rid("x"), 0)
    assert heart.ledger.run(steps.reconcile(policy="resubmit", quiet_s=1)).resubmitted == ()
    assert heart.state(rid("x")) is JobState.UNKNOWN
    assert (heart.spent("a"), heart.raw(rid("x"))["paid_batch"]) == (1, "a"), (
        "a late answer finds who ordered it"
    )
