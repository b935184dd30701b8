"""A script whose reply was lost is sent again, with the same token: the whole ledger is then as after the first sending."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import jobs.ledger
from jobs.gate.account import doubt
from jobs.ledger import steps
from jobs.ledger.recovery import Finding, bring_in
from jobs.ledger.script import Call, script
from jobs.records import BatchId, JobState, TaskId
from tests.heart import Heart, failure, picture, rid, row

X = rid("x")
TASK = TaskId("t")


def _ended(heart: Heart) -> Call[Any]:
    heart.submitted(task=TASK)
    return steps.ended(X, TASK, ["u"], "callback", 12_000)


def _of_a_task(step: Call[Any]) -> Callable[[Heart], Call[Any]]:
    def ready(heart: Heart) -> Call[Any]:
        heart.submitted(task=TASK)
        heart.score("due", X, 0)
        return step

    return ready


def _accept(heart: Heart) -> Call[Any]:
    permit = heart.submitting()
    return steps.accept(X, permit.claim, TASK, ["s"], first_poll_ms=5_000)


def _again_after_a_loss(*, anew: bool) -> Callable[[Heart], Call[Any]]:
    def ready(heart: Heart) -> Call[Any]:
        heart.submitted(task=TASK)
        heart.ledger.run(steps.fail(X, failure(kind="task_lost")))
        return steps.reopen(X, JobState.FAILED, "a", anew=anew)

    return ready


def _left_alone(heart: Heart) -> Call[Any]:
    heart.admit("b", ["x"])
    return steps.cancel("a", X)


def _adopt(heart: Heart) -> Call[Any]:
    heart.unknown()
    return steps.hint(X, TASK)


def _dead(heart: Heart) -> Call[Any]:
    heart.submitting()
    heart.score("posting", X, 0)
    return steps.reconcile(policy="hold", quiet_s=1)


def _doubtful(heart: Heart) -> Call[Any]:
    heart.submitted(task=TASK)
    return doubt("silence", "why")


def _complete(heart: Heart) -> Call[Any]:
    heart.ledger.seal(BatchId("a"))
    heart.failed(retryable=True)
    last = heart.ledger.outbox(BatchId("a"), "0")[-1].entry_id
    return Call(script("jobs.ledger", "deactivate"), ("a", last), bool)


def _broken(heart: Heart) -> Call[Any]:
    heart.admit("a", ["y"], 2, seal=True)
    heart.ledger.client.delete(heart.ledger.key("job", X))
    heart.ledger.client.hdel(heart.ledger.key("job", rid("y")), "refs")
    return Call(script("jobs.ledger", "fix"), ("a",), list)


def _admit(heart: Heart) -> Call[Any]:
    new = row(2, "y")
    args = ("a", "admit", "", new.number, new.request_id, new.row, new.pair, "", "")
    return Call(script("jobs.ledger", "admit"), args, list)


def _late(heart: Heart) -> Call[Any]:
    heart.unknown()
    return steps.keep_task(X, TASK, ["s"], ledger_id="")


def _recovered(heart: Heart) -> Call[Any]:
    heart.failed(retryable=True)
    fields = {"attempts": "1"}
    finding = Finding(
        request_id=rid("lost"),
        state=JobState.SUBMITTED,
        task_id=TASK,
        pair=row(2, "lost").pair,
        fields=fields,
    )
    return bring_in(finding)


def _accepting(heart: Heart) -> Call[Any]:
    return Call(script("jobs.ledger", "accept_ledger"), ("fresh", "another", 7), list)


def _open(heart: Heart) -> Call[Any]:
    return Call(script("jobs.ledger", "open_batch"), ("b", "token"), list)


def _seal(heart: Heart) -> Call[Any]:
    return Call(script("jobs.ledger", "seal"), ("a",), bool)


#: Script → what it is sent for.
CASES: list[tuple[str, Callable[[Heart], Call[Any]]]] = [
    ("accept", _accept),
    ("accept_ledger", _accepting),
    ("admit", _admit),
    ("again", _of_a_task(steps.again(X, TASK, 1_000))),
    ("cancel", lambda _: steps.cancel("a", X)),
    ("cancel", _left_alone),
    ("deactivate", _complete),
    ("defer", _of_a_task(steps.defer(X, 1_000, predicted_ms=9, odd="5", incomplete="1 0"))),
    ("defer", _of_a_task(steps.defer(X, 1_000, answered=False, missing_since_ms=1))),
    ("ended", _ended),
    ("hint", _of_a_task(steps.hint(X, TASK))),
    ("hint", _adopt),
    ("keep_task", _late),
    ("fix", _broken),
    ("open_batch", _open),
    ("reconcile", _dead),
    ("recover", _recovered),
    ("reopen", _again_after_a_loss(anew=False)),
    ("reopen", _again_after_a_loss(anew=True)),
    ("seal", _seal),
    ("take_due", _of_a_task(steps.take_due(8))),
    ("transition", _of_a_task(steps.succeed(X, [picture()], None))),
    ("transition", _of_a_task(steps.fail(X, failure(kind="task_lost")))),
    ("transition", _of_a_task(steps.ask_again(X, 9, fetches=1, failed_ms=1))),
    ("transition", _of_a_task(steps.postpone(X, 9, refused_ms=1))),
    ("transition", _of_a_task(steps.stumble(X, 9, task_id=TASK, errors=1, over=True))),
    ("doubt", _doubtful),
]


#: What they answer the second time is told to nobody, or is what is true then.
ANSWERS_OTHERWISE = {"admit", "fix", "open_batch"}


@pytest.mark.parametrize(("name", "ready"), CASES)
def test_a_script_sent_twice_changes_nothing_more_and_answers_alike(
    heart: Heart, name: str, ready: Callable[[Heart], Call[Any]]
) -> None:
    heart.admit("a", ["x"])
    call = ready(heart)
    before = heart.snapshot()
    reply = heart.ledger.run(call)
    after = heart.snapshot()
    assert after != before, f"{name} is sent for nothing"
    repeated = heart.ledger.run(call)
    again = heart.snapshot()
    if name == "take_due":
        # It hides them from others for as long as it says, from the sending that is heard.
        after.pop("due"), again.pop("due"), after.pop("leases"), again.pop("leases")
        assert [job.request_id for job in repeated.jobs] == [job.request_id for job in reply.jobs]
    elif name not in ANSWERS_OTHERWISE:
        assert repeated == reply
    if name == "open_batch":
        # By age, which is of the last sending.
        assert after.pop("active").keys() == again.pop("active").keys()
    assert again == after


def test_every_script_of_the_ledger_is_sent_twice() -> None:
    folder = Path(jobs.ledger.__file__).parent / "lua"
    assert {path.stem for path in folder.glob("*.lua")} - {"prelude"} == {name for name, _ in CASES} - {
        "doubt"
    }
