"""One job's turn: its task is asked for and put off, ended or given up; errors of our own are bounded."""

import asyncio
from collections.abc import Awaitable
from typing import Protocol, assert_never

import structlog

from jobs.config.settings import Settings
from jobs.failpoints import reach
from jobs.gate.account import DoubtCause, doubt, suspect_token
from jobs.ledger import AsyncRunner, steps
from jobs.ledger.codec import UNREADABLE
from jobs.ledger.records import Heard
from jobs.ledger.steps import Due
from jobs.records import Job, JobState, RequestId, TaskId
from jobs.tracing import UNTRACED, Traces
from worker.collect.collection import Collection
from worker.collect.giving_up import (
    INCOMPLETE_MS,
    INCOMPLETE_POLL_MS,
    Lost,
    NoAnswer,
    after_no_answer,
    after_own_error,
    outlasted,
)
from worker.collect.schedule import (
    Collect,
    GiveUp,
    PollSchedule,
    TryAgain,
    after_task,
    predict_ms,
    unanswered_ms,
)
from worker.hidream.outcomes import Ended, Pending, PollFailed, PollOutcome, SubFailure, SubFailureKind
from worker.hidream.wire import words
from worker.metrics import Metrics

log = structlog.get_logger()


class Poller(Protocol):
    """What the watcher needs of the HiDream client."""

    def results(self, task_id: TaskId, *, expected: int = 1) -> Awaitable[PollOutcome]:
        """Asks about one task of `expected` sub-tasks; never raises for what the network does."""


class Turns:
    """What a watcher does with a job that is due; one per event loop."""

    def __init__(
        self,
        ledger: AsyncRunner,
        poller: Poller,
        collection: Collection,
        settings: Settings,
        metrics: Metrics,
        *,
        traces: Traces = UNTRACED,
    ) -> None:
        self._traces = traces
        self._ledger = ledger
        self._poller = poller
        self._collection = collection
        self._settings = settings
        self._schedule = PollSchedule(tasks=settings.tasks)
        self._metrics = metrics
        self._pace = _Pace(settings.polls_per_second)
        #: Jobs whose task is over as far as we know: no error of ours may keep their slots.
        self._over: set[RequestId] = set()

    async def attend(self, job: Job, due: Due) -> None:
        """Asks about a job's task, or fetches its pictures, and records what came of it. Raises RedisDownError."""
        if job.failure is not None and job.failure.kind == UNREADABLE:
            # Perhaps a newer version can; it is due again when its hold is over.
            log.error("job.unreadable", why=job.failure.message)
            return
        if job.state is not JobState.SUBMITTED or job.task_id is None or job.submitted_ms is None:
            return
        if job.ended_ms is not None and job.picture_urls:
            await self._collection.collect(job, due.now_ms, due.heard)
            return
        started = asyncio.get_running_loop().time()
        await self._pace.wait()
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
        predicted_ms = None if job.asked_ms else predict_ms(pending.progress, elapsed_ms)
        callbacks = bool(self._settings.callbacks.public_url)
        wait_ms = self._schedule.next_ms(
            due.latency, elapsed_ms, predicted_ms=predicted_ms, callbacks=callbacks
        )
        await self._ledger.run(
            steps.defer(
                job.request_id,
                min(wait_ms, INCOMPLETE_POLL_MS) if lists else wait_ms,
                task_id=job.task_id,
                predicted_ms=predicted_ms,
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
            named=bool(job.settled) and job.settled[-1].task_id == job.task_id,
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
                # One that HiDream refuses to show must not keep its slot for ever: others may still go through.
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
                    self._trace(job, now_ms, "retried")
            case GiveUp(state=state, failure=failure):
                if await self._ledger.run(steps.fail(job.request_id, failure, state, task_id=task_id)):
                    event = "task.rejected" if state is JobState.REJECTED else "task.failed"
                    log.warning(event, kind=failure.kind, why=failure.message, owner=failure.owner)
                    self._metrics.tasks.labels(status=state.value).inc()
                    self._trace(job, now_ms, state.value)
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
        self._trace(job, now_ms, "succeeded")
        await self._collection.collect(job, now_ms, due.heard, urls=urls, partial=failure)

    def _trace(self, job: Job, now_ms: int, outcome: str) -> None:
        """From when HiDream took the task until it said that it was over."""
        self._traces.span(
            job,
            "task",
            _begun_ms(job) or now_ms,
            now_ms,
            failed=outcome != JobState.SUCCEEDED,
            outcome=outcome,
            task_id=job.task_id,
            polls=job.polls + 1,
        )

    async def stumble(self, job: Job, error: Exception, now_ms: int) -> None:
        """An error of ours: logged once for each job, tried again a few times, then the job is set aside with its task id.

        Raises RedisDownError.
        """
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

    def forget(self, job: Job) -> None:
        """The job's turn is over."""
        self._over.discard(job.request_id)


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
    """What is here is all there is; the rest is said to be missing."""
    missing = SubFailure(kind=SubFailureKind.MISSING, status="")
    return Ended(pictures=end.pictures, failures=(*end.failures, missing))


def _told(error: Exception) -> str:
    """An error of ours, fit for Redis and for logs whatever is in it."""
    return words(f"{type(error).__name__}: {error}".encode("ascii", "backslashreplace").decode())
