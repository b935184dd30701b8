"""The account behind the API: who may enter, what is refused, and the life of a task."""

import asyncio
import time
import uuid
from pathlib import Path

from jobs.errors import ConfigError, NotFoundError
from worker.simulator.callbacks import Callbacks
from worker.simulator.faults import Rule, Script, Strike, parse_rules
from worker.simulator.ledger import Ledger
from worker.simulator.limits import WINDOW_S, SlidingWindow, draw_latency
from worker.simulator.options import Options
from worker.simulator.orders import Order, Refusal
from worker.simulator.pictures import Inputs
from worker.simulator.tasks import DONE, Outcome, Task, decide

NO_CREDITS = 2007


class Account:
    """One vendor's account, with everything that the endpoints need."""

    def __init__(self, options: Options) -> None:
        """Opens the account; the running event loop is needed only by `wake` and what follows.

        Raises:
            ConfigError: the fault script is wrong.
        """
        self.options = options
        self.script = Script(_rules(options.faults), seed=options.seed)
        self.ledger = Ledger(options.state, credits=options.credits)
        folder = options.state.with_name(options.state.name + ".inputs") if options.state else None
        self.inputs = Inputs(folder)
        self.callbacks = Callbacks(self.ledger, shape=options.callback_shape, dialect=options.dialect)
        self._window = SlidingWindow(options.images_per_minute)
        #: What happens to the callback of a task under way.
        self._strikes: dict[str, Strike | None] = {}
        self._replay_window(time.time())

    def wake(self) -> None:
        """Takes up the tasks that a restart has interrupted."""
        for task in self.ledger.live():
            self._schedule(task)

    async def close(self) -> None:
        """Ends deliveries and closes the books."""
        await self.callbacks.close()
        self.ledger.close()

    def knows(self, authorization: str) -> bool:
        """Whether an Authorization header opens the account."""
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer" or not token:
            return False
        if self.options.token in {"any", token}:
            return True
        return self.ledger.tokens.get(token, 0.0) > time.time()

    def give_token(self, life_s: float) -> tuple[str, float]:
        """A new token and when it expires, epoch seconds."""
        token, expires_s = f"sk-exchanged-{uuid.uuid4().hex}", time.time() + life_s
        self.ledger.keep_token(token, expires_s)
        return token, expires_s

    def refuse(self, now_s: float) -> Refusal | None:
        """Why no task can be made now; None counts it as made in the minute's window."""
        options, pictures = self.options, self.options.sub_tasks
        if self.ledger.credits is not None and self.ledger.credits < pictures:
            return Refusal(kind="credits", code=NO_CREDITS, message="No credits available")
        if options.in_flight and self.ledger.in_flight >= options.in_flight:
            message = "Too many tasks in progress"
            if options.parallel_code is not None:
                return Refusal(kind="parallel", code=options.parallel_code, message=message)
            wait_s = min(task.due_s for task in self.ledger.live()) - now_s
            return Refusal(
                kind="parallel", code=429, message=message, http=429, retry_after_s=max(0.0, wait_s)
            )
        wait_s = self._window.admit(now_s, pictures)
        if wait_s > 0:
            return Refusal(kind="rate", code=429, message="Too many requests", http=429, retry_after_s=wait_s)
        return None

    def make(self, order: Order, *, now_s: float, pictures_base: str) -> Task:
        """Makes a task, charges it and sets its clock."""
        ordinal = len(self.ledger.tasks) + 1
        outcome = self._outcome(order.request_id, ordinal)
        options = self.options
        drawn = draw_latency(options.latency_s, options.latency_sigma, seed=options.seed, ordinal=ordinal)
        strike = self.script.strike("callback", request_id=order.request_id) if order.notify_url else None
        early = strike is not None and strike.do == "early"
        # The work begins with the reply.
        latency = 0.0 if early else options.submit_delay_s + drawn * outcome.slow
        task = Task(
            task_id=uuid.uuid4().hex,
            request_id=order.request_id,
            ordinal=ordinal,
            created_s=now_s,
            due_s=now_s + (latency if outcome.stuck_s is None else outcome.stuck_s),
            sub_task_ids=tuple(uuid.uuid4().hex for _ in range(outcome.pictures)),
            inputs=order.inputs,
            notify_url=order.notify_url,
            pictures_base=options.pictures_base.rstrip("/") + "/" if options.pictures_base else pictures_base,
            outcome=outcome,
            charged=outcome.pictures,
        )
        self.ledger.open_task(task)
        self._strikes[task.task_id] = strike
        if not early:
            self._schedule(task)
        return task

    async def call_back_early(self, task: Task) -> None:
        """Ends an `early` task and waits for its callback, so that it overtakes the submit reply."""
        strike = self._strikes.get(task.task_id)
        if strike is not None and strike.do == "early":
            delivery = self._end(task.task_id)
            if delivery is not None:
                await asyncio.wait([delivery])

    def settled(self, task: Task, now_s: float) -> Task:
        """The task as it is now, ended if it is due: a poll must not be ahead of a late timer."""
        if task.ended_s is None and task.due_s <= now_s:
            self._end(task.task_id)
        return self.ledger.tasks[task.task_id]

    def _outcome(self, request_id: str, ordinal: int) -> Outcome:
        options = self.options
        extension = options.extension
        if extension == "mixed":
            extension = "png" if ordinal % 2 == 0 else "jpg"
        base = Outcome(status=DONE, pictures=options.sub_tasks, bare=options.bare_ids, extension=extension)
        return decide(self.script.strikes("task", request_id=request_id), base=base)

    def _schedule(self, task: Task) -> None:
        delay = max(0.0, task.due_s - time.time())
        asyncio.get_running_loop().call_later(delay, self._end, task.task_id)

    def _end(self, task_id: str) -> asyncio.Task[None] | None:
        """Ends a task once; the delivery of its callback, if somebody wants one."""
        task = self.ledger.end_task(task_id, time.time())
        strike = self._strikes.pop(task_id, None)
        if task is None or not task.notify_url or task.outcome.stuck_s is not None:
            return None
        return self.callbacks.send(task, strike)

    def _replay_window(self, now_s: float) -> None:
        recent = [task for task in self.ledger.tasks.values() if task.created_s > now_s - WINDOW_S]
        self._window.replay([task.created_s for task in recent for _ in task.sub_task_ids])


def _rules(path: Path | None) -> tuple[Rule, ...]:
    if path is None:
        return ()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"no such file: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    return parse_rules(text, name=str(path))
