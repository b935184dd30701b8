"""Permits given back for want of replicas: said again until replicas know it, or a fail-over would make them `unknown`."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from jobs.errors import RedisDownError
from jobs.gate.patience import within
from jobs.ledger import AsyncRunner
from jobs.ledger.script import Call
from jobs.records import RequestId

#: Between two turns, s.
TURN_S = 1.0


@dataclass(slots=True, kw_only=True)
class Returned:
    """Of one process. Whoever has the job by then is not disturbed: the claim fences what is said late."""

    #: Raises UnconfirmedError as long as replicas do not know what it runs.
    runner: AsyncRunner
    stopping: asyncio.Event
    #: The last one of each job.
    _calls: dict[RequestId, Call[Any]] = field(default_factory=dict)
    _turns: asyncio.Task[None] | None = None

    def add(self, request_id: RequestId, call: Call[Any]) -> None:
        """The primary has taken it."""
        self._calls[request_id] = call
        if self._turns is None or self._turns.done():
            self._turns = asyncio.create_task(self._main())

    async def _main(self) -> None:
        while self._calls and not await within(self.stopping, TURN_S):
            for request_id, call in tuple(self._calls.items()):
                try:
                    await self.runner.run(call)
                except RedisDownError:
                    break
                if self._calls.get(request_id) is call:
                    del self._calls[request_id]
