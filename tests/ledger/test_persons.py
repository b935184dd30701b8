"""What a person changes: cancel, retry; and what several batches that share a job see of it."""

import pytest

from jobs.ledger import steps
from jobs.producing import control
from jobs.producing.queue import Queue
from jobs.records import PAID_LOSSES, BatchId, Job, JobState, TaskId
from tests.driver import Driver, failure, rid


def test_cancelling_takes_a_waiting_job_out_of_the_line(driver: Driver) -> None:
    driver.admit("a", ["x", "y"], seal=True)
    assert driver.ledger.run(steps.cancel("a", rid("x")))
    assert driver.state(rid("x")) is JobState.CANCELLED
    assert driver.job(rid("x")).finished_ms is not None
    assert driver.counts("a") == {"cancelled": 1, "queued": 1}
    assert driver.ledger.run(steps.cancel("a", rid("y")))
    assert driver.ledger.status(BatchId("a")).complete
    assert driver.ask().kind == "empty"


def test_a_cancelled_batch_leaves_shared_jobs_to_the_others(driver: Driver) -> None:
    driver.admit("a", ["x", "x"], seal=True)
    driver.admit("b", ["x"], seal=True)
    assert driver.ledger.run(steps.cancel("a", rid("x")))
    assert driver.state(rid("x")) is JobState.QUEUED
    assert driver.job(rid("x")).refs == {"b": (1,)}
    assert driver.line("b")[0] == rid("x")
    assert driver.ledger.left_rows(BatchId("a")) == {1: "cancelled", 2: "cancelled"}
    assert [each.row for each in driver.ledger.outbox(BatchId("a"), "0")] == [1, 2]
    assert driver.ledger.status(BatchId("a")).complete
    assert driver.counts("b") == {"queued": 1}
    driver.succeeded()
    assert driver.counts("a") == {"cancelled": 2}
    assert driver.counts("b") == {"succeeded": 1}
    assert driver.spent("b") == 1, "who still wants it pays"


def test_the_batch_that_joined_may_leave_without_moving_the_job(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.admit("b", ["x"])
    assert driver.ledger.run(steps.cancel("b", rid("x")))
    assert driver.line("a")[0] == rid("x")
    assert not driver.ledger.run(steps.cancel("b", rid("x")))


def test_a_job_under_way_is_finished_since_it_is_bought(driver: Driver) -> None:
    driver.admit("a", ["x"])
    permit = driver.granted()
    assert not driver.ledger.run(steps.cancel("a", rid("x"))), "a permit is out"
    assert driver.begin(rid("x"), permit.claim) == "go"
    assert not driver.ledger.run(steps.cancel("a", rid("x")))


def test_a_job_that_waits_for_its_next_task_can_be_cancelled(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.submitted(task="t")
    driver.ledger.run(steps.again(rid("x"), TaskId("t"), 0))
    assert driver.ledger.run(steps.cancel("a", rid("x")))
    assert driver.members("retry") == {}
    driver.ledger.run(steps.reconcile(policy="hold", quiet_s=1))
    assert driver.ask().kind == "empty"


def test_a_job_waiting_for_its_next_task_goes_to_the_batch_that_is_left(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.admit("b", ["x"])
    driver.submitted(task="t")
    driver.ledger.run(steps.again(rid("x"), TaskId("t"), 0))
    assert driver.ledger.run(steps.cancel("a", rid("x")))
    driver.score("retry", rid("x"), 0)
    driver.ledger.run(steps.reconcile(policy="hold", quiet_s=1))
    assert set(driver.line("b")) == {rid("x")}


@pytest.mark.parametrize("state", ["failed", "rejected", "unknown", "cancelled"])
def test_reopening_puts_the_job_first_in_the_line_as_if_never_tried(driver: Driver, state: str) -> None:
    driver.admit("a", ["x", "y"], seal=True)
    if state == "cancelled":
        driver.ledger.run(steps.cancel("a", rid("x")))
    elif state == "unknown":
        driver.unknown()
    else:
        job = driver.submitted()
        driver.ledger.run(steps.fail(job.request_id, failure(), JobState(state)))
    wrong = JobState.SUCCEEDED
    assert not driver.ledger.run(steps.reopen(rid("x"), wrong))
    assert driver.ledger.run(steps.reopen(rid("x"), JobState(state)))
    assert not driver.ledger.run(steps.reopen(rid("x"), JobState(state)))
    job = driver.job(rid("x"))
    assert (job.state, job.failure, job.task_id, job.finished_ms) == (JobState.QUEUED, None, None, None)
    assert list(dict.fromkeys(driver.line("a"))) == [rid("x"), rid("y")]
    assert driver.members("unknown") == {}
    assert driver.granted().request_id == rid("x")


def test_a_complete_batch_is_open_and_exported_again_when_a_job_is_reopened(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.failed(retryable=True)
    entries = driver.ledger.outbox(BatchId("a"), "0")
    assert driver.ledger.deactivate(BatchId("a"), entries[-1].entry_id)
    assert driver.ledger.active_batches() == []
    driver.ledger.run(steps.reopen(rid("x"), JobState.FAILED))
    assert driver.ledger.active_batches() == ["a"]
    assert driver.ledger.status(BatchId("a")).completed_ms is None
    driver.succeeded()
    told = driver.ledger.outbox(BatchId("a"), "0")
    assert [each.version for each in told] == sorted({each.version for each in told})
    assert told[-1].version == driver.job(rid("x")).version


def test_a_batch_with_something_new_is_not_put_to_rest(driver: Driver) -> None:
    driver.admit("a", ["x", None])
    told = driver.ledger.outbox(BatchId("a"), "0")[-1].entry_id
    assert not driver.ledger.deactivate(BatchId("a"), told), "it is not complete"
    driver.ledger.seal(BatchId("a"))
    driver.failed(retryable=True)
    assert not driver.ledger.deactivate(BatchId("a"), told), "its last row is not exported"
    last = driver.ledger.outbox(BatchId("a"), "0")[-1].entry_id
    driver.ledger.run(steps.reopen(rid("x"), JobState.FAILED))
    assert not driver.ledger.deactivate(BatchId("a"), last), "somebody reopened it meanwhile"
    assert driver.ledger.active_batches() == ["a"]


def test_an_unknown_job_that_turns_out_refused_is_exported(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    permit = driver.unknown()
    last = driver.ledger.outbox(BatchId("a"), "0")[-1].entry_id
    assert driver.ledger.deactivate(BatchId("a"), last)
    assert driver.ledger.run(steps.refuse(rid("x"), permit.claim, failure(), answered=True))
    assert driver.ledger.active_batches() == ["a"]


def _cancelled(driver: Driver, batch: str, name: str) -> None:
    driver.ledger.client.hset(driver.ledger.key("batch", batch), "cancelled", 1)
    assert driver.ledger.run(steps.cancel(batch, rid(name)))


@pytest.mark.parametrize("by", ["retry", "manifest"])
@pytest.mark.parametrize("bought", [False, True])
def test_a_row_that_left_a_shared_job_joins_it_again_when_its_batch_is_wanted(
    driver: Driver, queue: Queue, by: str, bought: bool
) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.admit("b", ["x"], seal=True)
    _cancelled(driver, "a", "x")
    if bought:
        driver.succeeded()
    if by == "retry":
        retried = control.retry(driver.ledger, queue, BatchId("a"), control.Wanted(failed=True))
        assert retried.queued == 1
    else:
        driver.admit("a", ["x"], seal=True)
    assert driver.counts("a") == {"succeeded" if bought else "queued": 1}
    assert driver.ledger.left_rows(BatchId("a")) == {}
    if not bought:
        driver.succeeded()
    assert driver.counts("a") == driver.counts("b") == {"succeeded": 1}
    status = driver.ledger.status(BatchId("a"))
    assert status.complete
    assert status.completed_ms is not None
    assert driver.ledger.outbox(BatchId("a"), "0")[-1].request_id == rid("x"), "its file hears of the picture"


def test_a_retry_moves_nothing_for_a_batch_that_has_left(driver: Driver, queue: Queue) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.admit("b", ["x"], seal=True)
    _cancelled(driver, "a", "x")
    _cancelled(driver, "b", "x")
    assert control.retry(driver.ledger, queue, BatchId("a"), control.Wanted(failed=True)).queued == 1
    assert driver.counts("a") == {"queued": 1}
    driver.succeeded()
    assert driver.spent("a") == 1, "who wants it pays"
    assert driver.counts("a") == {"succeeded": 1}


def test_a_cancelled_batch_that_is_run_again_is_wanted(driver: Driver, queue: Queue) -> None:
    driver.admit("a", ["x", "y"], seal=True)
    control.cancel(driver.ledger, queue, BatchId("a"))
    assert driver.counts("a") == {"cancelled": 2}
    driver.ledger.open_batch(BatchId("a"))
    assert control.retry_failed(driver.ledger, queue, BatchId("a")) == 2
    assert driver.counts("a") == {"queued": 2}


# -- paid losses ---------------------------------------------------------------------------------------------


def _lost(driver: Driver, *kinds: str) -> None:
    """A batch whose jobs w, x, … were bought and brought no picture."""
    names = "wxyz"[: len(kinds)]
    driver.admit("a", list(names), seal=True)
    for name, kind in zip(names, kinds, strict=True):
        driver.submitted(task=f"t-{name}", subs=("s1", "s2"))
        driver.ledger.run(steps.fail(rid(name), failure(kind=kind)))


@pytest.mark.parametrize("kind", sorted(PAID_LOSSES))
@pytest.mark.parametrize("by", ["retry", "manifest"])
def test_a_retry_of_a_paid_loss_asks_its_old_task_and_buys_nothing(
    driver: Driver, queue: Queue, kind: str, by: str
) -> None:
    _lost(driver, kind)
    wanted = control.Wanted(failed=True)
    assert control.foresee_retry(driver.ledger, BatchId("a"), wanted) == control.Retried(asked=1)
    if by == "retry":
        retried = control.retry(driver.ledger, queue, BatchId("a"), wanted)
        assert retried == control.Retried(asked=1)
    else:
        assert control.retry_failed(driver.ledger, queue, BatchId("a")) == 1
    job = driver.job(rid("w"))
    assert (job.state, job.task_id, job.past_task_ids) == (JobState.SUBMITTED, "t-w", ())
    assert (driver.members("leases"), driver.line("a")) == ({}, [])
    assert driver.ask().kind == "empty"
    assert driver.spent("a") == 1


def test_a_paid_loss_is_bought_anew_on_a_persons_word_and_its_old_id_is_kept(
    driver: Driver, queue: Queue
) -> None:
    _lost(driver, "task_lost", "picture_lost", "task_failed")
    wanted = control.Wanted(lost=True)
    foreseen = control.foresee_retry(driver.ledger, BatchId("a"), wanted)
    assert foreseen == control.Retried(queued=2, pictures=4), "what HiDream has failed is no loss"
    assert control.retry(driver.ledger, queue, BatchId("a"), wanted) == foreseen
    assert driver.counts("a") == {"queued": 2, "failed": 1}
    job = driver.submitted(task="new")
    assert (job.task_id, job.past_task_ids) == ("new", (f"t-{_name(job)}",))
    assert control.retry(driver.ledger, queue, BatchId("a"), wanted).jobs == 0


def test_an_old_task_that_ends_well_after_its_job_was_bought_anew_breaks_nothing(
    driver: Driver, queue: Queue
) -> None:
    _lost(driver, "task_timeout")
    control.retry(driver.ledger, queue, BatchId("a"), control.Wanted(lost=True))
    before = driver.snapshot()
    assert driver.ledger.run(steps.hint(rid("w"), "t-w"))
    assert driver.snapshot() == before
    driver.submitted(task="new")
    assert driver.ledger.run(steps.hint(rid("w"), "t-w"))
    assert not driver.ledger.run(steps.ended(rid("w"), TaskId("t-w"), ["u"], "poll", None))
    assert driver.job(rid("w")).task_id == "new"
    assert driver.ledger.client.hget(driver.ledger.key("tasks"), "t-w") == rid("w")


def test_a_callback_of_a_task_that_was_given_up_has_it_asked_again(driver: Driver) -> None:
    _lost(driver, "task_lost")
    assert driver.ledger.run(steps.hint(rid("w"), "another"))
    assert driver.state(rid("w")) is JobState.FAILED
    assert driver.ledger.run(steps.hint(rid("w"), "t-w"))
    assert driver.state(rid("w")) is JobState.SUBMITTED


def test_a_retry_of_unknown_ones_says_how_many_may_be_bought_a_second_time(
    driver: Driver, queue: Queue
) -> None:
    driver.admit("a", ["x", "y"], seal=True)
    driver.unknown()
    driver.unknown()
    foreseen = control.foresee_retry(driver.ledger, BatchId("a"), control.Wanted(unknown=True))
    assert foreseen == control.Retried(queued=2, pictures=2)


def _name(job: Job) -> str:
    return next(name for name in "wxyz" if rid(name) == job.request_id)


def test_a_retry_of_one_batch_does_not_bring_back_another_that_was_cancelled(
    driver: Driver, queue: Queue
) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.failed(retryable=True)
    driver.admit("b", ["x", "y", "z"], seal=True)
    driver.failed(retryable=True)
    # Whoever cancelled it was killed before its jobs were taken out of the line.
    driver.ledger.client.hset(driver.ledger.key("batch", "b"), "cancelled", 1)
    assert driver.ask().kind == "empty"
    assert control.retry(driver.ledger, queue, BatchId("a"), control.Wanted(failed=True)).queued == 1
    assert driver.succeeded().request_id == rid("x")
    assert driver.ask().kind == "empty"
    assert driver.ledger.batch(BatchId("b")).cancelled
    assert driver.spent("b") == 1, "nothing more is bought for it"
