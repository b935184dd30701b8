"""A reply of `take_due` that was lost must not hide tasks for the whole hold: found by the harness as a stall of 30 s."""

from jobs.ledger import steps
from tests.driver import Driver, rid


def test_the_same_call_sent_again_hands_out_the_same_tasks(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.submitted(task="t")
    driver.score("due", rid("x"), 1)
    call = steps.take_due(8)
    first, again = driver.ledger.run(call), driver.ledger.run(call)
    assert [job.request_id for job in first.jobs] == [job.request_id for job in again.jobs] == [rid("x")]
    assert driver.ledger.run(steps.take_due(8)).jobs == ()


def test_a_task_that_ended_meanwhile_is_not_handed_out_again(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.submitted(task="t")
    driver.score("due", rid("x"), 1)
    call = steps.take_due(8)
    driver.ledger.run(call)
    driver.ledger.client.zrem(driver.ledger.key("due"), rid("x"))
    assert driver.ledger.run(call).jobs == ()
    assert driver.ledger.client.zcard(driver.ledger.key("due")) == 0
