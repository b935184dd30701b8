"""The watcher: one event loop per collect process, many polls in flight on few connections.

It takes what is due from the ledger, asks HiDream, and either puts the task off or ends it. A callback only makes a task
due now; what it says is never believed without asking with our own token.
"""

import asyncio

import structlog

from jobs.errors import RedisDownError
from jobs.ledger import AsyncRunner, steps
from jobs.ledger.steps import Due
from jobs.records import Job, RequestId
from worker.collect.turns import Turns

log = structlog.get_logger()

#: Jobs under way in one process at most, if the account has fewer parallel tasks than that: polls, and downloads that wait.
CAPACITY = 256
#: Longest sleep without looking at the ledger; a notification ends it early.
LONGEST_SLEEP_S = 5.0
#: One job's turn at most: poll, downloads and a Redis outage together stay below it; a turn that hangs must end.
LONGEST_TURN_S = 600.0
#: After a Redis outage, between two tries.
OUTAGE_S = 1.0


class Watcher:
    """Watches tasks until they end; `stop()` lets what is under way finish."""

    def __init__(self, ledger: AsyncRunner, turns: Turns, in_flight: int) -> None:
        """`in_flight`: the account's parallel tasks."""
        self._ledger = ledger
        self._turns = turns
        self._capacity = max(CAPACITY, 2 * in_flight)
        self._under_way: set[asyncio.Task[None]] = set()
        self._attended: set[RequestId] = set()
        #: Attended jobs that a callback came for meanwhile: what we are being answered may be older than it.
        self._overtaken: set[RequestId] = set()
        self._freed = asyncio.Event()
        self._stopping = asyncio.Event()
        #: The call that waits for a notification.
        self._wakeup: asyncio.Future[object] | None = None

    async def run(self) -> None:
        """Runs until stopped."""
        while not self._stopping.is_set():
            try:
                await self._turn()
            except RedisDownError as error:
                log.warning("redis.waiting", why=str(error))
                await self._rest(OUTAGE_S)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=20)

    def stop(self) -> None:
        """Takes nothing new; call it on the loop."""
        self._stopping.set()

    async def _turn(self) -> None:
        room = self._capacity - len(self._under_way)
        if room <= 0:
            self._freed.clear()
            await self._freed.wait()
            return
        due = await self._ledger.run(steps.take_due(min(room, 64)))
        for job in due.jobs:
            if job.request_id in self._attended:
                # Still at it: its hold ran out, nobody else should need to; or a callback came, which must not be lost.
                if job.hinted:
                    self._overtaken.add(job.request_id)
                continue
            self._attended.add(job.request_id)
            task = asyncio.create_task(self._guarded(job, due))
            self._under_way.add(task)
            task.add_done_callback(self._done)
        if not due.jobs:
            wait_s = LONGEST_SLEEP_S if due.next_ms is None else (due.next_ms - due.now_ms) / 1000
            await self._listen(min(LONGEST_SLEEP_S, max(0.005, wait_s)))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._freed.set()

    async def _listen(self, timeout_s: float) -> None:
        """Sleeps until something is due; new tasks and callbacks notify, stopping ends it.

        The time is kept here: Redis ends a blocking call up to 100 ms late, which is an idle slot. So one call goes on
        listening over many sleeps.
        """
        if self._wakeup is None:
            listening = self._ledger.client.blpop(f"{self._ledger.prefix}:watch", timeout=LONGEST_SLEEP_S)
            self._wakeup = asyncio.ensure_future(listening)
        stop = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({self._wakeup, stop}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if self._stopping.is_set():
            self._wakeup.cancel()
        elif self._wakeup.done():
            done, self._wakeup = self._wakeup, None
            if done.exception() is not None:
                # An outage of any kind shows in the next script call.
                await self._rest(OUTAGE_S)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _guarded(self, job: Job, due: Due) -> None:
        """One job's turn. An outage of Redis leaves it due when its hold is over; an error of ours is counted."""
        with structlog.contextvars.bound_contextvars(request_id=job.request_id, task_id=job.task_id):
            begun = asyncio.get_running_loop().time()
            try:
                try:
                    async with asyncio.timeout(LONGEST_TURN_S):
                        await self._turns.attend(job, due)
                except RedisDownError:
                    raise
                except Exception as error:  # noqa: BLE001 whatever it is: it is logged, counted and bounded
                    lasted_ms = int((asyncio.get_running_loop().time() - begun) * 1000)
                    await self._turns.stumble(job, error, due.now_ms + lasted_ms)
                finally:
                    self._attended.discard(job.request_id)
                if job.request_id in self._overtaken:
                    await self._ledger.run(steps.hint(job.request_id, job.task_id))
            except RedisDownError as error:
                log.warning("redis.waiting", why=str(error))
            except Exception:
                # Not even the error could be recorded: the job is due again when its hold is over.
                log.exception("actor.failed", what="watcher")
            finally:
                self._overtaken.discard(job.request_id)
                self._turns.forget(job)
