"""The reconciler against a real ledger and a real queue: what nobody does is done again."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import structlog

from jobs.config.settings import PictureSettings, Settings, TaskSettings, WorkerSettings
from jobs.ledger import Ledger, steps
from jobs.producing.queue import COLLECT, SUBMIT, Queue
from jobs.records import BatchId, JobState, TaskId
from tests.heart import Heart, rid
from worker.collect.collection import DISK_FULL
from worker.collect.reconciler import Reconciler

PATIENT_S = 60
PERIOD_S = 0.02


def reconciler(ledger: Ledger, queue: Queue, **tasks: Any) -> Reconciler:
    workers = WorkerSettings(reconcile_s=PERIOD_S, export_s=PERIOD_S)
    return Reconciler(ledger, queue, Settings(workers=workers, tasks=TaskSettings(**tasks)))


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENT_S):
        while not holds():  # noqa: ASYNC110 what it waits for happens in Redis, which sets no Event of ours
            await asyncio.sleep(0.005)


def beside(act: Coroutine[Any, Any, None], *services: Reconciler) -> None:
    """Plays something while the services run; then they end by themselves."""

    async def play() -> None:
        async with asyncio.timeout(PATIENT_S), asyncio.TaskGroup() as group:
            for service in services:
                group.create_task(service.run())
            try:
                await act
            finally:
                for service in services:
                    service.stop()

    asyncio.run(play())


# -- one turn ------------------------------------------------------------------------------------------------


def test_a_due_retry_waits_in_its_batch_again_and_has_a_message(heart: Heart, queue: Queue) -> None:
    heart.admit("a", ["p"])
    heart.submitted(task="t")

    assert heart.ledger.run(steps.again(rid("p"), TaskId("t"), 60_000))
    one = reconciler(heart.ledger, queue)
    one.reconcile()
    assert heart.line("a") == [], "its time has not come"
    heart.score("retry", rid("p"), 0)
    with structlog.testing.capture_logs() as events:
        one.reconcile()
    assert heart.line("a") == [rid("p")]
    assert queue.waiting(SUBMIT) == 1
    assert [(each["event"], each["request_id"]) for each in events] == [("reconcile.redriven", rid("p"))]


def test_a_holder_that_died_before_its_intent_gives_the_job_back(heart: Heart, queue: Queue) -> None:
    heart.admit("a", ["p"])
    heart.granted()
    heart.score("posting", rid("p"), 0)
    reconciler(heart.ledger, queue).reconcile()
    assert (heart.state(rid("p")), heart.line("a")) == (JobState.QUEUED, [rid("p")])
    assert heart.members("leases") == {}
    assert heart.spent("a") == heart.spent_on() == 0
    assert queue.waiting(SUBMIT) == 1


def test_a_holder_that_died_after_its_intent_leaves_an_unknown_job(heart: Heart, queue: Queue) -> None:
    heart.admit("a", ["p"])
    heart.submitting()
    heart.score("posting", rid("p"), 0)
    with structlog.testing.capture_logs() as events:
        reconciler(heart.ledger, queue).reconcile()
    assert heart.state(rid("p")) is JobState.UNKNOWN
    assert heart.spent("a") == 1
    assert queue.waiting(SUBMIT) == 0
    assert [each["event"] for each in events] == ["reconcile.unknown"]


@pytest.mark.parametrize(("policy", "bought_again"), [("hold", 0), ("resubmit", 1)])
def test_an_unknown_job_is_bought_again_once_and_only_by_policy(
    heart: Heart, queue: Queue, policy: str, bought_again: int
) -> None:
    heart.admit("a", ["p"])
    one = reconciler(heart.ledger, queue, unknown_policy=policy, unknown_quiet_s=300)
    heart.unknown()
    one.reconcile()
    assert heart.line("a") == [], "a callback may still come"
    heart.score("unknown", rid("p"), 0)
    one.reconcile()
    assert len(heart.line("a")) == queue.waiting(SUBMIT) == bought_again
    if bought_again:
        heart.unknown()
        heart.score("unknown", rid("p"), 0)
        one.reconcile()
        assert heart.line("a") == []
    assert heart.state(rid("p")) is JobState.UNKNOWN


def test_missing_messages_are_topped_up_and_no_more(heart: Heart, queue: Queue) -> None:
    heart.admit("a", ["p", "q", "r"])
    queue.wake(1)
    one = reconciler(heart.ledger, queue)
    one.reconcile()
    assert queue.waiting(SUBMIT) == 3
    one.reconcile()
    assert queue.waiting(SUBMIT) == 3


def test_a_batch_with_something_new_is_exported_once_at_a_time(heart: Heart, queue: Queue) -> None:
    heart.admit("a", ["p"])
    heart.admit("b", ["q"])
    one = reconciler(heart.ledger, queue)
    one.ask_for_exports()
    assert queue.waiting(COLLECT) == 2
    one.ask_for_exports()
    assert queue.waiting(COLLECT) == 2, "the last ones have not been taken"


def test_a_batch_at_rest_is_not_exported(heart: Heart, queue: Queue) -> None:
    heart.admit("a", ["p"], seal=True)
    heart.succeeded()
    last = heart.ledger.outbox(BatchId("a"), "0")[-1].entry_id
    assert heart.ledger.deactivate(BatchId("a"), last)
    reconciler(heart.ledger, queue).ask_for_exports()
    assert queue.waiting(COLLECT) == 0


# -- the loop ------------------------------------------------------------------------------------------------


def test_it_turns_until_it_is_stopped(heart: Heart, queue: Queue) -> None:
    heart.admit("a", ["p"])
    heart.granted()

    async def act() -> None:
        await until(lambda: queue.waiting(COLLECT))
        heart.score("posting", rid("p"), 0)
        await until(lambda: queue.waiting(SUBMIT))

    beside(act(), reconciler(heart.ledger, queue))
    assert heart.line("a") == [rid("p")]


def test_an_error_of_ours_is_told_and_the_next_turn_comes(heart: Heart, queue: Queue) -> None:
    heart.admit("a", ["p"])
    retry = heart.ledger.key("retry")
    # No sorted set: its script fails.
    heart.ledger.client.set(retry, "odd")
    failed: list[str] = []

    async def act() -> None:
        await until(lambda: [each for each in events if each["event"] == "actor.failed"])
        failed.append(heart.ledger.client.get(retry))
        heart.ledger.client.unlink(retry)
        await until(lambda: queue.waiting(SUBMIT))

    with structlog.testing.capture_logs() as events:
        beside(act(), reconciler(heart.ledger, queue))
    assert failed == ["odd"]
    assert {each["what"] for each in events if each["event"] == "actor.failed"} == {"reconciler"}


def test_of_two_one_turns_and_the_other_follows_when_it_is_gone(heart: Heart, queue: Queue) -> None:
    lease = heart.ledger.key("reconciler")
    one, two = reconciler(heart.ledger, queue), reconciler(heart.ledger, queue)
    holders: list[str] = []

    async def act() -> None:
        await until(lambda: heart.ledger.client.get(lease))
        holders.append(heart.ledger.client.get(lease))
        # Both have had their turn many times; the lease has been renewed, not passed on.
        await asyncio.sleep(PERIOD_S * 10)
        holders.append(heart.ledger.client.get(lease))
        next(each for each in (one, two) if each._me == holders[0]).stop()
        await until(lambda: heart.ledger.client.get(lease) not in {None, holders[0]})
        holders.append(heart.ledger.client.get(lease))

    beside(act(), one, two)
    assert holders[0] == holders[1]
    assert {holders[0], holders[2]} == {one._me, two._me}


def test_whoever_has_no_lease_moves_nothing(heart: Heart, queue: Queue) -> None:
    heart.admit("a", ["p"])
    heart.ledger.client.set(heart.ledger.key("reconciler"), "another host")

    async def act() -> None:
        await asyncio.sleep(PERIOD_S * 10)

    beside(act(), reconciler(heart.ledger, queue))
    assert queue.waiting(SUBMIT) == queue.waiting(COLLECT) == 0


def test_buying_pauses_below_the_floor_of_free_bytes_and_goes_on_above_it(
    heart: Heart, queue: Queue, tmp_path: Path
) -> None:
    heart.admit("a", ["p"])

    def looks(min_free_bytes: int) -> str | None:
        pictures = PictureSettings(min_free_bytes=min_free_bytes)
        settings = Settings(data_dir=tmp_path, pictures=pictures)
        Reconciler(heart.ledger, queue, settings).reconcile()
        return heart.gate().get("paused")

    assert looks(0) is None
    assert looks(10**18) == DISK_FULL
    assert heart.ask().reason == "paused"
    assert looks(10**18) == DISK_FULL
    assert looks(1) is None
    heart.gate(paused="Friday")
    assert looks(10**18) == "Friday"
