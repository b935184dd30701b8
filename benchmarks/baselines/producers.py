"""`python -m benchmarks.baselines.producers TOOL MANIFEST`: one message per row, the row inside it."""

import asyncio
import json
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from itertools import islice

from benchmarks.baselines.parts import Row, read_rows
from benchmarks.baselines.site import Site

CHUNK = 500


def with_dramatiq(rows: Iterable[Row]) -> None:
    """`actor.send`, one by one: Dramatiq has no other way."""
    from benchmarks.baselines.dramatiq_app import whole_job

    for row in rows:
        whole_job.send(row)


def with_celery(rows: Iterable[Row]) -> None:
    """`apply_async` over one producer, which spares a pool look-up per message."""
    from benchmarks.baselines.celery_app import app, whole_job

    with app.producer_pool.acquire(block=True) as producer:
        for row in rows:
            whole_job.apply_async((row,), producer=producer)


def with_rq(rows: Iterable[Row]) -> None:
    """`enqueue_many` in chunks: one pipeline per chunk."""
    from redis import Redis
    from rq import Queue

    queue = Queue(connection=Redis.from_url(Site.from_environment().redis))
    for chunk in _chunks(rows):
        queue.enqueue_many(
            [
                Queue.prepare_data("benchmarks.baselines.rq_job.whole_job", (row,), result_ttl=0)
                for row in chunk
            ]
        )


def with_arq(rows: Iterable[Row]) -> None:
    """`enqueue_job`, 32 at once."""
    asyncio.run(_with_arq(rows))


async def _with_arq(rows: Iterable[Row]) -> None:
    from arq import create_pool
    from arq.connections import RedisSettings

    pool = await create_pool(RedisSettings.from_dsn(Site.from_environment().redis))
    for chunk in _chunks(rows, 32):
        await asyncio.gather(*(pool.enqueue_job("whole_job", row) for row in chunk))
    await pool.aclose()


def with_floor(rows: Iterable[Row]) -> None:
    """No tool at all: a hash per job and a message per job, pipelined, nothing checked."""
    from redis import Redis

    redis = Redis.from_url(Site.from_environment().redis)
    for chunk in _chunks(rows):
        pipe = redis.pipeline(transaction=False)
        ids = [str(uuid.uuid4()) for _ in chunk]
        now = int(time.time() * 1000)
        for job, row in zip(ids, chunk, strict=True):
            pipe.hset(f"job:{job}", mapping={**row, "state": "queued", "queued_ms": now})
        envelopes = [
            json.dumps({"queue": "submit", "actor": "submit", "args": [job], "id": job}) for job in ids
        ]
        pipe.rpush("queue:submit", *envelopes)
        pipe.execute()


def with_bare(rows: Iterable[Row]) -> None:
    """A hash a row, pipelined, and nothing else."""
    from redis import Redis

    redis = Redis.from_url(Site.from_environment().redis)
    for chunk in _chunks(rows):
        pipe = redis.pipeline(transaction=False)
        for row in chunk:
            pipe.hset(f"job:{uuid.uuid4()}", mapping={**row, "state": "queued"})
        pipe.execute()


def _chunks(rows: Iterable[Row], size: int = CHUNK) -> Iterator[list[Row]]:
    every = iter(rows)
    while chunk := list(islice(every, size)):
        yield chunk


TOOLS = {
    "dramatiq": with_dramatiq,
    "celery": with_celery,
    "rq": with_rq,
    "arq": with_arq,
    "floor": with_floor,
    "bare": with_bare,
}


if __name__ == "__main__":
    TOOLS[sys.argv[1]](read_rows(sys.argv[2]))
