"""Calls of the many coroutines of a loop, in few round trips: among twenty one costs its process a fifth."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, TypeVar

from redis.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError, RedisError

from jobs.ledger import AsyncRunner
from jobs.ledger.script import Call
from jobs.redis.client import translated

T = TypeVar("T")

#: Errors of a call that did nothing: Redis has not seen its script, or takes no writes. It is tried again, with patience.
_NOT_RUN = (NoScriptError, OutOfMemoryError, ReadOnlyError)


@dataclass(frozen=True, slots=True)
class PipelinedRunner(AsyncRunner):
    """The door for the coroutines of one loop: what is called while a round trip is under way goes with the next one."""

    #: Calls under way, then those that wait; with each, whom its reply wakes.
    _calls: list[tuple[Call[Any], asyncio.Future[Any]]] = field(default_factory=list)
    #: The task that sends them, kept from the garbage collector.
    _senders: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, call: Call[T]) -> T:
        """Runs a call. Raises RedisDownError when Redis does not answer."""
        answered = asyncio.get_running_loop().create_future()
        self._calls.append((call, answered))
        if len(self._calls) == 1:
            sender = asyncio.create_task(self._send())
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        with translated():
            reply = await answered
            again = isinstance(reply, _NOT_RUN) or self.term.learns(reply)
            if isinstance(reply, RedisError) and not again:
                raise reply
        return await AsyncRunner.run(self, call) if again else call.read(reply)

    async def _send(self) -> None:
        while self._calls:
            calls = tuple(self._calls)
            try:
                pipeline = self.client.pipeline(transaction=False)
                keys = 2, self.prefix, self.term.key(self.prefix)
                for call, _ in calls:
                    pipeline.evalsha(call.script.sha, *keys, *call.args)
                replies = await pipeline.execute(raise_on_error=False)
            except Exception as error:  # noqa: BLE001 whatever it is, those who wait get it
                for _, answered in calls:
                    if not answered.done():
                        answered.set_exception(error)
            else:
                for (_, answered), reply in zip(calls, replies, strict=True):
                    if not answered.done():
                        answered.set_result(reply)
            del self._calls[: len(calls)]
