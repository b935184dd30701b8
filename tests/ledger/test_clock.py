"""The ledger's time: Redis' own, which never goes back."""

import time

from redis import Redis

from jobs.ledger import steps
from tests.driver import LEASE_MS, Driver


def server_ms(redis: Redis) -> int:
    seconds, micros = redis.time()  # type: ignore[misc]  # redis-py types it as awaitable too
    return int(seconds) * 1000 + int(micros) // 1000


def clock(driver: Driver, **fields: int) -> dict[str, int]:
    """The ledger's clock, after these fields were written into it."""
    key = driver.ledger.key("clock")
    if fields:
        driver.ledger.client.hset(key, mapping=fields)
    return {name: int(float(value)) for name, value in driver.ledger.client.hgetall(key).items()}


def now_ms(driver: Driver) -> int:
    return driver.ledger.run(steps.take_due(1)).now_ms


def test_it_is_the_servers_time(driver: Driver) -> None:
    before = server_ms(driver.ledger.client)
    assert before <= now_ms(driver) <= server_ms(driver.ledger.client)


def test_a_server_set_back_does_not_take_the_time_with_it(driver: Driver) -> None:
    late = now_ms(driver) + 90_000
    clock(driver, server=late, ahead=0)
    assert late <= now_ms(driver) < late + 2_000
    assert late <= now_ms(driver) < late + 2_000, "and it goes on from there"


def test_a_task_is_due_when_it_was_although_the_server_was_set_back(driver: Driver) -> None:
    driver.admit("a", ["x"])
    job = driver.submitted()
    late = now_ms(driver) + 90_000
    clock(driver, server=late, ahead=0)
    driver.score("due", job.request_id, late - 1)
    assert [each.request_id for each in driver.ledger.run(steps.take_due(1)).jobs] == [job.request_id]


def test_time_that_is_ahead_runs_a_tenth_slower_until_the_server_has_caught_up(driver: Driver) -> None:
    server = server_ms(driver.ledger.client)
    clock(driver, server=server - 60_000, ahead=90_000)
    now_ms(driver)
    assert 83_900 < clock(driver)["ahead"] <= 84_000
    clock(driver, server=server - 60_000, ahead=5_000)
    now_ms(driver)
    assert clock(driver)["ahead"] == 0


def test_time_never_goes_back_while_the_server_catches_up(driver: Driver) -> None:
    clock(driver, server=server_ms(driver.ledger.client) - 999, ahead=90_000)
    told = [now_ms(driver) for _ in range(200)]
    assert told == sorted(told)


def test_a_lease_lives_as_long_as_it_would_though_the_server_was_set_back_by_hours(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    late = now_ms(driver) + 7_200_000
    clock(driver, server=late, ahead=0)
    permit = driver.granted(in_flight=1)
    assert late <= permit.go_ms < late + 60_000
    wait = driver.ask(in_flight=1)
    assert (wait.reason, wait.wait_ms <= LEASE_MS) == ("slots", True)
    driver.score("leases", permit.request_id, now_ms(driver) + 300)
    deadline = time.monotonic() + 60
    while driver.ask(in_flight=1).kind != "granted":
        assert time.monotonic() < deadline, "two hours are not over by then"
