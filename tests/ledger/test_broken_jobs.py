"""Jobs whose hash is gone, or does not say who wants them: they stop neither the others nor their batch."""

import pytest

from jobs.config.settings import Settings
from jobs.ledger import steps
from jobs.ledger.codec import UNREADABLE
from jobs.producing.queue import Queue
from jobs.records import BatchId, JobState, Owner, TaskId
from tests.driver import Driver, failure, rid
from worker.collect.reconciler import Reconciler


def reconcile(driver: Driver, queue: Queue) -> None:
    Reconciler(driver.ledger, queue, Settings()).reconcile(driver.ledger.active_batches())


def spoil(driver: Driver, name: str, *, gone: bool) -> None:
    if gone:
        driver.ledger.client.delete(driver.ledger.key("job", rid(name)))
    else:
        driver.ledger.client.hdel(driver.ledger.key("job", rid(name)), "refs")


@pytest.mark.parametrize("state", ["queued", "submitted", "retry", "submitting"])
def test_a_job_that_is_gone_is_told_with_a_reason_and_its_batch_ends(
    driver: Driver, queue: Queue, state: str
) -> None:
    driver.admit("a", ["x", "x", None], seal=True)
    match state:
        case "submitted":
            driver.submitted(task="t")
            driver.score("due", rid("x"), 0)
        case "retry":
            driver.submitted(task="t")
            assert driver.ledger.run(steps.again(rid("x"), TaskId("t"), 0))
            driver.score("retry", rid("x"), 0)
        case "submitting":
            driver.submitting()
            driver.score("posting", rid("x"), 0)
        case _:
            pass
    spoil(driver, "x", gone=True)
    assert driver.ask().kind == "empty", "the gate goes on"
    assert driver.ledger.run(steps.take_due(8)).jobs == ()
    reconcile(driver, queue)
    reconcile(driver, queue)
    status = driver.ledger.status(BatchId("a"))
    assert (status.counts, status.complete) == ({"failed": 2, "invalid": 1}, True)
    assert status.completed_ms is not None
    job = driver.job(rid("x"))
    assert job.failure is not None
    assert (job.failure.kind, job.failure.owner, job.failure.retryable) == (UNREADABLE, Owner.OPS, False)
    assert driver.ledger.outbox(BatchId("a"), "0")[-1].request_id == rid("x")
    assert driver.admit("b", ["x"]).queued == (), "what it has cost nobody knows: it is not bought by itself"
    assert driver.members("broken") == driver.members("leases") == driver.members("posting") == {}


def test_a_waiting_job_that_does_not_know_who_wants_it_is_bought_in_the_end(
    driver: Driver, queue: Queue
) -> None:
    driver.admit("a", ["x", "y"], seal=True)
    spoil(driver, "x", gone=False)
    assert driver.granted().request_id == rid("y"), "the gate goes on"
    reconcile(driver, queue)
    assert driver.job(rid("x")).refs == {"a": (1,)}
    assert driver.granted().request_id == rid("x")


def test_a_task_whose_job_does_not_know_who_wants_it_ends_its_batch(driver: Driver, queue: Queue) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.submitted(task="t")
    spoil(driver, "x", gone=False)
    driver.score("due", rid("x"), 0)
    [due] = driver.ledger.run(steps.take_due(8)).jobs
    assert due.failure is not None
    assert due.failure.kind == UNREADABLE
    reconcile(driver, queue)
    assert driver.ledger.run(steps.fail(rid("x"), failure()))
    assert driver.ledger.status(BatchId("a")).complete
    assert driver.state(rid("x")) is JobState.FAILED
