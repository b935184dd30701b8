"""The results endpoint."""

import time
from collections import Counter

from starlette.requests import Request
from starlette.responses import Response

from worker.simulator.account import Account
from worker.simulator.mishaps import broken
from worker.simulator.replies import json_reply, status_reply
from worker.simulator.tasks import envelope, results
from worker.simulator.wires import Wires


class Polls:
    """Answers polls and remembers how many each task has had."""

    def __init__(self, account: Account, wires: Wires) -> None:
        self._account = account
        self._wires = wires
        self._seen: Counter[str] = Counter()

    async def answer(self, request: Request) -> Response:
        """Answers one poll."""
        account, now_s = self._account, time.time()
        account.ledger.count("polls")
        if not account.knows(request.headers.get("authorization", "")):
            return status_reply(401)
        task = account.ledger.tasks.get(request.query_params.get("task_id", ""))
        if task is None:
            return status_reply(404)
        task = account.settled(task, now_s)
        strike = account.script.strike("poll", request_id=task.request_id, subject=task.task_id)
        # A poll that a fault answers shows nothing of the task: it does not count for its own oddities.
        shows = strike is None or strike.do == "string-status"
        self._seen[task.task_id] += shows
        strings = strike is not None and strike.do == "string-status"
        dialect = account.options.dialect
        result = results(task, now_s=now_s, poll=self._seen[task.task_id], strings=strings, dialect=dialect)
        good = json_reply(envelope(task, result, dialect=dialect))
        return good if strike is None else broken(strike, self._wires, good)
