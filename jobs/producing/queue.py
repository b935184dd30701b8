"""The queue: Dramatiq messages in bulk.

A message only says: "there is a job to submit". It carries one request id, but the gate decides whose turn it is, so a
message may be lost, doubled or late without harm. `Broker.enqueue` one by one is slow; here a chunk is two commands, in
the envelope and under the keys that Dramatiq's own broker uses (tests hold the two together).
"""

import time
from collections.abc import Iterable, Iterator
from itertools import count, islice
from typing import Any
from uuid import uuid4

import redis

from jobs.redis.client import translated

#: Queue and actor names of the two kinds of work.
SUBMIT = "submit"
EXPORT = "export"
COLLECT = "collect"

#: Messages in one round trip.
CHUNK = 500


class Queue:
    """Sends messages to the actors of `worker.actors`; raises RedisDownError."""

    def __init__(self, client: redis.Redis, namespace: str) -> None:
        self._client: Any = client
        self._namespace = namespace
        #: Unique in the world with the counter behind it, and cheaper than an UUID a message.
        self._sender = uuid4().hex
        self._serial = count()

    def submit(self, request_ids: Iterable[str]) -> int:
        """Sends one wake-up message for each job; returns how many."""
        return self._send(SUBMIT, SUBMIT, request_ids)

    def export(self, batch_id: str) -> None:
        """Asks for a batch's files."""
        self._send(COLLECT, EXPORT, [batch_id])

    def waiting(self, queue: str) -> int:
        """Messages that nobody has taken yet."""
        with translated():
            return int(self._client.llen(f"{self._namespace}:{queue}"))

    def _send(self, queue: str, actor: str, arguments: Iterable[str]) -> int:
        sent = 0
        for chunk in _chunks(arguments):
            messages = {f"{self._sender}-{next(self._serial)}": argument for argument in chunk}
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
            sent += len(encoded)
        return sent


def envelope(queue: str, actor: str, argument: str, message_id: str, now_ms: int) -> str:
    """One message as Dramatiq encodes it, put together by hand for speed: ids and names need no escaping.

    `now_ms`: milliseconds since the epoch.
    """
    return (
        f'{{"queue_name":"{queue}","actor_name":"{actor}","args":["{argument}"],"kwargs":{{}},'
        f'"options":{{"redis_message_id":"{message_id}"}},"message_id":"{message_id}","message_timestamp":{now_ms}}}'
    )


def _chunks(arguments: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(arguments)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk
