"""The picture endpoint, which needs no token, and what can happen to a download."""

import asyncio
import re
import time
from collections.abc import Awaitable

from worker.simulator.account import Account
from worker.simulator.faults import Strike
from worker.simulator.mishaps import broken
from worker.simulator.pictures import Cache, draw, plain
from worker.simulator.replies import status_reply
from worker.simulator.tasks import Task
from worker.simulator.wire import Reply

_NAME = re.compile(r"p_([0-9a-f]{32})\.(jpg|png)")
_MEDIA = {"jpg": "image/jpeg", "png": "image/png"}
#: Pictures kept drawn, bytes; pictures drawn at once.
_CACHE_BYTES, _AT_ONCE = 128_000_000, 2


class Downloads:
    """Answers downloads and keeps what was drawn."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._drawn = Cache(_CACHE_BYTES)
        self._drawing = asyncio.Semaphore(_AT_ONCE)

    def answer(self, name: str) -> Reply | Awaitable[Reply]:
        """Answers one download."""
        ledger = self._account.ledger
        ledger.count("downloads")
        match = _NAME.fullmatch(name)
        task = ledger.of_sub_task(match[1]) if match else None
        if match is None or task is None:
            return status_reply(404)
        index = task.sub_task_ids.index(match[1])
        if match[2] != task.outcome.extension or task.ended_s is None or index >= task.outcome.good:
            return status_reply(404)
        strike = self._account.script.strike("download", request_id=task.request_id, subject=match[1])
        ledger.note_download(task, time.time())
        if self._account.options.plain_pictures:
            return _reply(task, plain(match[1], match[2]), strike)
        return self._draw(task, index, strike)

    async def _draw(self, task: Task, index: int, strike: Strike | None) -> Reply:
        name = task.sub_task_ids[index]
        async with self._drawing:
            content = self._drawn.get(name)
            if content is None:
                content = await asyncio.to_thread(draw, task, index, self._account.inputs)
                self._drawn.put(name, content)
        return _reply(task, content, strike)


def _reply(task: Task, content: bytes, strike: Strike | None) -> Reply:
    return broken(strike, Reply(body=content, media_type=_MEDIA[task.outcome.extension]))
