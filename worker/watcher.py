"""The watcher: one event loop per collect process, many polls in flight on few connections.

It takes what is due from the ledger, asks HiDream, and either puts the task off or ends it. A callback only makes a task
due now; what it says is never believed without asking with our own token.
"""

import asyncio
from collections.abc import Awaitable
from typing import Protocol, assert_never

import structlog

from jobs.errors import RedisDownError
from jobs.failpoints import reach
from jobs.ledger import AsyncRunner, steps
from jobs.ledger.codec import UNREADABLE
from jobs.ledger.steps import Due, Heard
from jobs.records import Job, JobState, RequestId, TaskId
from jobs.settings import Settings
from worker.collection import Collection
from worker.gate.account import DoubtCause, doubt, suspect_token
from worker.hidream.outcomes import Ended, Pending, PollFailed, PollOutcome, SubFailure, SubFailureKind
from worker.hidream.wire import words
from worker.losses import (
    INCOMPLETE_MS,
    INCOMPLETE_POLL_MS,
    Lost,
    NoAnswer,
    after_no_answer,
    after_own_error,
    outlasted,
)
from worker.metrics import Metrics
from worker.policy import Collect, GiveUp, PollSchedule, TryAgain, after_task, foretell_ms, unanswered_ms

log = structlog.get_logger()

#: Jobs under way in one process at most, if the account has fewer parallel tasks than that: polls, and downloads that wait.
CAPACITY = 256
#: Longest sleep without looking at the ledger; a bell ends it early.
LONGEST_SLEEP_S = 2.0
#: One job's turn at most: poll, downloads and a Redis outage together stay below it; a turn that hangs must end.
LONGEST_TURN_S = 600.0
#: After a Redis outage, between two tries.
OUTAGE_S = 1.0


class Poller(Protocol):
    """What the watcher needs of the HiDream client."""

    def results(self, task_id: TaskId, *, expected: int = 1) -> Awaitable[PollOutcome]:
        """Asks about one task of `expected` sub-tasks; never raises for what the network does."""


class Watcher:
    """Watches tasks until they end; `stop()` lets what is under way finish."""

    def __init__(
        self,
        ledger: AsyncRunner,
        poller: Poller,
        collection: Collection,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self._ledger = ledger
        self._poller = poller
        self._collection = collection
        self._settings = settings
        self._schedule = PollSchedule(tasks=settings.tasks)
        self._metrics = metrics
        self._under_way: set[asyncio.Task[None]] = set()
        self._attended: set[RequestId] = set()
        #: Attended jobs that a callback came for meanwhile: what we are being told may be older than it.
        self._overtaken: set[RequestId] = set()
        #: Attended jobs whose task is over as far as we have been told: no error of ours may keep their slots.
        self._over: set[RequestId] = set()
        self._freed = asyncio.Event()
        self._pace = _Pace(settings.polls_per_second)
        self._stopping = asyncio.Event()
        #: The call that waits for a ring.
        self._bell: asyncio.Future[object] | None = None

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
        room = max(CAPACITY, 2 * self._settings.limits.in_flight) - len(self._under_way)
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
        """Sleeps until something is due; new tasks and callbacks ring, stopping ends it.

        The time is kept here: Redis ends a blocking call up to 100 ms late, which is an idle slot. So one call goes on
        listening over many sleeps.
        """
        if self._bell is None:
            listening = self._ledger.client.blpop(f"{self._ledger.prefix}:watch", timeout=LONGEST_SLEEP_S)
            self._bell = asyncio.ensure_future(listening)
        stop = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({self._bell, stop}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if self._stopping.is_set():
            self._bell.cancel()
        elif self._bell.done():
            rung, self._bell = self._bell, None
            if rung.exception() is not None:
                # An outage of any kind is told by the next script call.
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
                        await self._attend(job, due)
                except RedisDownError:
                    raise
                except Exception as error:  # noqa: BLE001 whatever it is: it is told, counted and bounded
                    lasted_ms = int((asyncio.get_running_loop().time() - begun) * 1000)
                    await self._stumble(job, error, due.now_ms + lasted_ms)
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
                self._over.discard(job.request_id)

    async def _stumble(self, job: Job, error: Exception, now_ms: int) -> None:
        """An error of ours: told once for each job, tried again a few times, then the job is set aside with its task id."""
        why = _told(error)
        if not job.errors:
            log.error("actor.failed", what="watcher", why=why, exc_info=error)
        elapsed_ms = now_ms - (_begun_ms(job) or now_ms)
        verdict = after_own_error(job.errors + 1, elapsed_ms, why, self._settings.tasks)
        if isinstance(verdict, Lost):
            await self._collection.lose(job, verdict)
            return
        over = job.request_id in self._over or job.ended_ms is not None
        await self._ledger.run(
            steps.stumble(
                job.request_id, now_ms + verdict, task_id=job.task_id, errors=job.errors + 1, over=over
            )
        )

    async def _attend(self, job: Job, due: Due) -> None:
        if job.failure is not None and job.failure.kind == UNREADABLE:
            # Perhaps a newer version can; it is due again when its hold is over.
            log.error("job.unreadable", why=job.failure.message)
            return
        if job.state is not JobState.SUBMITTED or job.task_id is None or job.submitted_ms is None:
            return
        if job.ended_ms is not None and job.picture_urls:
            await self._collection.collect(job, due.now_ms, due.heard)
            return
        await self._pace.wait()
        started = asyncio.get_running_loop().time()
        reach("polling")
        outcome = await self._poller.results(job.task_id, expected=max(1, len(job.sub_task_ids)))
        now_ms = due.now_ms + int((asyncio.get_running_loop().time() - started) * 1000)
        match outcome:
            case Pending():
                self._metrics.polls.labels(outcome="waiting").inc()
                log.debug("task.polled", progress=outcome.progress)
                await self._put_off(job, job.task_id, outcome, now_ms, due)
            case PollFailed():
                self._metrics.polls.labels(outcome="failed").inc()
                await self._unanswered(job, outcome, now_ms, due.heard)
            case Ended():
                self._metrics.polls.labels(outcome="final").inc()
                await self._end(job, job.task_id, outcome, now_ms, due)
            case never:
                assert_never(never)

    async def _put_off(self, job: Job, task_id: TaskId, pending: Pending, now_ms: int, due: Due) -> None:
        if pending.odd and pending.odd != job.odd:
            log.warning("task.odd", status=pending.odd)
        elapsed_ms = now_ms - (_begun_ms(job) or now_ms)
        so_far, lost = pending.so_far, outlasted(elapsed_ms, self._settings.tasks, odd=pending.odd)
        lists = f"{len(so_far.pictures)} {len(so_far.failures)}" if so_far and pending.incomplete else ""
        if so_far and lists and _stays(job, lists, now_ms):
            await self._end(job, task_id, _without_the_rest(so_far), now_ms, due)
            return
        if so_far and so_far.pictures and lost:
            # What is there is kept.
            await self._collect(
                job, Collect(picture_urls=so_far.pictures, failure=lost.failure()), now_ms, due
            )
            return
        if lost:
            await self._collection.lose(job, lost)
            return
        if pending.odd:
            # Before it is put off: from then on it may be due again.
            why = f"several tasks have the status {pending.odd}, which nobody has documented"
            await self._doubt("odd", why, job.request_id)
        foretold_ms = None if job.asked_ms else foretell_ms(pending.progress, elapsed_ms)
        callbacks = bool(self._settings.callbacks.public_url)
        wait_ms = self._schedule.next_ms(
            due.latency, elapsed_ms, foretold_ms=foretold_ms, callbacks=callbacks
        )
        await self._ledger.run(
            steps.defer(
                job.request_id,
                min(wait_ms, INCOMPLETE_POLL_MS) if lists else wait_ms,
                task_id=job.task_id,
                foretold_ms=foretold_ms,
                odd=pending.odd,
                incomplete=lists,
            )
        )

    async def _unanswered(self, job: Job, failed: PollFailed, now_ms: int, heard: Heard) -> None:
        log.warning("poll.failed", reason=failed.reason, polls=job.polls)
        facts = NoAnswer(
            now_ms=now_ms,
            reason=failed.reason,
            missing=failed.missing,
            auth=failed.auth,
            unanswered=job.unanswered + 1,
            since_ms=job.unanswered_ms or now_ms,
            missing_ms=job.missing_ms,
            missed_ms=job.missed_ms,
            answered_ms=heard.answered_ms if heard.answered_by != job.task_id else None,
        )
        verdict = after_no_answer(facts, self._settings.tasks)
        if isinstance(verdict, Lost):
            await self._collection.lose(job, verdict)
            if verdict.outage:
                await self._doubt("silence", verdict.why)
            return
        overdue = now_ms - (_begun_ms(job) or now_ms) > self._settings.tasks.give_up_s * 1000
        if failed.auth:
            # Others are accepted since, so the account works: it is not for it to know of.
            await self._ledger.run(suspect_token(failed.reason, job.unanswered_ms))
        elif verdict.outage:
            await self._doubt("silence", f"no result can be asked for: {failed.reason}")
        wait_ms = unanswered_ms(job.unanswered, failed.retry_after_s, missing=failed.missing)
        await self._ledger.run(
            steps.defer(
                job.request_id,
                wait_ms,
                answered=False,
                task_id=job.task_id,
                missing_since_ms=verdict.missing_since_ms,
                # One that nobody may be told of must not keep its slot for ever: others could show that the account works.
                runs=not (overdue and failed.auth),
            )
        )

    async def _doubt(self, cause: DoubtCause, why: str, request_id: str = "") -> None:
        if await self._ledger.run(doubt(cause, why, request_id)):
            log.error("breaker.opened", reason="vendor", why=why)

    async def _end(self, job: Job, task_id: TaskId, end: Ended, now_ms: int, due: Due) -> None:
        self._over.add(job.request_id)
        verdict = after_task(
            end, task_failures=job.task_failures, max_attempts=self._settings.limits.max_attempts
        )
        match verdict:
            case Collect():
                await self._collect(job, verdict, now_ms, due)
            case TryAgain(wait_ms=wait_ms, failure=failure):
                if await self._ledger.run(steps.again(job.request_id, task_id, wait_ms)):
                    log.info("task.retried", why=failure.message, kind=failure.kind, wait_ms=wait_ms)
            case GiveUp(state=state, failure=failure):
                if await self._ledger.run(steps.fail(job.request_id, failure, state, task_id=task_id)):
                    event = "task.rejected" if state is JobState.REJECTED else "task.failed"
                    log.warning(event, kind=failure.kind, why=failure.message, owner=failure.owner)
                    self._metrics.tasks.labels(status=state.value).inc()
            case never:
                assert_never(never)

    async def _collect(self, job: Job, verdict: Collect, now_ms: int, due: Due) -> None:
        source = "callback" if job.hinted else "poll"
        latency_ms = _latency_ms(job, now_ms, relied=self._schedule.relies_on_callbacks(due.latency))
        urls, failure = verdict.picture_urls, verdict.failure
        ended = steps.ended(
            job.request_id, job.task_id or TaskId(""), urls, source, latency_ms, partial=failure
        )
        if not await self._ledger.run(ended):
            return
        log.info("task.succeeded", source=source, polls=job.polls + 1, task_s=_seconds(latency_ms))
        self._metrics.task_seconds.observe((latency_ms or 0) / 1000)
        await self._collection.collect(job, now_ms, due.heard, urls=urls, partial=failure)


class _Pace:
    """At most so many polls a second; the loop is one thread, so a moving deadline is enough."""

    def __init__(self, per_second: float) -> None:
        self._interval_s = 1 / per_second
        self._next = 0.0

    async def wait(self) -> None:
        now = asyncio.get_running_loop().time()
        at = max(now, self._next)
        self._next = at + self._interval_s
        if at > now:
            await asyncio.sleep(at - now)


def _latency_ms(job: Job, now_ms: int, *, relied: bool) -> float | None:
    """The task's time: the middle of the span in which it must have ended; a callback tells it at once.

    None when the span would teach nothing: polls went unanswered, nobody knows when the task began, it had been given up, or
    callbacks were `relied` on and this one was lost: what would be learnt is our own patience, which would grow with it.
    """
    if job.submitted_ms is None or job.unanswered or job.asked_ms is not None:
        return None
    if job.hinted:
        return float(now_ms - job.submitted_ms)
    if relied and job.polled_ms is None:
        return None
    earliest = job.polled_ms or job.submitted_ms
    return (earliest + now_ms) / 2 - job.submitted_ms


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else round(ms / 1000, 3)


def _begun_ms(job: Job) -> int | None:
    """Since when its task's time counts: one that was given up and is asked for again begins anew."""
    return job.asked_ms or job.submitted_ms


def _stays(job: Job, lists: str, now_ms: int) -> bool:
    """Whether an incomplete result has been the same for long enough."""
    return (
        lists == job.incomplete
        and job.incomplete_ms is not None
        and now_ms - job.incomplete_ms >= INCOMPLETE_MS
    )


def _without_the_rest(end: Ended) -> Ended:
    """What is told is all there is; the rest is said to be missing."""
    missing = SubFailure(kind=SubFailureKind.MISSING, status="")
    return Ended(pictures=end.pictures, failures=(*end.failures, missing))


def _told(error: Exception) -> str:
    """An error of ours, fit for Redis and for logs whatever is in it."""
    return words(f"{type(error).__name__}: {error}".encode("ascii", "backslashreplace").decode())
