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
from tests.driver import Driver, rid
from worker.collect.collection import DISK_FULL
from worker.collect.reconciler import EXPORT_AGAIN_S, WRITTEN_AGAIN_S, Reconciler

PATIENT_S = 60
PERIOD_S = 0.02


def reconciler(ledger: Ledger, queue: Queue, *, period_s: float = PERIOD_S, **tasks: Any) -> Reconciler:
    workers = WorkerSettings(reconcile_s=period_s, export_s=period_s)
    return Reconciler(ledger, queue, Settings(workers=workers, tasks=TaskSettings(**tasks)))


def news(driver: Driver) -> steps.News:
    """What there is to export."""
    found = driver.ledger.run(steps.lead("test", 60_000))
    assert found is not None
    return found


def taken(queue: Queue) -> int:
    """How many exports were asked for; a worker has them now."""
    waited = queue.waiting(COLLECT)
    queue._client.delete(f"{queue._namespace}:{COLLECT}")
    return waited


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


def test_a_due_retry_waits_in_its_batch_again_and_has_a_message(driver: Driver, queue: Queue) -> None:
    driver.admit("a", ["p"])
    driver.submitted(task="t")

    assert driver.ledger.run(steps.again(rid("p"), TaskId("t"), 60_000))
    one = reconciler(driver.ledger, queue)
    one.reconcile(driver.ledger.active_batches())
    assert driver.line("a") == [], "its time has not come"
    driver.score("retry", rid("p"), 0)
    with structlog.testing.capture_logs() as events:
        one.reconcile(driver.ledger.active_batches())
    assert driver.line("a") == [rid("p")]
    assert queue.waiting(SUBMIT) == 1
    assert [(each["event"], each["request_id"]) for each in events] == [("reconcile.redriven", rid("p"))]


def test_a_holder_that_died_before_its_intent_gives_the_job_back(driver: Driver, queue: Queue) -> None:
    driver.admit("a", ["p"])
    driver.granted()
    driver.score("posting", rid("p"), 0)
    reconciler(driver.ledger, queue).reconcile(driver.ledger.active_batches())
    assert (driver.state(rid("p")), driver.line("a")) == (JobState.QUEUED, [rid("p")])
    assert driver.members("leases") == {}
    assert driver.spent("a") == driver.spent_on() == 0
    assert queue.waiting(SUBMIT) == 1


def test_a_holder_that_died_after_its_intent_leaves_an_unknown_job(driver: Driver, queue: Queue) -> None:
    driver.admit("a", ["p"])
    driver.submitting()
    driver.score("posting", rid("p"), 0)
    with structlog.testing.capture_logs() as events:
        reconciler(driver.ledger, queue).reconcile(driver.ledger.active_batches())
    assert driver.state(rid("p")) is JobState.UNKNOWN
    assert driver.spent("a") == 1
    assert queue.waiting(SUBMIT) == 0
    assert [each["event"] for each in events] == ["reconcile.unknown"]


@pytest.mark.parametrize(("policy", "bought_again"), [("hold", 0), ("resubmit", 1)])
def test_an_unknown_job_is_bought_again_once_and_only_by_policy(
    driver: Driver, queue: Queue, policy: str, bought_again: int
) -> None:
    driver.admit("a", ["p"])
    one = reconciler(driver.ledger, queue, unknown_policy=policy, unknown_quiet_s=300)
    driver.unknown()
    one.reconcile(driver.ledger.active_batches())
    assert driver.line("a") == [], "a callback may still come"
    driver.score("unknown", rid("p"), 0)
    one.reconcile(driver.ledger.active_batches())
    assert len(driver.line("a")) == queue.waiting(SUBMIT) == bought_again
    if bought_again:
        driver.unknown()
        driver.score("unknown", rid("p"), 0)
        one.reconcile(driver.ledger.active_batches())
        assert driver.line("a") == []
    assert driver.state(rid("p")) is JobState.UNKNOWN


def test_missing_messages_are_topped_up_and_no_more(driver: Driver, queue: Queue) -> None:
    driver.admit("a", ["p", "q", "r"])
    queue.wake(1)
    one = reconciler(driver.ledger, queue)
    one.reconcile(driver.ledger.active_batches())
    assert queue.waiting(SUBMIT) == 3
    one.reconcile(driver.ledger.active_batches())
    assert queue.waiting(SUBMIT) == 3


def test_a_batch_with_something_new_is_exported_once_at_a_time(driver: Driver, queue: Queue) -> None:
    driver.admit("a", ["p"])
    driver.admit("b", ["q"])
    one = reconciler(driver.ledger, queue)
    one.ask_for_exports(news(driver))
    assert queue.waiting(COLLECT) == 2
    one.ask_for_exports(news(driver))
    assert queue.waiting(COLLECT) == 2, "the last ones have not been taken"


def test_a_batch_is_exported_again_when_something_is_new_or_after_a_while(
    driver: Driver, queue: Queue
) -> None:
    now = [0.0]
    driver.admit("a", ["p"], seal=True)
    one = Reconciler(driver.ledger, queue, Settings(), clock=lambda: now[0])

    def asks() -> int:
        one.ask_for_exports(news(driver))
        return taken(queue)

    assert [asks(), asks()] == [1, 0]
    driver.succeeded()
    assert [asks(), asks()] == [1, 0]
    now[0] = EXPORT_AGAIN_S
    assert [asks(), asks()] == [1, 0], "its files may not have been written"


def test_a_batch_whose_files_are_known_to_be_written_is_exported_again_much_later(
    driver: Driver, queue: Queue
) -> None:
    now, exported = [0.0], dict[BatchId, str]()
    driver.admit("a", ["p"], seal=True)
    one = Reconciler(driver.ledger, queue, Settings(), exported=exported, clock=lambda: now[0])

    def asks() -> int:
        one.ask_for_exports(news(driver))
        return taken(queue)

    assert asks() == 1
    exported[BatchId("a")] = "0"
    now[0] = EXPORT_AGAIN_S
    assert asks() == 0
    now[0] = WRITTEN_AGAIN_S
    assert asks() == 1, "somebody may have taken them away"
    driver.succeeded()
    assert asks() == 1, "it is complete"
    exported[BatchId("a")] = driver.ledger.last_entry(BatchId("a"))
    now[0] += EXPORT_AGAIN_S
    assert asks() == 1, "a batch that is complete and written would be at rest"


def test_a_batch_that_is_complete_is_exported_though_nothing_more_has_ended(
    driver: Driver, queue: Queue
) -> None:
    driver.admit("a", ["p"])
    driver.succeeded()
    one = reconciler(driver.ledger, queue)
    one.ask_for_exports(news(driver))
    assert taken(queue) == 1
    driver.ledger.seal(BatchId("a"))
    one.ask_for_exports(news(driver))
    assert taken(queue) == 1


def test_a_batch_at_rest_is_not_exported(driver: Driver, queue: Queue) -> None:
    driver.admit("a", ["p"], seal=True)
    driver.succeeded()
    last = driver.ledger.outbox(BatchId("a"), "0")[-1].entry_id
    assert driver.ledger.deactivate(BatchId("a"), last)
    reconciler(driver.ledger, queue).ask_for_exports(news(driver))
    assert queue.waiting(COLLECT) == 0


# -- the loop ------------------------------------------------------------------------------------------------


def test_it_turns_until_it_is_stopped(driver: Driver, queue: Queue) -> None:
    driver.admit("a", ["p"])
    driver.granted()

    async def act() -> None:
        await until(lambda: queue.waiting(COLLECT))
        driver.score("posting", rid("p"), 0)
        await until(lambda: queue.waiting(SUBMIT))

    beside(act(), reconciler(driver.ledger, queue))
    assert driver.line("a") == [rid("p")]


def test_an_error_of_ours_is_told_and_the_next_turn_comes(driver: Driver, queue: Queue) -> None:
    driver.admit("a", ["p"])
    retry = driver.ledger.key("retry")
    # No sorted set: its script fails.
    driver.ledger.client.set(retry, "odd")
    failed: list[str] = []

    async def act() -> None:
        await until(lambda: [each for each in events if each["event"] == "actor.failed"])
        failed.append(driver.ledger.client.get(retry))
        driver.ledger.client.unlink(retry)
        await until(lambda: queue.waiting(SUBMIT))

    with structlog.testing.capture_logs() as events:
        beside(act(), reconciler(driver.ledger, queue))
    assert failed == ["odd"]
    assert {each["what"] for each in events if each["event"] == "actor.failed"} == {"reconciler"}


def test_of_two_one_turns_and_the_other_follows_when_it_is_gone(driver: Driver, queue: Queue) -> None:
    lease = driver.ledger.key("reconciler")
    # A lease lasts for three periods: long beside what a busy machine keeps a process waiting.
    one, two = (reconciler(driver.ledger, queue, period_s=0.5) for _ in range(2))
    holders: list[str] = []

    async def act() -> None:
        await until(lambda: driver.ledger.client.get(lease))
        holders.append(driver.ledger.client.get(lease))
        # Both have had their turn many times; the lease has been renewed, not passed on.
        await asyncio.sleep(2.5)
        holders.append(driver.ledger.client.get(lease))
        next(each for each in (one, two) if each._me == holders[0]).stop()
        await until(lambda: driver.ledger.client.get(lease) not in {None, holders[0]})
        holders.append(driver.ledger.client.get(lease))

    beside(act(), one, two)
    assert holders[0] == holders[1]
    assert {holders[0], holders[2]} == {one._me, two._me}


def test_whoever_has_no_lease_moves_nothing(driver: Driver, queue: Queue) -> None:
    driver.admit("a", ["p"])
    driver.ledger.client.set(driver.ledger.key("reconciler"), "another host")

    async def act() -> None:
        await asyncio.sleep(PERIOD_S * 10)

    beside(act(), reconciler(driver.ledger, queue))
    assert queue.waiting(SUBMIT) == queue.waiting(COLLECT) == 0


def test_buying_pauses_below_the_floor_of_free_bytes_and_goes_on_above_it(
    driver: Driver, queue: Queue, tmp_path: Path
) -> None:
    driver.admit("a", ["p"])

    def looks(min_free_bytes: int) -> str | None:
        pictures = PictureSettings(min_free_bytes=min_free_bytes)
        settings = Settings(data_dir=tmp_path, pictures=pictures)
        Reconciler(driver.ledger, queue, settings).reconcile(driver.ledger.active_batches())
        return driver.gate().get("paused")

    assert looks(0) is None
    assert looks(10**18) == DISK_FULL
    assert driver.ask().reason == "paused"
    assert looks(10**18) == DISK_FULL
    assert looks(1) is None
    driver.gate(paused="Friday")
    assert looks(10**18) == "Friday"


# -- a ledger that was damaged and yet was read ---------------------------------------------------------------


@pytest.mark.parametrize(
    "damage", [("n:queued", 1), ("n:succeeded", -1), ("open", 1), ("rows", 2)], ids=lambda damage: damage[0]
)
def test_a_batch_whose_counters_contradict_each_other_is_counted_anew(
    driver: Driver, queue: Queue, damage: tuple[str, int]
) -> None:
    driver.admit("a", ["p", "q", None])
    driver.succeeded()
    driver.succeeded()
    driver.ledger.seal(BatchId("a"))
    driver.ledger.client.hincrby(driver.ledger.key("batch", "a"), *damage)

    with structlog.testing.capture_logs() as logs:
        reconciler(driver.ledger, queue).reconcile(driver.ledger.active_batches())
        reconciler(driver.ledger, queue).reconcile(driver.ledger.active_batches())

    found = driver.ledger.batch(BatchId("a"))
    assert (found.rows, found.open, found.counts) == (3, 0, {"succeeded": 2, "invalid": 1})
    assert driver.ledger.status(BatchId("a")).complete
    assert [each["event"] for each in logs] == ["batch.miscounted"]


def test_a_batch_that_is_right_is_not_counted_anew(driver: Driver, queue: Queue) -> None:
    driver.admit("a", ["p", "q", "r", "p", None])
    driver.succeeded()
    driver.failed(retryable=False)
    driver.submitted()
    driver.ledger.seal(BatchId("a"))

    with structlog.testing.capture_logs() as logs:
        reconciler(driver.ledger, queue).reconcile(driver.ledger.active_batches())

    assert logs == []
