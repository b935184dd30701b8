"""The plain Dramatiq version: one actor is one whole job; threads are the cap."""

import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.rate_limits import WindowRateLimiter
from dramatiq.rate_limits.backends import RedisBackend

from benchmarks.baselines.road import road
from benchmarks.baselines.site import Site

SITE = Site.from_environment()
broker = RedisBroker(url=SITE.redis)
dramatiq.set_broker(broker)
LIMITER = (
    WindowRateLimiter(RedisBackend(url=SITE.redis), "submit", limit=SITE.rate, window=1)
    if SITE.rate
    else None
)


@dramatiq.actor(max_retries=3, time_limit=600_000)
def whole_job(row: dict[str, str]) -> None:
    """Submit, poll, download, record."""
    _await_turn()
    road().run(row)


def _await_turn() -> None:
    """The limiter raises or returns, it never waits: so we ask again."""
    while LIMITER is not None:
        with LIMITER.acquire(raise_on_failure=False) as acquired:
            if acquired:
                return
        time.sleep(0.02)
