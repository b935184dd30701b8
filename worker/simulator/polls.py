"""The results endpoint."""

import time
from collections import Counter
from urllib.parse import unquote

from worker.simulator.account import Account
from worker.simulator.mishaps import broken
from worker.simulator.replies import json_reply, status_reply
from worker.simulator.tasks import envelope, results
from worker.simulator.wire import Reply, Request


class Polls:
    """Answers polls and remembers how many each task has had."""

    def __init__(self, account: Account) -> None:
        self._account = account
        #: Those without a fault: a poll that a fault answers does not count for the task's own oddities.
        self._shown: Counter[str] = Counter()

    def answer(self, request: Request) -> Reply:
        """Answers one poll."""
        account, now_s = self._account, time.time()
        account.ledger.count("polls")
        if not account.knows(request.headers.get("authorization", "")):
            return status_reply(401)
        task = account.ledger.tasks.get(unquote(request.query.removeprefix("task_id=").partition("&")[0]))
        if task is None:
            return status_reply(404)
        task = account.settled(task, now_s)
        strike = account.script.strike("poll", request_id=task.request_id, subject=task.task_id)
        strings = strike is not None and strike.do == "string-status"
        shows = strike is None or strings
        self._shown[task.task_id] += shows
        account.ledger.note_poll(task, now_s, seen=shows and task.ended_s is not None)
        options = account.options
        result = results(
            task,
            now_s=now_s,
            poll=self._shown[task.task_id],
            strings=strings,
            dialect=options.dialect,
            silent=options.no_progress,
        )
        return broken(strike, json_reply(envelope(task, result, dialect=options.dialect)))
