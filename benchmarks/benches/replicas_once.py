"""How long one command of the ledger takes, alone and confirmed by a replica: `REDIS_URL COUNT`; as JSON, ms."""

import asyncio
import hashlib
import json
import sys
import time

from pydantic import SecretStr

from benchmarks.frame.stats import quantile
from jobs.config.settings import RedisSettings
from jobs.errors import UnconfirmedError
from jobs.ledger.confirmed import AsyncConfirmedRunner, Way
from jobs.ledger.script import AsyncRunner, Call, Script
from jobs.redis.client import connect_async

AT_ONCE = 8
_TEXT = "return redis.call('HINCRBY', KEYS[1] .. ':meta', ARGV[1], 1)"
_CALL = Call(Script(_TEXT, hashlib.sha1(_TEXT.encode(), usedforsecurity=False).hexdigest()), ("step",), int)


async def main(url: str, count: int) -> None:
    """In turns, so that a slow moment of the machine meets both."""
    client = connect_async(RedisSettings(url=SecretStr(url)), db=1, patience_s=60)
    runners = {"0": AsyncRunner(client, "vton"), "1": AsyncConfirmedRunner(client, "vton", Way(1))}
    taken: dict[str, list[float]] = {name: [] for name in runners}
    try:
        for turn in range(count // (AT_ONCE * 10)):
            for name, runner in runners.items():
                found = await asyncio.gather(*(_some(runner, 10) for _ in range(AT_ONCE)))
                if turn:
                    taken[name] += [each for some in found for each in some]
    finally:
        await client.aclose()
    numbers = {
        name: {"p50": quantile(values, 0.5), "p99": quantile(values, 0.99)} for name, values in taken.items()
    }
    print(json.dumps(numbers))


async def _some(runner: AsyncRunner, count: int) -> list[float]:
    """Each in ms; what was not confirmed in time counts as long as it took."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        try:
            await runner.run(_CALL)
        except UnconfirmedError as error:
            print(error, file=sys.stderr)
        taken.append(1000 * (time.perf_counter() - began))
    return taken


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
