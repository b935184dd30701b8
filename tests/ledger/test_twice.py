"""A script whose reply was lost is sent again, with the same token: the whole ledger is then as after the first sending."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import msgpack
from msgspec.structs import replace

import jobs.ledger
from jobs.gate.account import doubt
from jobs.identity import version_id
from jobs.ledger import Admission, pruning, steps
from jobs.ledger.codec import encode
from jobs.ledger.intents import Intent
from jobs.ledger.records import Heartbeat, RowRecord
from jobs.ledger.recovery import Finding, bring_in
from jobs.ledger.script import Call, script
from jobs.records import BatchId, JobState, SettledAs, TaskId
from tests.driver import Driver, failure, picture, rid, row

X = rid("x")
TASK = TaskId("t")
SAID = Heartbeat(role="submit", host="h", pid=1, version="0", up_ms=1)


def _ended(driver: Driver) -> Call[Any]:
    driver.submitted(task=TASK)
    return steps.ended(X, TASK, ["u"], "callback", 12_000)


def _of_a_task(step: Call[Any]) -> Callable[[Driver], Call[Any]]:
    def ready(driver: Driver) -> Call[Any]:
        driver.submitted(task=TASK)
        driver.score("due", X, 0)
        return step

    return ready


def _accept(driver: Driver) -> Call[Any]:
    permit = driver.submitting()
    return steps.accept(X, permit.claim, TASK, ["s"], first_poll_ms=5_000)


def _again_after_a_loss(*, anew: bool) -> Callable[[Driver], Call[Any]]:
    def ready(driver: Driver) -> Call[Any]:
        driver.submitted(task=TASK)
        driver.ledger.run(steps.fail(X, failure(kind="task_lost")))
        return steps.reopen(X, JobState.FAILED, "a", anew=anew)

    return ready


def _left_alone(driver: Driver) -> Call[Any]:
    driver.admit("b", ["x"])
    return steps.cancel("a", X)


def _adopt(driver: Driver) -> Call[Any]:
    driver.unknown()
    return steps.hint(X, TASK)


def _dead(driver: Driver) -> Call[Any]:
    driver.submitting()
    driver.score("posting", X, 0)
    return steps.reconcile(policy="hold", quiet_s=1)


def _doubtful(driver: Driver) -> Call[Any]:
    driver.submitted(task=TASK)
    return doubt("silence", "why")


def _complete(driver: Driver) -> Call[Any]:
    driver.ledger.seal(BatchId("a"))
    driver.failed(retryable=True)
    last = driver.ledger.outbox(BatchId("a"), "0")[-1].entry_id
    return Call(script("jobs.ledger", "deactivate"), ("a", last), bool)


def _broken(driver: Driver) -> Call[Any]:
    driver.admit("a", ["y"], 2, seal=True)
    driver.ledger.client.delete(driver.ledger.key("job", X))
    driver.ledger.client.hdel(driver.ledger.key("job", rid("y")), "refs")
    return Call(script("jobs.ledger", "fix"), ("a",), list)


def _admit(driver: Driver) -> Call[Any]:
    args = ("a", "admit", "", msgpack.encode([row(2, "y")]))
    return Call(script("jobs.ledger", "admit"), args, list)


def _late(driver: Driver) -> Call[Any]:
    driver.unknown()
    return steps.keep_task(X, TASK, ["s"], ledger_id="")


def _recovered(driver: Driver) -> Call[Any]:
    driver.failed(retryable=True)
    fields = {"attempts": "1"}
    finding = Finding(
        request_id=rid("lost"),
        state=JobState.SUBMITTED,
        task_id=TASK,
        pair=row(2, "lost").pair,
        fields=fields,
    )
    return bring_in(finding)


def _accepting(driver: Driver) -> Call[Any]:
    return Call(script("jobs.ledger", "accept_ledger"), ("fresh", "another", 7), list)


def _settled(outcome: SettledAs) -> Callable[[Driver], Call[Any]]:
    def ready(driver: Driver) -> Call[Any]:
        driver.unknown()
        return steps.settle(X, "a", outcome, by="me", task_id=TASK if outcome == "bought" else "")

    return ready


def _retake(driver: Driver) -> Call[Any]:
    driver.ledger.seal(BatchId("a"))
    driver.succeeded()
    name = version_id(X, 2)
    text = encode(RowRecord(job=name, line=2, sku="x", fields={}, of=1, version=2))
    asked = [Admission(number=1, request_id=name, row=text, pair=row(1, "x").pair)]
    return Call(script("jobs.ledger", "admit"), ("a", "retake", "2", msgpack.encode(asked)), list)


def _open(driver: Driver) -> Call[Any]:
    return Call(script("jobs.ledger", "open_batch"), ("b", "token"), list)


def _over(driver: Driver) -> None:
    """Batch a has ended, and its files are written."""
    driver.ledger.seal(BatchId("a"))
    driver.succeeded()
    assert driver.ledger.deactivate(BatchId("a"), driver.ledger.last_entry(BatchId("a")))


def _pruned(driver: Driver) -> Call[Any]:
    _over(driver)
    return pruning.begin(BatchId("a"), 0)


def _forgotten(driver: Driver) -> Call[Any]:
    driver.ledger.run(_pruned(driver))
    return pruning.forget_rows(BatchId("a"), [1])


def _nobodys(driver: Driver) -> Call[Any]:
    driver.succeeded()
    driver.ledger.client.hset(driver.ledger.key("job", X), "refs", "")
    return pruning.forget_nobodys(0, "", [X])


def _pruned_to_the_end(driver: Driver) -> Call[Any]:
    driver.ledger.run(_forgotten(driver))
    return pruning.end(BatchId("a"))


def _seal(driver: Driver) -> Call[Any]:
    return Call(script("jobs.ledger", "seal"), ("a",), bool)


def _taken_over(driver: Driver) -> None:
    """A server that has not heard of the fifth order, nor yet of what a process that lives has ordered."""
    driver.ledger.run(steps.heartbeat("q", replace(SAID, journal="another")))
    ledger = driver.ledger
    ledger.client.hset(ledger.key("meta"), "orders", 4)
    found = {"since": ledger.now_ms(), "base": 4, "most": 4, "brought": 0, "paused": ""}
    ledger.client.hset(ledger.key("recovery"), mapping=found)
    ledger.client.hset(ledger.key("gate"), "paused", "recovering: the journals are awaited")


def _unheard(driver: Driver) -> Call[Any]:
    _taken_over(driver)
    return Intent(
        ledger_id=driver.ledger.ledger_id() or "",
        server="before",
        order=5,
        request_id=X,
        claim="c",
        begun_ms=1,
        deadline_ms=60_000,
        batch="a",
        pair="{}",
    ).bringing_in(lives=True)


def _rejoining(driver: Driver) -> Call[Any]:
    _taken_over(driver)
    return Call(script("jobs.ledger", "rejoin"), (driver.ledger.ledger_id(), "mine", 5), str)


#: Script → what it is sent for.
CASES: list[tuple[str, Callable[[Driver], Call[Any]]]] = [
    ("accept", _accept),
    ("accept_ledger", _accepting),
    ("admit", _admit),
    ("admit", _retake),
    ("again", _of_a_task(steps.again(X, TASK, 1_000))),
    ("bring_order", _unheard),
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
    ("heartbeat", lambda _: steps.heartbeat("p", SAID)),
    ("lead", lambda _: steps.lead("me", 60_000)),
    ("open_batch", _open),
    ("prune_begin", _pruned),
    ("forget", _forgotten),
    ("forget", _nobodys),
    ("prune_end", _pruned_to_the_end),
    ("reconcile", _dead),
    ("recover", _recovered),
    ("rejoin", _rejoining),
    ("reopen", _again_after_a_loss(anew=False)),
    ("reopen", _again_after_a_loss(anew=True)),
    ("seal", _seal),
    ("settle", _settled("bought")),
    ("settle", _settled("not_bought")),
    ("settle", _settled("leave")),
    ("take_due", _of_a_task(steps.take_due(8))),
    ("transition", _of_a_task(steps.succeed(X, [picture()], None))),
    ("transition", _of_a_task(steps.fail(X, failure(kind="task_lost")))),
    ("transition", _of_a_task(steps.ask_again(X, 9, fetches=1, failed_ms=1))),
    ("transition", _of_a_task(steps.postpone(X, 9, refused_ms=1))),
    ("transition", _of_a_task(steps.stumble(X, 9, task_id=TASK, errors=1, over=True))),
    ("doubt", _doubtful),
]


#: What they answer the second time is told to nobody, or is what is true then.
ANSWERS_OTHERWISE = {"admit", "bring_order", "fix", "forget", "heartbeat", "open_batch"}


@pytest.mark.parametrize(("name", "ready"), CASES)
def test_a_script_sent_twice_changes_nothing_more_and_answers_alike(
    driver: Driver, name: str, ready: Callable[[Driver], Call[Any]]
) -> None:
    driver.admit("a", ["x"])
    call = ready(driver)
    before = driver.snapshot()
    reply = driver.ledger.run(call)
    after = driver.snapshot()
    assert after != before, f"{name} is sent for nothing"
    repeated = driver.ledger.run(call)
    again = driver.snapshot()
    if name == "take_due":
        # It hides them from others for as long as it says, from the sending that is heard.
        after.pop("due"), again.pop("due"), after.pop("leases"), again.pop("leases")
        assert [job.request_id for job in repeated.jobs] == [job.request_id for job in reply.jobs]
    elif name not in ANSWERS_OTHERWISE:
        assert repeated == reply
    if name == "heartbeat":
        # By when it was heard last.
        assert after.pop("heartbeats").keys() == again.pop("heartbeats").keys()
    if name == "open_batch":
        # By age, which is of the last sending.
        assert after.pop("active").keys() == again.pop("active").keys()
        assert after["batch:b"].pop("opened_ms") <= again["batch:b"].pop("opened_ms")
    assert again == after


def test_every_script_of_the_ledger_is_sent_twice() -> None:
    folder = Path(jobs.ledger.__file__).parent / "lua"
    only_read = {"look"}
    assert {path.stem for path in folder.glob("*.lua")} - {"prelude"} - only_read == {
        name for name, _ in CASES
    } - {"doubt"}
