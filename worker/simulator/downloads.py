"""The picture endpoint, which needs no token, and what can happen to a download."""

import asyncio
import re

from starlette.requests import Request
from starlette.responses import Response

from worker.simulator.account import Account
from worker.simulator.mishaps import broken
from worker.simulator.pictures import Shelf, draw
from worker.simulator.replies import status_reply
from worker.simulator.tasks import Task
from worker.simulator.wires import Wires

_NAME = re.compile(r"p_([0-9a-f]{32})\.(jpg|png)")
_MEDIA = {"jpg": "image/jpeg", "png": "image/png"}
#: Pictures kept drawn, bytes; pictures drawn at once.
_CACHE_BYTES, _PENS = 128_000_000, 2


class Downloads:
    """Answers downloads and keeps what was drawn."""

    def __init__(self, account: Account, wires: Wires) -> None:
        self._account = account
        self._wires = wires
        self._drawn = Shelf(_CACHE_BYTES)
        self._pens = asyncio.Semaphore(_PENS)

    async def answer(self, request: Request) -> Response:
        """Answers one download."""
        self._account.ledger.count("downloads")
        match = _NAME.fullmatch(request.path_params["name"])
        task = self._account.ledger.of_sub_task(match[1]) if match else None
        if match is None or task is None:
            return status_reply(404)
        index = task.sub_task_ids.index(match[1])
        if match[2] != task.outcome.extension or task.ended_s is None or index >= task.outcome.good:
            return status_reply(404)
        strike = self._account.script.strike("download", request_id=task.request_id, subject=match[1])
        content = await self._picture(task, index)
        good = Response(content, media_type=_MEDIA[match[2]])
        return good if strike is None else broken(strike, self._wires, good)

    async def _picture(self, task: Task, index: int) -> bytes:
        name = task.sub_task_ids[index]
        async with self._pens:
            content = self._drawn.get(name)
            if content is None:
                plain = self._account.options.plain_pictures
                content = await asyncio.to_thread(draw, task, index, self._account.inputs, plain=plain)
                self._drawn.put(name, content)
        return content
