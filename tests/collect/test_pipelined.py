"""Many coroutines, few round trips: each has its own answer, its own error, and nobody else's."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import ResponseError

from jobs.config.settings import RedisSettings
from jobs.errors import RedisDownError
from jobs.ledger.script import Call, Script
from jobs.redis.client import connect_async
from tests.driver import Driver
from worker.collect.pipelined import PipelinedRunner

ECHO = Script("return ARGV[1]", "9f4f9e5ddb6c7a2a4b5b1f2f0a8e4f0000000000")


def call(text: str) -> Call[str]:
    """Never cached under this name: always an error of its own first, then run alone."""
    return Call(ECHO, (text,), str)


def cached(client: Any, lua: str, text: str = "") -> Call[str]:
    return Call(Script(lua, client.script_load(lua)), (text,), str)


def play(
    redis: RedisSettings, act: Callable[[PipelinedRunner], Awaitable[Any]], patience_s: float = 5
) -> Any:
    async def main() -> Any:
        client = connect_async(redis, db=redis.ledger_db, patience_s=patience_s)
        try:
            return await act(PipelinedRunner(client, redis.prefix))
        finally:
            await client.aclose(close_connection_pool=True)

    return asyncio.run(main())


def test_every_caller_has_its_own_answer_in_few_round_trips(
    driver: Driver, redis_settings: RedisSettings
) -> None:
    echo = cached(driver.ledger.client, "return ARGV[1]").script

    async def act(runner: PipelinedRunner) -> list[str]:
        return await asyncio.gather(*(runner.run(Call(echo, (str(n),), str)) for n in range(300)))

    assert play(redis_settings, act) == [str(n) for n in range(300)]


def test_an_error_is_only_its_callers(driver: Driver, redis_settings: RedisSettings) -> None:
    client = driver.ledger.client
    good = cached(client, "return 'yes'")
    bad = cached(client, "redis.call('INCR', KEYS[1] .. ':clock:runs') return redis.call('LPOP')")

    async def act(runner: PipelinedRunner) -> list[Any]:
        calls = (good, bad, call("not cached"), good)
        return await asyncio.gather(*map(runner.run, calls), return_exceptions=True)

    first, broken, alone, last = play(redis_settings, act)
    assert (first, alone, last) == ("yes", "not cached", "yes")
    assert isinstance(broken, ResponseError)
    assert client.getdel(driver.ledger.key("clock", "runs")) == "1", (
        "what has done half its work is not run again"
    )


def test_who_is_cancelled_leaves_the_others_their_answers(
    driver: Driver, redis_settings: RedisSettings
) -> None:
    echo = cached(driver.ledger.client, "return 'yes'")

    async def act(runner: PipelinedRunner) -> str:
        first = asyncio.create_task(runner.run(echo))
        second = asyncio.create_task(runner.run(echo))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert play(redis_settings, act) == "yes"


def test_an_outage_is_told_to_all_who_wait_and_the_next_call_tries_again(
    driver: Driver, redis_settings: RedisSettings
) -> None:
    echo = cached(driver.ledger.client, "return 'yes'")

    async def act(runner: PipelinedRunner) -> tuple[list[Any], str]:
        working = runner.client.connection_pool.connection_kwargs
        path, working["path"] = working["path"], "/nowhere"
        away = await asyncio.gather(*(runner.run(echo) for _ in range(3)), return_exceptions=True)
        working["path"] = path
        await runner.client.connection_pool.disconnect()
        runner.client.connection_pool.reset()
        return away, await runner.run(echo)

    away, again = play(redis_settings, act, patience_s=0.1)
    assert [type(each) for each in away] == [RedisDownError] * 3
    assert again == "yes"
