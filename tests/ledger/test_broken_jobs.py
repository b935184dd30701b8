"""Jobs whose hash is gone, or does not say who wants them: they stop neither the others nor their batch."""

import pytest

from jobs.config.settings import Settings
from jobs.ledger import steps
from jobs.ledger.codec import UNREADABLE
from jobs.producing.queue import Queue
from jobs.records import BatchId, JobState, Owner, TaskId
from tests.heart import Heart, failure, rid
from worker.collect.reconciler import Reconciler


def reconcile(heart: Heart, queue: Queue) -> None:
    Reconciler(heart.ledger, queue, Settings()).reconcile()


def spoil(heart: Heart, name: str, *, gone: bool) -> None:
    if gone:
        heart.ledger.client.delete(heart.ledger.key("job", rid(name)))
    else:
        heart.ledger.client.hdel(heart.ledger.key("job", rid(name)), "refs")


@pytest.mark.parametrize("state", ["queued", "submitted", "retry", "submitting"])
def test_a_job_that_is_gone_is_told_with_a_reason_and_its_batch_ends(
    heart: Heart, queue: Queue, state: str
) -> None:
    heart.admit("a", ["x", "x", None], seal=True)
    match state:
        case "submitted":
            heart.submitted(task="t")
            heart.score("due", rid("x"), 0)
        case "retry":
            heart.submitted(task="t")
            assert heart.ledger.run(steps.again(rid("x"), TaskId("t"), 0))
            heart.score("retry", rid("x"), 0)
        case "submitting":
            heart.submitting()
            heart.score("posting", rid("x"), 0)
        case _:
            pass
    spoil(heart, "x", gone=True)
    assert heart.ask().kind == "empty", "the gate goes on"
    assert heart.ledger.run(steps.take_due(8)).jobs == ()
    reconcile(heart, queue)
    reconcile(heart, queue)
    status = heart.ledger.status(BatchId("a"))
    assert (status.counts, status.complete) == ({"failed": 2, "invalid": 1}, True)
    assert status.completed_ms is not None
    job = heart.job(rid("x"))
    assert job.failure is not None
    assert (job.failure.kind, job.failure.owner, job.failure.retryable) == (UNREADABLE, Owner.OPS, False)
    assert heart.ledger.outbox(BatchId("a"), "0")[-1].request_id == rid("x")
    assert heart.admit("b", ["x"]).queued == (), "what it has cost nobody knows: it is not bought by itself"
    assert heart.members("broken") == heart.members("leases") == heart.members("posting") == {}


def test_a_waiting_job_that_does_not_know_who_wants_it_is_bought_in_the_end(
    heart: Heart, queue: Queue
) -> None:
    heart.admit("a", ["x", "y"], seal=True)
    spoil(heart, "x", gone=False)
    assert heart.granted().request_id == rid("y"), "the gate goes on"
    reconcile(heart, queue)
    assert heart.job(rid("x")).refs == {"a": (1,)}
    assert heart.granted().request_id == rid("x")


def test_a_task_whose_job_does_not_know_who_wants_it_ends_its_batch(heart: Heart, queue: Queue) -> None:
    heart.admit("a", ["x"], seal=True)
    heart.submitted(task="t")
    spoil(heart, "x", gone=False)
    heart.score("due", rid("x"), 0)
    [due] = heart.ledger.run(steps.take_due(8)).jobs
    assert due.failure is not None
    assert due.failure.kind == UNREADABLE
    reconcile(heart, queue)
    assert heart.ledger.run(steps.fail(rid("x"), failure()))
    assert heart.ledger.status(BatchId("a")).complete
    assert heart.state(rid("x")) is JobState.FAILED
