"""The arq version: one coroutine is one whole job; `max_jobs` is the cap."""

from typing import Any, ClassVar

from arq.connections import RedisSettings

from benchmarks.baselines.road_async import AsyncRoad
from benchmarks.baselines.site import Site

SITE = Site.from_environment()


async def start_up(context: dict[str, Any]) -> None:
    """One road for the worker."""
    context["road"] = AsyncRoad(SITE)


async def shut_down(context: dict[str, Any]) -> None:
    """Closes its connections."""
    await context["road"].close()


async def whole_job(context: dict[str, Any], row: dict[str, str]) -> None:
    """Submit, poll, download, record."""
    await context["road"].run(row)


class WorkerSettings:
    """What `arq` reads; polling of the queue ten times denser than its default."""

    functions: ClassVar = [whole_job]
    on_startup = start_up
    on_shutdown = shut_down
    redis_settings = RedisSettings.from_dsn(SITE.redis)
    max_jobs = SITE.hands
    poll_delay = 0.05
    keep_result = 0
    log_results = False
