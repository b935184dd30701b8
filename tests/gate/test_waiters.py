"""Threads of several processes at one gate: the cap holds, a freed slot is taken at once, stopping wakes everybody."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from jobs.config.settings import LimitSettings
from jobs.gate import Gate, Permit
from jobs.gate.permits import Wait
from jobs.ledger import Ledger, steps
from jobs.producing import control
from jobs.records import TaskId
from tests.driver import Driver, failure, picture, rid
from tests.on_loop import gate_of

LIMITS = LimitSettings(in_flight=1, images_per_minute=1e6)
#: Whoever is not rung looks again only after `OWN_TIME_S`; who is rung, on however busy a machine, has woken by `RUNG_S`.
OWN_TIME_S, RUNG_S = 14, 12


@pytest.fixture(autouse=True)
def _nobody_looks_in_his_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    listen = Gate._listen

    async def patient(self: Gate, wait: Wait) -> None:
        await listen(
            self, wait if wait.reason in {"rate", "throttled"} else replace(wait, ms=OWN_TIME_S * 1000)
        )

    monkeypatch.setattr("jobs.gate.LONGEST_WAIT_MS", OWN_TIME_S * 1000)
    monkeypatch.setattr(Gate, "_listen", patient)


def gate(ledger: Ledger, in_flight: int = 1, images_per_minute: float = 1e6) -> Any:
    limits = LimitSettings(in_flight=in_flight, images_per_minute=images_per_minute)
    return gate_of(ledger, limits, submit_timeout_s=60)


def waiting(ledger: Ledger, threads: int) -> None:
    """Returns when so many threads are blocked in Redis."""
    deadline = time.monotonic() + 60
    while int(ledger.client.info("clients")["blocked_clients"]) < threads:
        assert time.monotonic() < deadline, "nobody waits"


def timed(wait: Callable[[], Permit | None]) -> tuple[Permit | None, float]:
    """What it answers, and when."""
    return wait(), time.monotonic()


def submit(driver: Driver, permit: Permit) -> None:
    assert driver.begin(permit.request_id, permit.claim) == "go"
    task = TaskId(f"task-{permit.request_id}")
    accept = steps.accept(permit.request_id, permit.claim, task, [], first_poll_ms=60_000)
    assert driver.ledger.run(accept).recorded


def test_the_cap_holds_over_many_threads_of_several_processes(ledger: Ledger, driver: Driver) -> None:
    jobs, cap = 120, 3
    driver.admit("a", [f"p{number}" for number in range(jobs)], seal=True)
    gates = [gate(ledger, in_flight=cap) for _ in range(3)]
    under_way: set[str] = set()
    most, lock = 0, threading.Lock()

    def work(number: int) -> int:
        nonlocal most
        done = 0
        while permit := gates[number % 3].acquire():
            with lock:
                assert permit.request_id not in under_way
                under_way.add(permit.request_id)
                most = max(most, len(under_way))
            submit(driver, permit)
            with lock:
                under_way.discard(permit.request_id)
            assert ledger.run(steps.succeed(permit.request_id, [picture()], None))
            done += 1
        # Nothing is left: who still waits for a slot need not find out by himself.
        for each in gates:
            each.stop()
        return done

    with ThreadPoolExecutor(9) as pool:
        assert sum(pool.map(work, range(9))) == jobs
    assert most <= cap
    assert driver.counts("a") == {"succeeded": jobs}
    assert driver.spent("a") == jobs
    assert driver.members("leases") == driver.members("posting") == {}


@pytest.mark.parametrize("end", ["ended", "failed", "given back", "refused", "reconciled"])
def test_a_freed_slot_is_taken_at_once(ledger: Ledger, driver: Driver, end: str) -> None:
    driver.admit("a", ["x", "y"])
    first = gate(ledger).acquire()
    assert first is not None
    if end in {"ended", "failed"}:
        submit(driver, first)
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(timed, gate(ledger).acquire)
        waiting(ledger, 1)
        freed = time.monotonic()
        match end:
            case "ended":
                task = driver.job(first.request_id).task_id or TaskId("")
                assert ledger.run(steps.ended(first.request_id, task, ["u"], "poll", 1_000))
            case "failed":
                assert ledger.run(steps.fail(first.request_id, failure()))
            case "given back":
                gate(ledger).give_back(first)
            case "refused":
                assert ledger.run(steps.refuse(first.request_id, first.claim, failure(), answered=True))
            case _:
                driver.score("posting", first.request_id, 0)
                assert ledger.run(steps.reconcile(policy="hold", quiet_s=1)).redriven
        permit, woken = waiter.result(60)
    assert permit is not None
    # It is a few milliseconds; a busy machine is forgiven, a waiter that only looks again in its own time is not.
    assert woken - freed < RUNG_S


def test_a_resumed_account_wakes_its_waiters(ledger: Ledger, driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    control.pause(ledger, "by hand")
    with ThreadPoolExecutor(2) as pool:
        waiters = [pool.submit(timed, gate(ledger, in_flight=5).acquire) for _ in range(2)]
        waiting(ledger, 2)
        resumed = time.monotonic()
        control.resume(ledger)
        for waiter in waiters:
            permit, woken = waiter.result(60)
            assert permit is not None
            assert woken - resumed < RUNG_S


def test_stopping_wakes_every_waiter_of_the_process_and_no_other(ledger: Ledger, driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    assert gate(ledger).acquire() is not None
    ours, theirs = gate(ledger), gate(ledger)
    with ThreadPoolExecutor(5) as pool:
        waiters = [pool.submit(timed, ours.acquire) for _ in range(4)]
        other = pool.submit(timed, theirs.acquire)
        # One of ours for all of them.
        waiting(ledger, 2)
        stopped = time.monotonic()
        ours.stop()
        for waiter in waiters:
            permit, woken = waiter.result(60)
            assert permit is None
            assert woken - stopped < RUNG_S
        assert not other.done()
        theirs.stop()
        assert other.result(60)[0] is None
    assert driver.line("a") == [rid("y")], "their job was never taken"


def test_whoever_begins_to_wait_while_the_process_stops_does_not_wait(ledger: Ledger, driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    assert gate(ledger).acquire() is not None
    ours = gate(ledger)
    # A stop that comes between the question and the wait: the bell has rung for nobody.
    ask, asked = ours.itself._ask, []

    async def stop_meanwhile(token: str) -> object:
        answer = await ask(token)
        if not asked:
            await ours.itself.stop()
            ledger.client.delete(ours._own_wakeups)
        asked.append(token)
        return answer

    ours._ask = stop_meanwhile
    begun = time.monotonic()
    assert ours.acquire() is None
    assert time.monotonic() - begun < RUNG_S


def test_a_stopped_gate_gives_no_permit_and_wakes_who_sleeps_for_the_rate(
    ledger: Ledger, driver: Driver
) -> None:
    driver.admit("a", ["x", "y", "z"])
    slow = gate(ledger, in_flight=5, images_per_minute=60)
    assert slow.acquire() is not None
    second = slow.acquire()
    assert second is not None
    assert second.go_ms > second.now_ms + 500
    with ThreadPoolExecutor(2) as pool:
        sleeper: Future[bool] = pool.submit(slow.sleep_until_go, second)
        waiter = pool.submit(slow.acquire)
        slow.stop()
        assert sleeper.result(60) is False
        assert waiter.result(60) is None
    assert slow.acquire() is None


def test_a_permit_is_slept_for_once_until_its_moment(ledger: Ledger, driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    fast = gate(ledger, in_flight=5, images_per_minute=1_200)
    first, second = fast.acquire(), fast.acquire()
    assert first is not None
    assert second is not None
    begun = time.monotonic()
    assert fast.sleep_until_go(first)
    assert fast.sleep_until_go(second)
    assert time.monotonic() - begun >= (second.go_ms - second.now_ms) / 1000
