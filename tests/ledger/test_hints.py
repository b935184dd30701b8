"""Callbacks are hints: they make a job due, resolve an unknown one, and are never believed."""

import pytest

from jobs.ledger import steps
from jobs.records import BatchId, JobState, RequestId, TaskId
from tests.driver import Driver, failure, rid


@pytest.fixture
def x(driver: Driver) -> RequestId:
    driver.admit("a", ["x"], seal=True)
    return rid("x")


def test_a_hint_makes_the_task_due_now_and_wakes_the_watcher(driver: Driver, x: RequestId) -> None:
    driver.submitted(task="t")
    driver.ledger.client.delete(driver.ledger.key("watch"))
    assert driver.ledger.run(steps.take_due(8)).jobs == ()
    assert driver.ledger.run(steps.hint(x, "t"))
    assert driver.ledger.client.llen(driver.ledger.key("watch")) == 1
    due = driver.ledger.run(steps.take_due(8))
    assert [(job.request_id, job.hinted) for job in due.jobs] == [(x, True)]
    assert not driver.job(x).hinted, "what comes from here on is a newer hint"


def test_a_hint_that_arrives_while_the_watcher_asks_is_followed_at_once(driver: Driver, x: RequestId) -> None:
    driver.submitted(task="t")
    driver.score("due", x, 0)
    now_ms = driver.ledger.run(steps.take_due(8)).now_ms
    assert driver.ledger.run(steps.hint(x, None))
    assert driver.ledger.run(steps.defer(x, 30_000))
    assert driver.members("due")[x] < now_ms + 10_000
    assert driver.ledger.run(steps.defer(x, 30_000))
    assert driver.members("due")[x] >= now_ms + 30_000, "once is enough"


def test_a_hint_that_comes_before_the_submit_reply_is_kept(driver: Driver, x: RequestId) -> None:
    permit = driver.submitting()
    assert driver.ledger.run(steps.hint(x, "t"))
    assert driver.state(x) is JobState.SUBMITTING
    driver.ledger.run(steps.accept(x, permit.claim, TaskId("t"), [], first_poll_ms=60_000))
    assert [job.request_id for job in driver.ledger.run(steps.take_due(8)).jobs] == [x]


def test_a_hint_about_another_task_is_not_followed(driver: Driver, x: RequestId) -> None:
    driver.submitted(task="second")
    before = driver.snapshot()
    assert driver.ledger.run(steps.hint(x, "first"))
    assert driver.snapshot() == before


def test_a_hint_does_not_disturb_a_job_whose_pictures_are_fetched(driver: Driver, x: RequestId) -> None:
    driver.submitted(task="t")
    driver.ledger.run(steps.ended(x, TaskId("t"), ["u"], "poll", None))
    before = driver.snapshot()
    assert driver.ledger.run(steps.hint(x, "t"))
    assert driver.snapshot() == before


def test_an_unknown_job_is_resolved_by_a_callback_that_names_its_task(driver: Driver, x: RequestId) -> None:
    driver.unknown()
    assert driver.ledger.run(steps.hint(x, "t"))
    job = driver.job(x)
    assert (job.state, job.task_id, job.attempts, job.failure) == (JobState.SUBMITTED, "t", 1, None)
    assert driver.members("unknown") == {}
    assert [each.request_id for each in driver.ledger.run(steps.take_due(8)).jobs] == [x]
    status = driver.ledger.status(BatchId("a"))
    assert (status.completed_ms, status.open) == (None, 1)
    assert driver.spent("a") == 1, "it was counted when it was sent"
    assert driver.ledger.run(steps.fail(x, failure(), task_id=TaskId("t")))
    assert driver.ledger.status(BatchId("a")).complete


def test_an_unknown_job_stays_unknown_without_a_task_to_ask_about(driver: Driver, x: RequestId) -> None:
    driver.unknown()
    before = driver.snapshot()
    assert driver.ledger.run(steps.hint(x, None))
    assert driver.snapshot() == before


def test_a_callback_cannot_give_an_unknown_job_the_task_of_another(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    driver.submitted(task="t")
    driver.unknown()
    before = driver.snapshot()
    assert driver.ledger.run(steps.hint(rid("y"), "t"))
    assert driver.snapshot() == before


def test_a_job_handed_out_is_hidden_from_the_other_processes(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    jobs = [driver.submitted().request_id for _ in range(2)]
    for job in jobs:
        driver.score("due", job, 0)
        driver.score("leases", job, 9)
    first = driver.ledger.run(steps.take_due(1))
    second = driver.ledger.run(steps.take_due(8))
    third = driver.ledger.run(steps.take_due(8))
    assert sorted(job.request_id for due in (first, second) for job in due.jobs) == sorted(jobs)
    assert third.jobs == ()
    assert third.next_ms is not None
    assert third.next_ms >= first.now_ms + steps.HOLD_MS
    assert all(score > 9 for score in driver.members("leases").values()), "their slots are theirs meanwhile"


def test_nothing_due_and_nothing_learnt_is_told_so(driver: Driver) -> None:
    due = driver.ledger.run(steps.take_due(8))
    assert (due.jobs, due.next_ms, due.latency) == ((), None, None)
    driver.ledger.client.zadd(driver.ledger.key("due"), {"gone": 0})
    assert driver.ledger.run(steps.take_due(8)).jobs == ()
    assert driver.members("due") == {}, "a job that is no more is not asked for for ever"


def test_a_hint_about_an_earlier_post_voids_the_permit_for_another(driver: Driver, x: RequestId) -> None:
    permit = driver.granted()
    assert driver.ledger.run(steps.hint(x, "t"))
    assert driver.begin(x, permit.claim) == "fenced", "nothing is left to buy"
    job = driver.job(x)
    assert (job.state, job.task_id) == (JobState.SUBMITTED, "t")
    assert driver.spent("a") == 1, (
        "not the permit's: that of the POST whose task it is, which counts after all"
    )
    assert driver.members("leases").keys() == {x}
    assert driver.members("posting") == {}


# -- a first POST nobody can account for, a person's word to send it again, then the callback of the first ---


@pytest.fixture
def sent_again(driver: Driver, x: RequestId) -> RequestId:
    """A job that waits to be bought a second time."""
    driver.unknown()
    assert driver.ledger.run(steps.reopen(x, JobState.UNKNOWN, "a"))
    return x


def test_a_refusal_of_the_second_post_does_not_hide_the_task_of_the_first(
    driver: Driver, sent_again: RequestId
) -> None:
    permit = driver.submitting()
    driver.ledger.run(steps.hint(sent_again, "t"))
    refused = steps.refuse(sent_again, permit.claim, failure(retryable=False), answered=True)
    assert driver.ledger.run(refused)
    job = driver.job(sent_again)
    assert (job.state, job.task_id, job.failure) == (JobState.SUBMITTED, "t", None)
    assert driver.members("leases").keys() == driver.members("due").keys() == {sent_again}
    assert driver.spent("a") == 2


def test_a_picture_that_cannot_be_sent_again_does_not_hide_the_task_of_the_first_post(
    driver: Driver, sent_again: RequestId
) -> None:
    permit = driver.granted()
    driver.ledger.run(steps.hint(sent_again, "t"))
    assert driver.ledger.run(steps.refuse(sent_again, permit.claim, failure(), answered=False))
    assert (driver.state(sent_again), driver.spent("a")) == (JobState.SUBMITTED, 1)


def test_the_task_of_the_first_post_is_kept_beside_that_of_the_second(
    driver: Driver, sent_again: RequestId
) -> None:
    permit = driver.submitting()
    driver.ledger.run(steps.hint(sent_again, "t"))
    driver.ledger.run(steps.accept(sent_again, permit.claim, TaskId("second"), [], first_poll_ms=60_000))
    job = driver.job(sent_again)
    assert (job.task_id, job.past_task_ids) == ("second", ("t",))


def test_a_permit_whose_holder_died_is_not_used_for_a_pair_whose_task_is_known(
    driver: Driver, sent_again: RequestId
) -> None:
    driver.granted()
    driver.ledger.run(steps.hint(sent_again, "t"))
    driver.score("posting", sent_again, 0)
    assert driver.ledger.run(steps.reconcile(policy="hold", quiet_s=1)).redriven == ()
    assert (driver.state(sent_again), driver.job(sent_again).task_id) == (JobState.SUBMITTED, "t")
    assert driver.spent("a") == 1
    assert driver.members("leases").keys() == {sent_again}


@pytest.mark.parametrize("begun", [False, True])
def test_an_answer_on_disk_that_comes_while_the_pair_is_sent_again_is_believed_before_a_refusal(
    driver: Driver, sent_again: RequestId, *, begun: bool
) -> None:
    permit = driver.submitting() if begun else driver.granted()
    assert driver.ledger.run(steps.keep_task(sent_again, TaskId("t"), ["s"], ledger_id="")) == "past"
    assert driver.job(sent_again).past_task_ids == ("t",)
    assert driver.ledger.run(driver.give_back_call(sent_again, permit.claim, "throttle", "429"))[0] == 1
    job = driver.job(sent_again)
    assert (job.state, job.task_id, job.past_task_ids) == (JobState.SUBMITTED, "t", ())
    assert driver.ask().kind == "empty"


@pytest.mark.parametrize("how", ["callback", "answer on disk"])
@pytest.mark.parametrize("end", ["cancelled", "refused"])
def test_a_job_that_has_ended_meanwhile_is_not_bought_again_once_its_task_is_known(
    driver: Driver, sent_again: RequestId, end: str, how: str
) -> None:
    if end == "cancelled":
        assert driver.ledger.run(steps.cancel(BatchId("a"), sent_again))
    else:
        permit = driver.submitting()
        assert driver.ledger.run(steps.refuse(sent_again, permit.claim, failure(), answered=True))
    if how == "callback":
        driver.ledger.run(steps.hint(sent_again, "t"))
    else:
        assert driver.ledger.run(steps.keep_task(sent_again, TaskId("t"), ["s"], ledger_id="")) == "task"
    assert driver.admit("b", ["x"], seal=True).queued == ()
    assert (driver.state(sent_again), driver.job(sent_again).task_id) == (JobState.SUBMITTED, "t")
    assert driver.counts("a") == driver.counts("b") == {"submitted": 1}


def test_a_task_that_a_callback_named_is_not_forgotten_when_the_job_begins_anew(
    driver: Driver, x: RequestId
) -> None:
    driver.admit("b", ["y"])
    driver.submitted(task="other's")
    driver.admit("b", ["z"], 2)
    permit = driver.submitting()
    driver.ledger.run(steps.hint(permit.request_id or "", "other's"))
    driver.ledger.run(steps.refuse(permit.request_id or x, permit.claim, failure(), answered=True))
    driver.ledger.run(steps.reopen(permit.request_id or x, JobState.FAILED))
    assert driver.job(permit.request_id).past_task_ids == ("other's",)


def test_an_answer_on_disk_is_no_callback(driver: Driver, x: RequestId) -> None:
    driver.unknown()
    assert driver.ledger.run(steps.keep_task(x, TaskId("t"), ["s"], ledger_id="")) == "task"
    assert not driver.job(x).hinted, "how far callbacks can be relied on is not learnt from it"
