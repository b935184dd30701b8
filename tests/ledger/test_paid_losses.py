"""A task that was paid for and brought no picture: its id is kept, and it is asked again before anything is bought."""

import pytest

from jobs.ledger import RowFate, steps
from jobs.ledger.script import script
from jobs.records import PAID_LOSSES, BatchId, JobState, TaskId
from tests.driver import Driver, failure, rid, row


def lost(driver: Driver, kind: str, *, retryable: bool = True) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.submitted(task="t")
    assert driver.ledger.run(steps.fail(rid("x"), failure(kind=kind, retryable=retryable)))
    assert driver.counts("a") == {"failed": 1}


@pytest.mark.parametrize("kind", sorted(PAID_LOSSES))
@pytest.mark.parametrize("retryable", [True, False])
def test_another_batch_asks_the_old_task_and_buys_nothing(
    driver: Driver, kind: str, *, retryable: bool
) -> None:
    lost(driver, kind, retryable=retryable)
    assert driver.ledger.fates(BatchId("b"), [row(1, "x")]) == [RowFate.ASKED], "the plan says the same"
    admitted = driver.admit("b", ["x", "x"], seal=True)
    assert admitted.queued == ()
    job = driver.job(rid("x"))
    assert (job.state, job.task_id, job.failure) == (JobState.SUBMITTED, "t", None)
    assert job.asked_ms is not None
    assert rid("x") in driver.members("due")
    assert driver.members("leases") == {}, "whether it runs is not known yet"
    assert driver.counts("a") == {"submitted": 1}
    assert driver.counts("b") == {"submitted": 2}
    assert driver.ledger.status(BatchId("b")).open == 2
    assert driver.spent("b") == 0
    assert driver.ask().kind == "empty"


@pytest.mark.parametrize("kind", ["task_failed", "no_result"])
def test_a_task_that_hidream_ended_without_a_picture_is_bought_again(driver: Driver, kind: str) -> None:
    lost(driver, kind)
    assert driver.ledger.fates(BatchId("b"), [row(1, "x")]) == [RowFate.AGAIN]
    assert driver.admit("b", ["x"]).queued == (rid("x"),)


def test_the_id_of_a_replaced_task_is_kept(driver: Driver) -> None:
    driver.admit("a", ["x"])
    for task in ("t1", "t2", "t3"):
        driver.submitted(task=task)
        assert driver.ledger.run(steps.again(rid("x"), TaskId(task), 0))
        driver.ledger.run(steps.reconcile(policy="hold", quiet_s=1))
    assert driver.job(rid("x")).past_task_ids == ("t1", "t2", "t3")


def test_lua_and_python_name_the_same_losses() -> None:
    text = script("jobs.ledger", "admit").text
    listed = text.split("local PAID_LOSSES = {", 1)[1].split("}", 1)[0]
    assert {part.split("=")[0].strip() for part in listed.split(",") if "=" in part} == PAID_LOSSES
