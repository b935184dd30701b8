"""What a person changes: cancel, retry; and what several batches that share a job see of it."""

import pytest

from jobs.cli import control
from jobs.ledger import steps
from jobs.producing.queue import Queue
from jobs.records import PAID_LOSSES, BatchId, Job, JobState, TaskId
from tests.heart import Heart, failure, rid


def test_cancelling_takes_a_waiting_job_out_of_the_line(heart: Heart) -> None:
    heart.admit("a", ["x", "y"], seal=True)
    assert heart.ledger.run(steps.cancel("a", rid("x")))
    assert heart.state(rid("x")) is JobState.CANCELLED
    assert heart.job(rid("x")).finished_ms is not None
    assert heart.counts("a") == {"cancelled": 1, "queued": 1}
    assert heart.ledger.run(steps.cancel("a", rid("y")))
    assert heart.ledger.status(BatchId("a")).complete
    assert heart.ask().kind == "empty"


def test_a_cancelled_batch_leaves_shared_jobs_to_the_others(heart: Heart) -> None:
    heart.admit("a", ["x", "x"], seal=True)
    heart.admit("b", ["x"], seal=True)
    assert heart.ledger.run(steps.cancel("a", rid("x")))
    assert heart.state(rid("x")) is JobState.QUEUED
    assert heart.job(rid("x")).refs == {"b": (1,)}
    assert heart.line("b")[0] == rid("x")
    assert heart.ledger.left_rows(BatchId("a")) == {1: "cancelled", 2: "cancelled"}
    assert [each.row for each in heart.ledger.outbox(BatchId("a"), "0")] == [1, 2]
    assert heart.ledger.status(BatchId("a")).complete
    assert heart.counts("b") == {"queued": 1}
    heart.succeeded()
    assert heart.counts("a") == {"cancelled": 2}
    assert heart.counts("b") == {"succeeded": 1}
    assert heart.spent("b") == 1, "who still wants it pays"


def test_the_batch_that_joined_may_leave_without_moving_the_job(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.admit("b", ["x"])
    assert heart.ledger.run(steps.cancel("b", rid("x")))
    assert heart.line("a")[0] == rid("x")
    assert not heart.ledger.run(steps.cancel("b", rid("x")))


def test_a_job_under_way_is_finished_since_it_is_bought(heart: Heart) -> None:
    heart.admit("a", ["x"])
    permit = heart.granted()
    assert not heart.ledger.run(steps.cancel("a", rid("x"))), "a permit is out"
    assert heart.begin(rid("x"), permit.claim) == "go"
    assert not heart.ledger.run(steps.cancel("a", rid("x")))


def test_a_job_that_waits_for_its_next_task_can_be_cancelled(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.submitted(task="t")
    heart.ledger.run(steps.again(rid("x"), TaskId("t"), 0))
    assert heart.ledger.run(steps.cancel("a", rid("x")))
    assert heart.members("retry") == {}
    heart.ledger.run(steps.reconcile(policy="hold", quiet_s=1))
    assert heart.ask().kind == "empty"


def test_a_job_waiting_for_its_next_task_goes_to_the_batch_that_is_left(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.admit("b", ["x"])
    heart.submitted(task="t")
    heart.ledger.run(steps.again(rid("x"), TaskId("t"), 0))
    assert heart.ledger.run(steps.cancel("a", rid("x")))
    heart.score("retry", rid("x"), 0)
    heart.ledger.run(steps.reconcile(policy="hold", quiet_s=1))
    assert set(heart.line("b")) == {rid("x")}


@pytest.mark.parametrize("state", ["failed", "rejected", "unknown", "cancelled"])
def test_reopening_puts_the_job_first_in_the_line_as_if_never_tried(heart: Heart, state: str) -> None:
    heart.admit("a", ["x", "y"], seal=True)
    if state == "cancelled":
        heart.ledger.run(steps.cancel("a", rid("x")))
    elif state == "unknown":
        heart.unknown()
    else:
        job = heart.submitted()
        heart.ledger.run(steps.fail(job.request_id, failure(), JobState(state)))
    wrong = JobState.SUCCEEDED
    assert not heart.ledger.run(steps.reopen(rid("x"), wrong))
    assert heart.ledger.run(steps.reopen(rid("x"), JobState(state)))
    assert not heart.ledger.run(steps.reopen(rid("x"), JobState(state)))
    job = heart.job(rid("x"))
    assert (job.state, job.failure, job.task_id, job.finished_ms) == (JobState.QUEUED, None, None, None)
    assert list(dict.fromkeys(heart.line("a"))) == [rid("x"), rid("y")]
    assert heart.members("unknown") == {}
    assert heart.granted().request_id == rid("x")


def test_a_complete_batch_is_open_and_exported_again_when_a_job_is_reopened(heart: Heart) -> None:
    heart.admit("a", ["x"], seal=True)
    heart.failed(retryable=True)
    entries = heart.ledger.outbox(BatchId("a"), "0")
    assert heart.ledger.deactivate(BatchId("a"), entries[-1].entry_id)
    assert heart.ledger.active_batches() == []
    heart.ledger.run(steps.reopen(rid("x"), JobState.FAILED))
    assert heart.ledger.active_batches() == ["a"]
    assert heart.ledger.status(BatchId("a")).completed_ms is None
    heart.succeeded()
    told = heart.ledger.outbox(BatchId("a"), "0")
    assert [each.version for each in told] == sorted({each.version for each in told})
    assert told[-1].version == heart.job(rid("x")).version


def test_a_batch_with_something_new_is_not_put_to_rest(heart: Heart) -> None:
    heart.admit("a", ["x", None])
    told = heart.ledger.outbox(BatchId("a"), "0")[-1].entry_id
    assert not heart.ledger.deactivate(BatchId("a"), told), "it is not complete"
    heart.ledger.seal(BatchId("a"))
    heart.failed(retryable=True)
    assert not heart.ledger.deactivate(BatchId("a"), told), "its last row is not exported"
    last = heart.ledger.outbox(BatchId("a"), "0")[-1].entry_id
    heart.ledger.run(steps.reopen(rid("x"), JobState.FAILED))
    assert not heart.ledger.deactivate(BatchId("a"), last), "somebody reopened it meanwhile"
    assert heart.ledger.active_batches() == ["a"]


def test_an_unknown_job_that_turns_out_refused_is_exported(heart: Heart) -> None:
    heart.admit("a", ["x"], seal=True)
    permit = heart.unknown()
    last = heart.ledger.outbox(BatchId("a"), "0")[-1].entry_id
    assert heart.ledger.deactivate(BatchId("a"), last)
    assert heart.ledger.run(steps.refuse(rid("x"), permit.claim, failure(), answered=True))
    assert heart.ledger.active_batches() == ["a"]


def _cancelled(heart: Heart, batch: str, name: str) -> None:
    heart.ledger.client.hset(heart.ledger.key("batch", batch), "cancelled", 1)
    assert heart.ledger.run(steps.cancel(batch, rid(name)))


@pytest.mark.parametrize("by", ["retry", "manifest"])
@pytest.mark.parametrize("bought", [False, True])
def test_a_row_that_left_a_shared_job_joins_it_again_when_its_batch_is_wanted(
    heart: Heart, queue: Queue, by: str, bought: bool
) -> None:
    heart.admit("a", ["x"], seal=True)
    heart.admit("b", ["x"], seal=True)
    _cancelled(heart, "a", "x")
    if bought:
        heart.succeeded()
    if by == "retry":
        retried = control.retry(heart.ledger, queue, BatchId("a"), control.Wanted(failed=True))
        assert retried.queued == 1
    else:
        heart.admit("a", ["x"], seal=True)
    assert heart.counts("a") == {"succeeded" if bought else "queued": 1}
    assert heart.ledger.left_rows(BatchId("a")) == {}
    if not bought:
        heart.succeeded()
    assert heart.counts("a") == heart.counts("b") == {"succeeded": 1}
    status = heart.ledger.status(BatchId("a"))
    assert status.complete
    assert status.completed_ms is not None
    assert heart.ledger.outbox(BatchId("a"), "0")[-1].request_id == rid("x"), "its file hears of the picture"


def test_a_retry_moves_nothing_for_a_batch_that_has_left(heart: Heart, queue: Queue) -> None:
    heart.admit("a", ["x"], seal=True)
    heart.admit("b", ["x"], seal=True)
    _cancelled(heart, "a", "x")
    _cancelled(heart, "b", "x")
    assert control.retry(heart.ledger, queue, BatchId("a"), control.Wanted(failed=True)).queued == 1
    assert heart.counts("a") == {"queued": 1}
    heart.succeeded()
    assert heart.spent("a") == 1, "who wants it pays"
    assert heart.counts("a") == {"succeeded": 1}


def test_a_cancelled_batch_that_is_run_again_is_wanted(heart: Heart, queue: Queue) -> None:
    heart.admit("a", ["x", "y"], seal=True)
    control.cancel(heart.ledger, queue, BatchId("a"))
    assert heart.counts("a") == {"cancelled": 2}
    heart.ledger.open_batch(BatchId("a"))
    assert control.retry_failed(heart.ledger, queue, BatchId("a")) == 2
    assert heart.counts("a") == {"queued": 2}


# -- paid losses ---------------------------------------------------------------------------------------------


def _lost(heart: Heart, *kinds: str) -> None:
    """A batch whose jobs w, x, … were bought and brought no picture."""
    names = "wxyz"[: len(kinds)]
    heart.admit("a", list(names), seal=True)
    for name, kind in zip(names, kinds, strict=True):
        heart.submitted(task=f"t-{name}", subs=("s1", "s2"))
        heart.ledger.run(steps.fail(rid(name), failure(kind=kind)))


@pytest.mark.parametrize("kind", sorted(PAID_LOSSES))
@pytest.mark.parametrize("by", ["retry", "manifest"])
def test_a_retry_of_a_paid_loss_asks_its_old_task_and_buys_nothing(
    heart: Heart, queue: Queue, kind: str, by: str
) -> None:
    _lost(heart, kind)
    wanted = control.Wanted(failed=True)
    assert control.foresee_retry(heart.ledger, BatchId("a"), wanted) == control.Retried(asked=1)
    if by == "retry":
        retried = control.retry(heart.ledger, queue, BatchId("a"), wanted)
        assert retried == control.Retried(asked=1)
    else:
        assert control.retry_failed(heart.ledger, queue, BatchId("a")) == 1
    job = heart.job(rid("w"))
    assert (job.state, job.task_id, job.past_task_ids) == (JobState.SUBMITTED, "t-w", ())
    assert (heart.members("leases"), heart.line("a")) == ({}, [])
    assert heart.ask().kind == "empty"
    assert heart.spent("a") == 1


def test_a_paid_loss_is_bought_anew_on_a_persons_word_and_its_old_id_is_kept(
    heart: Heart, queue: Queue
) -> None:
    _lost(heart, "task_lost", "picture_lost", "task_failed")
    wanted = control.Wanted(lost=True)
    foreseen = control.foresee_retry(heart.ledger, BatchId("a"), wanted)
    assert foreseen == control.Retried(queued=2, pictures=4), "what HiDream has failed is no loss"
    assert control.retry(heart.ledger, queue, BatchId("a"), wanted) == foreseen
    assert heart.counts("a") == {"queued": 2, "failed": 1}
    job = heart.submitted(task="new")
    assert (job.task_id, job.past_task_ids) == ("new", (f"t-{_name(job)}",))
    assert control.retry(heart.ledger, queue, BatchId("a"), wanted).jobs == 0


def test_an_old_task_that_ends_well_after_its_job_was_bought_anew_breaks_nothing(
    heart: Heart, queue: Queue
) -> None:
    _lost(heart, "task_timeout")
    control.retry(heart.ledger, queue, BatchId("a"), control.Wanted(lost=True))
    before = heart.snapshot()
    assert heart.ledger.run(steps.hint(rid("w"), "t-w"))
    assert heart.snapshot() == before
    heart.submitted(task="new")
    assert heart.ledger.run(steps.hint(rid("w"), "t-w"))
    assert not heart.ledger.run(steps.ended(rid("w"), TaskId("t-w"), ["u"], "poll", None))
    assert heart.job(rid("w")).task_id == "new"
    assert heart.ledger.client.hget(heart.ledger.key("tasks"), "t-w") == rid("w")


def test_a_callback_of_a_task_that_was_given_up_has_it_asked_again(heart: Heart) -> None:
    _lost(heart, "task_lost")
    assert heart.ledger.run(steps.hint(rid("w"), "another"))
    assert heart.state(rid("w")) is JobState.FAILED
    assert heart.ledger.run(steps.hint(rid("w"), "t-w"))
    assert heart.state(rid("w")) is JobState.SUBMITTED


def test_a_retry_of_unknown_ones_says_how_many_may_be_bought_a_second_time(
    heart: Heart, queue: Queue
) -> None:
    heart.admit("a", ["x", "y"], seal=True)
    heart.unknown()
    heart.unknown()
    foreseen = control.foresee_retry(heart.ledger, BatchId("a"), control.Wanted(unknown=True))
    assert foreseen == control.Retried(queued=2, pictures=2)


def _name(job: Job) -> str:
    return next(name for name in "wxyz" if rid(name) == job.request_id)


def test_a_retry_of_one_batch_does_not_bring_back_another_that_was_cancelled(
    heart: Heart, queue: Queue
) -> None:
    heart.admit("a", ["x"], seal=True)
    heart.failed(retryable=True)
    heart.admit("b", ["x", "y", "z"], seal=True)
    heart.failed(retryable=True)
    # Whoever cancelled it was killed before its jobs were taken out of the line.
    heart.ledger.client.hset(heart.ledger.key("batch", "b"), "cancelled", 1)
    assert heart.ask().kind == "empty"
    assert control.retry(heart.ledger, queue, BatchId("a"), control.Wanted(failed=True)).queued == 1
    assert heart.succeeded().request_id == rid("x")
    assert heart.ask().kind == "empty"
    assert heart.ledger.batch(BatchId("b")).cancelled
    assert heart.spent("b") == 1, "nothing more is bought for it"
