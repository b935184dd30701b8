"""Pruning beside second takes, settling, retrying and recovering: each alone is tested elsewhere."""

from pathlib import Path

import pytest

from jobs.cli.retaking import foresee_retakes, retake
from jobs.errors import NotFoundError
from jobs.identity import version_id
from jobs.ledger import pruning, steps
from jobs.ledger.recovery import Finding, bring_in
from jobs.producing import control
from jobs.producing.control import Wanted as Retry
from jobs.producing.queue import Queue
from jobs.records import BatchId, JobState, TaskId
from tests.driver import Driver, rid, row
from tests.ledger.test_pruning import OLD, bought, pass_days, pruned, rest

A, B = BatchId("a"), BatchId("b")


def begun(driver: Driver, words: str = "") -> None:
    pass_days(driver)
    begin = pruning.begin(A, OLD.older_than_ms, words) if words else pruning.begin(A, OLD.older_than_ms)
    assert driver.ledger.run(begin) is pruning.Begun.BEGUN


def test_a_batch_that_is_being_pruned_takes_no_second_take(driver: Driver, queue: Queue) -> None:
    bought(driver, "a", "x")
    due = foresee_retakes(driver.ledger, A, frozenset({"x"})).retakes
    assert len(due) == 1
    begun(driver)
    with pytest.raises(NotFoundError):
        retake(driver.ledger, queue, A, due)
    assert driver.raw(version_id(rid("x"), 2)) == {}


def test_an_unknown_row_of_a_batch_that_is_being_pruned_is_not_settled(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.unknown()
    rest(driver, "a")
    begun(driver, "unknown")
    assert driver.ledger.run(steps.settle(rid("x"), "a", "not_bought", by="ann")).kind == "none"
    assert driver.state(rid("x")) is JobState.UNKNOWN


def test_settling_anew_does_not_bring_a_pruned_batch_back(
    driver: Driver, queue: Queue, tmp_path: Path
) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.unknown()
    driver.admit("b", ["x"], seal=True)
    assert driver.ledger.run(steps.settle(rid("x"), "b", "not_bought", by="ann")).kind == "settled"
    control.cancel(driver.ledger, queue, A)
    rest(driver, "a")
    pass_days(driver)
    pruned(driver, tmp_path)
    driver.ledger.run(steps.settle(rid("x"), "b", "leave", by="ann", force=True))
    assert not driver.ledger.client.exists(driver.ledger.key("batch", "a"))


def test_the_task_of_a_pruned_pair_is_no_others(driver: Driver, tmp_path: Path) -> None:
    bought(driver, "a", "x")
    task = driver.job(rid("x")).task_id
    assert task is not None
    pass_days(driver)
    pruned(driver, tmp_path)
    driver.admit("b", ["x", "y"], seal=True)
    driver.unknown()
    assert driver.ledger.run(steps.settle(rid("y"), "b", "bought", by="ann", task_id=task)).kind == "taken"


def test_another_task_of_a_pruned_pair_is_brought_in(driver: Driver, tmp_path: Path) -> None:
    bought(driver, "a", "x")
    pass_days(driver)
    pruned(driver, tmp_path)
    finding = Finding(
        request_id=rid("x"),
        state=JobState.SUBMITTED,
        task_id=TaskId("anew"),
        pair=row(1, "x").pair,
        fields={},
    )
    assert driver.ledger.run(bring_in(finding)) != 0
    assert driver.ledger.client.hget(driver.ledger.key("tasks"), "anew") == rid("x")


def test_what_a_person_had_bought_anew_and_cancelled_is_not_bought_without_a_word(
    driver: Driver, queue: Queue, tmp_path: Path
) -> None:
    bought(driver, "a", "x")
    pass_days(driver)
    pruned(driver, tmp_path)
    driver.admit("b", ["x"], seal=True)
    control.retry(driver.ledger, queue, B, Retry(lost=True))
    control.cancel(driver.ledger, queue, B)
    assert driver.admit("c", ["x"], seal=True).queued == ()
    assert driver.line("c") == []
