"""The queue: Dramatiq messages in bulk.

A message only says: "jobs wait". Whoever gets it submits until none waits, and the gate decides whose turn it is; so a few
messages are enough for any number of jobs, and one may be lost, doubled or late without harm. They are sent in the envelope
and under the keys that Dramatiq's own broker uses (tests hold the two together).
"""

import time
from collections.abc import Iterable
from itertools import count
from typing import Any
from uuid import uuid4

import redis

from jobs.redis.client import translated

#: Queue and actor names of the two kinds of work.
SUBMIT = "submit"
EXPORT = "export"
COLLECT = "collect"

#: Messages that wait at most: more than all threads of all processes that could be idle, and in one round trip.
WAKE_UPS = 500


class Queue:
    """Sends messages to the actors of `worker.actors`; raises RedisDownError."""

    def __init__(self, client: redis.Redis, namespace: str) -> None:
        self._client: Any = client
        self._namespace = namespace
        #: Unique in the world with the counter behind it, and cheaper than an UUID a message.
        self._sender = uuid4().hex
        self._serial = count()

    def wake(self, count: int) -> None:
        """Sends so many wake-up messages to submit workers."""
        self._send(SUBMIT, SUBMIT, ["jobs wait"] * count)

    def top_up(self, queued: int) -> int:
        """Sends what is missing of a message for each of so many waiting jobs, `WAKE_UPS` at most; returns how many."""
        missing = min(queued, WAKE_UPS) - self.waiting(SUBMIT)
        if missing > 0:
            self.wake(missing)
        return max(0, missing)

    def export(self, batch_id: str) -> None:
        """Asks for a batch's files."""
        self._send(COLLECT, EXPORT, [batch_id])

    def waiting(self, queue: str) -> int:
        """Messages that nobody has taken yet."""
        with translated():
            return int(self._client.llen(f"{self._namespace}:{queue}"))

    def workers_alive(self, within_s: float) -> int:
        """Workers that have fetched messages lately, by the clocks of their hosts and of this one."""
        oldest = int((time.time() - within_s) * 1000)
        with translated():
            return int(self._client.zcount(f"{self._namespace}:__heartbeats__", oldest, "+inf"))

    def _send(self, queue: str, actor: str, arguments: Iterable[str]) -> None:
        messages = {f"{self._sender}-{next(self._serial)}": argument for argument in arguments}
        now_ms = int(time.time() * 1000)
        encoded = {
            message_id: envelope(queue, actor, argument, message_id, now_ms)
            for message_id, argument in messages.items()
        }
        with translated():
            pipeline = self._client.pipeline(transaction=True)
            pipeline.hset(f"{self._namespace}:{queue}.msgs", mapping=encoded)
            pipeline.rpush(f"{self._namespace}:{queue}", *encoded)
            pipeline.execute()


def envelope(queue: str, actor: str, argument: str, message_id: str, now_ms: int) -> str:
    """One message as Dramatiq encodes it, put together by hand for speed: ids and names need no escaping.

    `now_ms`: milliseconds since the epoch.
    """
    return (
        f'{{"queue_name":"{queue}","actor_name":"{actor}","args":["{argument}"],"kwargs":{{}},'
        f'"options":{{"redis_message_id":"{message_id}"}},"message_id":"{message_id}","message_timestamp":{now_ms}}}'
    )
