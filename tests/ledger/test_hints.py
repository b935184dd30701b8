"""Callbacks are hints: they make a job due, resolve an unknown one, and are never believed."""

import pytest

from jobs.ledger import steps
from jobs.records import BatchId, JobState, RequestId, TaskId
from tests.heart import Heart, failure, rid


@pytest.fixture
def x(heart: Heart) -> RequestId:
    heart.admit("a", ["x"], seal=True)
    return rid("x")


def test_a_hint_makes_the_task_due_now_and_wakes_the_watcher(heart: Heart, x: RequestId) -> None:
    heart.submitted(task="t")
    heart.ledger.client.delete(heart.ledger.key("watch"))
    assert heart.ledger.run(steps.take_due(8)).jobs == ()
    assert heart.ledger.run(steps.hint(x, "t"))
    assert heart.ledger.client.llen(heart.ledger.key("watch")) == 1
    due = heart.ledger.run(steps.take_due(8))
    assert [(job.request_id, job.hinted) for job in due.jobs] == [(x, True)]
    assert not heart.job(x).hinted, "what comes from here on is a newer hint"


def test_a_hint_that_arrives_while_the_watcher_asks_is_followed_at_once(heart: Heart, x: RequestId) -> None:
    heart.submitted(task="t")
    heart.score("due", x, 0)
    now_ms = heart.ledger.run(steps.take_due(8)).now_ms
    assert heart.ledger.run(steps.hint(x, None))
    assert heart.ledger.run(steps.defer(x, 30_000))
    assert heart.members("due")[x] < now_ms + 10_000
    assert heart.ledger.run(steps.defer(x, 30_000))
    assert heart.members("due")[x] >= now_ms + 30_000, "once is enough"


def test_a_hint_that_comes_before_the_submit_reply_is_kept(heart: Heart, x: RequestId) -> None:
    permit = heart.submitting()
    assert heart.ledger.run(steps.hint(x, "t"))
    assert heart.state(x) is JobState.SUBMITTING
    heart.ledger.run(steps.accept(x, permit.claim, TaskId("t"), [], first_poll_ms=60_000))
    assert [job.request_id for job in heart.ledger.run(steps.take_due(8)).jobs] == [x]


def test_a_hint_about_another_task_is_not_followed(heart: Heart, x: RequestId) -> None:
    heart.submitted(task="second")
    before = heart.snapshot()
    assert heart.ledger.run(steps.hint(x, "first"))
    assert heart.snapshot() == before


def test_a_hint_does_not_disturb_a_job_whose_pictures_are_fetched(heart: Heart, x: RequestId) -> None:
    heart.submitted(task="t")
    heart.ledger.run(steps.ended(x, TaskId("t"), ["u"], "poll", None))
    before = heart.snapshot()
    assert heart.ledger.run(steps.hint(x, "t"))
    assert heart.snapshot() == before


def test_an_unknown_job_is_resolved_by_a_callback_that_names_its_task(heart: Heart, x: RequestId) -> None:
    heart.unknown()
    assert heart.ledger.run(steps.hint(x, "t"))
    job = heart.job(x)
    assert (job.state, job.task_id, job.attempts, job.failure) == (JobState.SUBMITTED, "t", 1, None)
    assert heart.members("unknown") == {}
    assert [each.request_id for each in heart.ledger.run(steps.take_due(8)).jobs] == [x]
    status = heart.ledger.status(BatchId("a"))
    assert (status.completed_ms, status.open) == (None, 1)
    assert heart.spent("a") == 1, "it was counted when it was sent"
    assert heart.ledger.run(steps.fail(x, failure(), task_id=TaskId("t")))
    assert heart.ledger.status(BatchId("a")).complete


def test_an_unknown_job_stays_unknown_without_a_task_to_ask_about(heart: Heart, x: RequestId) -> None:
    heart.unknown()
    before = heart.snapshot()
    assert heart.ledger.run(steps.hint(x, None))
    assert heart.snapshot() == before


def test_a_callback_cannot_give_an_unknown_job_the_task_of_another(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    heart.submitted(task="t")
    heart.unknown()
    before = heart.snapshot()
    assert heart.ledger.run(steps.hint(rid("y"), "t"))
    assert heart.snapshot() == before


def test_a_job_handed_out_is_hidden_from_the_other_processes(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    jobs = [heart.submitted().request_id for _ in range(2)]
    for job in jobs:
        heart.score("due", job, 0)
        heart.score("leases", job, 9)
    first = heart.ledger.run(steps.take_due(1))
    second = heart.ledger.run(steps.take_due(8))
    third = heart.ledger.run(steps.take_due(8))
    assert sorted(job.request_id for due in (first, second) for job in due.jobs) == sorted(jobs)
    assert third.jobs == ()
    assert third.next_ms is not None
    assert third.next_ms >= first.now_ms + steps.HOLD_MS
    assert all(score > 9 for score in heart.members("leases").values()), "their slots are theirs meanwhile"


def test_nothing_due_and_nothing_learnt_is_told_so(heart: Heart) -> None:
    due = heart.ledger.run(steps.take_due(8))
    assert (due.jobs, due.next_ms, due.latency) == ((), None, None)
    heart.ledger.client.zadd(heart.ledger.key("due"), {"gone": 0})
    assert heart.ledger.run(steps.take_due(8)).jobs == ()
    assert heart.members("due") == {}, "a job that is no more is not asked for for ever"


def test_a_hint_about_an_earlier_post_voids_the_permit_for_another(heart: Heart, x: RequestId) -> None:
    permit = heart.granted()
    assert heart.ledger.run(steps.hint(x, "t"))
    assert heart.begin(x, permit.claim) == "fenced", "nothing is left to buy"
    job = heart.job(x)
    assert (job.state, job.task_id, heart.spent("a")) == (JobState.SUBMITTED, "t", 0)
    assert heart.members("leases").keys() == {x}
    assert heart.members("posting") == {}


# -- a first POST nobody can account for, a person's word to send it again, then the callback of the first ---


@pytest.fixture
def sent_again(heart: Heart, x: RequestId) -> RequestId:
    """A job that waits to be bought a second time."""
    heart.unknown()
    assert heart.ledger.run(steps.reopen(x, JobState.UNKNOWN, "a"))
    return x


def test_a_refusal_of_the_second_post_does_not_hide_the_task_of_the_first(
    heart: Heart, sent_again: RequestId
) -> None:
    permit = heart.submitting()
    heart.ledger.run(steps.hint(sent_again, "t"))
    refused = steps.refuse(sent_again, permit.claim, failure(retryable=False), answered=True)
    assert heart.ledger.run(refused)
    job = heart.job(sent_again)
    assert (job.state, job.task_id, job.failure) == (JobState.SUBMITTED, "t", None)
    assert heart.members("leases").keys() == heart.members("due").keys() == {sent_again}
    assert heart.spent("a") == 2


def test_a_picture_that_cannot_be_sent_again_does_not_hide_the_task_of_the_first_post(
    heart: Heart, sent_again: RequestId
) -> None:
    permit = heart.granted()
    heart.ledger.run(steps.hint(sent_again, "t"))
    assert heart.ledger.run(steps.refuse(sent_again, permit.claim, failure(), answered=False))
    assert (heart.state(sent_again), heart.spent("a")) == (JobState.SUBMITTED, 1)


def test_the_task_of_the_first_post_is_kept_beside_that_of_the_second(
    heart: Heart, sent_again: RequestId
) -> None:
    permit = heart.submitting()
    heart.ledger.run(steps.hint(sent_again, "t"))
    heart.ledger.run(steps.accept(sent_again, permit.claim, TaskId("second"), [], first_poll_ms=60_000))
    job = heart.job(sent_again)
    assert (job.task_id, job.past_task_ids) == ("second", ("t",))


def test_a_permit_whose_holder_died_is_not_used_for_a_pair_whose_task_is_known(
    heart: Heart, sent_again: RequestId
) -> None:
    heart.granted()
    heart.ledger.run(steps.hint(sent_again, "t"))
    heart.score("posting", sent_again, 0)
    assert heart.ledger.run(steps.reconcile(policy="hold", quiet_s=1)).redriven == ()
    assert (heart.state(sent_again), heart.job(sent_again).task_id) == (JobState.SUBMITTED, "t")
    assert heart.spent("a") == 1
    assert heart.members("leases").keys() == {sent_again}


@pytest.mark.parametrize("begun", [False, True])
def test_an_answer_on_disk_that_comes_while_the_pair_is_sent_again_is_believed_before_a_refusal(
    heart: Heart, sent_again: RequestId, *, begun: bool
) -> None:
    permit = heart.submitting() if begun else heart.granted()
    assert heart.ledger.run(steps.keep_task(sent_again, TaskId("t"), ["s"], ledger_id="")) == "past"
    assert heart.job(sent_again).past_task_ids == ("t",)
    assert heart.ledger.run(heart.give_back_call(sent_again, permit.claim, "throttle", "429"))[0] == 1
    job = heart.job(sent_again)
    assert (job.state, job.task_id, job.past_task_ids) == (JobState.SUBMITTED, "t", ())
    assert heart.ask().kind == "empty"


@pytest.mark.parametrize("how", ["callback", "answer on disk"])
@pytest.mark.parametrize("end", ["cancelled", "refused"])
def test_a_job_that_has_ended_meanwhile_is_not_bought_again_once_its_task_is_known(
    heart: Heart, sent_again: RequestId, end: str, how: str
) -> None:
    if end == "cancelled":
        assert heart.ledger.run(steps.cancel(BatchId("a"), sent_again))
    else:
        permit = heart.submitting()
        assert heart.ledger.run(steps.refuse(sent_again, permit.claim, failure(), answered=True))
    if how == "callback":
        heart.ledger.run(steps.hint(sent_again, "t"))
    else:
        assert heart.ledger.run(steps.keep_task(sent_again, TaskId("t"), ["s"], ledger_id="")) == "task"
    assert heart.admit("b", ["x"], seal=True).queued == ()
    assert (heart.state(sent_again), heart.job(sent_again).task_id) == (JobState.SUBMITTED, "t")
    assert heart.counts("a") == heart.counts("b") == {"submitted": 1}


def test_a_task_that_a_callback_named_is_not_forgotten_when_the_job_begins_anew(
    heart: Heart, x: RequestId
) -> None:
    heart.admit("b", ["y"])
    heart.submitted(task="other's")
    heart.admit("b", ["z"], 2)
    permit = heart.submitting()
    heart.ledger.run(steps.hint(permit.request_id or "", "other's"))
    heart.ledger.run(steps.refuse(permit.request_id or x, permit.claim, failure(), answered=True))
    heart.ledger.run(steps.reopen(permit.request_id or x, JobState.FAILED))
    assert heart.job(permit.request_id).past_task_ids == ("other's",)
