"""A reply of `take_due` that was lost must not hide tasks for the whole hold: found by the harness as a stall of 30 s."""

from jobs.ledger import steps
from tests.heart import Heart, rid


def test_the_same_call_sent_again_hands_out_the_same_tasks(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.submitted(task="t")
    heart.score("due", rid("x"), 1)
    call = steps.take_due(8)
    first, again = heart.ledger.run(call), heart.ledger.run(call)
    assert [job.request_id for job in first.jobs] == [job.request_id for job in again.jobs] == [rid("x")]
    assert heart.ledger.run(steps.take_due(8)).jobs == ()


def test_a_task_that_ended_meanwhile_is_not_handed_out_again(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.submitted(task="t")
    heart.score("due", rid("x"), 1)
    call = steps.take_due(8)
    heart.ledger.run(call)
    heart.ledger.client.zrem(heart.ledger.key("due"), rid("x"))
    assert heart.ledger.run(call).jobs == ()
    assert heart.ledger.client.zcard(heart.ledger.key("due")) == 0
