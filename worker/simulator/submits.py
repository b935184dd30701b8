"""The submit endpoint: a body in, a task out, or one of many ways not to."""

import asyncio
import math
from typing import Any

from worker.simulator.account import Account
from worker.simulator.mishaps import broken
from worker.simulator.orders import Order, Refusal, read_body, read_order
from worker.simulator.replies import json_reply, status_reply
from worker.simulator.tasks import Task
from worker.simulator.wire import Reply, Request

#: Faults after which no task exists, whatever their parameters say.
_BEFORE = frozenset({"reset-before", "hang-before", "status-before", "429", "code", "unauthorized"})


async def submit(account: Account, request: Request, body: bytes | None) -> Reply:
    """Answers one submit."""
    if not account.knows(request.headers.get("authorization", "")):
        account.ledger.count("refused:unauthorized")
        return status_reply(401)
    if body is None:
        account.ledger.count("refused:size")
        return status_reply(413)
    content = read_body(body)
    request_id = "" if isinstance(content, Refusal) else content.get("request_id") or ""
    strike = account.script.strike("submit", request_id=request_id, subject=request_id)
    if strike is not None and (strike.do in _BEFORE or strike.params.get("created") is False):
        account.ledger.count("refused:fault")
        return broken(strike, status_reply(500))
    if strike is not None and strike.do == "credits-exhausted":
        account.ledger.set_credits(0)
    previous = account.ledger.tasks.get(account.ledger.last_task_id)
    made = _make(account, request, content)
    if isinstance(made, Refusal):
        account.ledger.count(f"refused:{made.kind}")
        return _refusal_reply(made)
    await account.call_back_early(made)
    if account.options.submit_delay_s:
        await asyncio.sleep(account.options.submit_delay_s)
    same = strike is not None and strike.do == "same-task-id"
    return broken(strike, _accepted(made, named=previous if same else None))


def _make(account: Account, request: Request, content: dict[str, Any] | Refusal) -> Task | Refusal:
    if isinstance(content, Refusal):
        return content
    order = read_order(content, account.inputs)
    if isinstance(order, Refusal):
        return order
    return _known(account, order) or account.refuse(request.arrived_s) or _new(account, request, order)


def _known(account: Account, order: Order) -> Task | None:
    return (
        account.ledger.of_request(order.request_id) if account.options.dedupe and order.request_id else None
    )


def _new(account: Account, request: Request, order: Order) -> Task:
    host = request.headers.get("host", f"{account.options.host}:{account.options.port}")
    return account.make(order, now_s=request.arrived_s, pictures_base=f"http://{host}/image/")


def _accepted(task: Task, *, named: Task | None = None) -> Reply:
    """The reply to an accepted order, under the ids of another task when a fault wants it."""
    named = named or task
    result = {"task_id": named.task_id, "sub_task_ids": named.sub_task_ids}
    return json_reply({"code": 0, "message": "请求成功", "request_id": task.request_id, "result": result})


def _refusal_reply(refusal: Refusal) -> Reply:
    headers = {}
    if refusal.retry_after_s is not None:
        headers["retry-after"] = str(max(1, math.ceil(refusal.retry_after_s)))
    return json_reply(
        {"code": refusal.code, "message": refusal.message}, status=refusal.http, headers=headers
    )
