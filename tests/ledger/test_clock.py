"""The ledger's time: Redis' own, which never goes back."""

import time

from redis import Redis

from jobs.ledger import steps
from tests.heart import LEASE_MS, Heart


def server_ms(redis: Redis) -> int:
    seconds, micros = redis.time()  # type: ignore[misc]  # redis-py types it as awaitable too
    return int(seconds) * 1000 + int(micros) // 1000


def clock(heart: Heart, **fields: int) -> dict[str, int]:
    """The ledger's clock, after these fields were written into it."""
    key = heart.ledger.key("clock")
    if fields:
        heart.ledger.client.hset(key, mapping=fields)
    return {name: int(float(value)) for name, value in heart.ledger.client.hgetall(key).items()}


def now_ms(heart: Heart) -> int:
    return heart.ledger.run(steps.take_due(1)).now_ms


def test_it_is_the_servers_time(heart: Heart) -> None:
    before = server_ms(heart.ledger.client)
    assert before <= now_ms(heart) <= server_ms(heart.ledger.client)


def test_a_server_set_back_does_not_take_the_time_with_it(heart: Heart) -> None:
    late = now_ms(heart) + 90_000
    clock(heart, server=late, ahead=0)
    assert late <= now_ms(heart) < late + 2_000
    assert late <= now_ms(heart) < late + 2_000, "and it goes on from there"


def test_a_task_is_due_when_it_was_although_the_server_was_set_back(heart: Heart) -> None:
    heart.admit("a", ["x"])
    job = heart.submitted()
    late = now_ms(heart) + 90_000
    clock(heart, server=late, ahead=0)
    heart.score("due", job.request_id, late - 1)
    assert [each.request_id for each in heart.ledger.run(steps.take_due(1)).jobs] == [job.request_id]


def test_time_that_is_ahead_runs_a_tenth_slower_until_the_server_has_caught_up(heart: Heart) -> None:
    server = server_ms(heart.ledger.client)
    clock(heart, server=server - 60_000, ahead=90_000)
    now_ms(heart)
    assert 83_900 < clock(heart)["ahead"] <= 84_000
    clock(heart, server=server - 60_000, ahead=5_000)
    now_ms(heart)
    assert clock(heart)["ahead"] == 0


def test_time_never_goes_back_while_the_server_catches_up(heart: Heart) -> None:
    clock(heart, server=server_ms(heart.ledger.client) - 999, ahead=90_000)
    told = [now_ms(heart) for _ in range(200)]
    assert told == sorted(told)


def test_a_lease_lives_as_long_as_it_would_though_the_server_was_set_back_by_hours(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    late = now_ms(heart) + 7_200_000
    clock(heart, server=late, ahead=0)
    permit = heart.granted(in_flight=1)
    assert late <= permit.go_ms < late + 60_000
    wait = heart.ask(in_flight=1)
    assert (wait.reason, wait.wait_ms <= LEASE_MS) == ("slots", True)
    heart.score("leases", permit.request_id, now_ms(heart) + 300)
    deadline = time.monotonic() + 60
    while heart.ask(in_flight=1).kind != "granted":
        assert time.monotonic() < deadline, "two hours are not over by then"
