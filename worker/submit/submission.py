"""Submission: permit → body → intent → POST → what the answer means. One call submits one job.

The intent is durable before the first byte is sent; a worker that dies after it leaves the job `unknown`, never a
blind second POST. Whatever is surely not bought gives its permit back and waits again with the same request id: what that
is, says worker.hidream.proof. An answer is kept until the ledger has it, however long Redis is away.
"""

import asyncio
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol, assert_never

import structlog

from jobs.errors import RedisDownError, SpoiltLedgerError, UnconfirmedError, VtonError
from jobs.failpoints import reach
from jobs.gate import Gate, Permit
from jobs.gate.account import BARE_STREAK, STREAK
from jobs.ledger import steps
from jobs.ledger.accepted_answers import AcceptedAnswer, AcceptedAnswers
from jobs.ledger.codec import UNREADABLE
from jobs.ledger.script import run_all_async
from jobs.records import Failure, Owner, RequestId
from jobs.tracing import UNTRACED, LedgerClock, Traces
from worker.collect.schedule import PollSchedule
from worker.hidream.outcomes import Accepted, Busy, NotSent, Paused, Refused, SubmitOutcome, Unknown
from worker.hidream.replies import UNLISTED
from worker.hidream.wire import Body
from worker.metrics import Metrics
from worker.submit.bodies import Bodies, PictureUnusableError
from worker.submit.confirmation import ConfirmedAnswers

log = structlog.get_logger()

NotAccepted = Refused | Busy | Paused | NotSent | Unknown
#: Outcomes as metrics name them.
OUTCOMES = {
    Accepted: "accepted",
    Refused: "refused",
    Busy: "busy",
    Paused: "paused",
    NotSent: "not_sent",
    Unknown: "unknown",
}


class Submitter(Protocol):
    """What submission needs of the HiDream client."""

    async def submit(self, body: Body, request_id: str = "") -> SubmitOutcome:
        """Sends one body and says what became of it; never raises for what the network does."""

    async def aclose(self) -> None:
        """Closes every connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Submits jobs, one a call; shared by the coroutines of a process."""

    gate: Gate
    client: Submitter
    bodies: Bodies
    schedule: PollSchedule
    metrics: Metrics
    #: What was accepted and is not in the ledger yet.
    answers: AcceptedAnswers
    #: The callback address of a job; None: polling only.
    notify_url: Callable[[RequestId], str | None]
    #: Has answers confirmed by replicas before their journal forgets them; None: what the primary has is enough.
    confirmed: ConfirmedAnswers | None = None
    traces: Traces = UNTRACED
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def submit_all(self) -> None:
        """Submits until none waits or the process stops. Raises as `submit_next`."""
        while await self.submit_next():
            pass

    async def run(self) -> None:
        """Waits for the process to stop: then whoever waits at the gate wakes, and POSTs under way are finished."""
        await self.stopping.wait()
        try:
            await self.gate.stop()
        except RedisDownError as error:
            log.warning("redis.waiting", why=str(error))

    def stop(self) -> None:
        """The process stops."""
        self.stopping.set()

    async def aclose(self) -> None:
        """Closes the way to HiDream."""
        if self.confirmed is not None:
            await self.confirmed.end()
        await self.client.aclose()

    async def submit_next(self) -> bool:
        """Submits the job whose turn it is; False when none waits or the process stops.

        Raises:
            RedisDownError: the ledger does not answer; nothing was sent, or the reconciler will find the intent.
            LedgerLostError: the ledger is another one.
        """
        # What is logged while one waits is not about the job before.
        structlog.contextvars.unbind_contextvars("request_id")
        with self.metrics.gate_wait_seconds.time():
            permit = await self.gate.acquire()
        if permit is None:
            return False
        # Until the next one, so that whoever tells of an error of ours can name the job.
        structlog.contextvars.bind_contextvars(request_id=permit.request_id)
        if permit.probe:
            log.info("breaker.probing")
        await self._submit(permit)
        return True

    async def _submit(self, permit: Permit) -> None:
        reach("claimed")
        clock = LedgerClock(told_ms=permit.now_ms)
        if permit.job.failure is not None and permit.job.failure.kind == UNREADABLE:
            await self._refuse(permit, permit.job.failure, answered=False)
            return
        try:
            body = await self._body(permit)
        except PictureUnusableError as error:
            await self._refuse(permit, error.failure, answered=False)
            return
        if not await self.gate.sleep_until_go(permit):
            await self.gate.give_back(permit)
            return
        if await self._begins(permit):
            await self._send(permit, body, clock)

    async def _begins(self, permit: Permit) -> bool:
        """Writes the intent; False when nothing may be sent, and whatever is to be given back has been."""
        begun = time.monotonic()
        try:
            answer = await self.gate.begin(permit)
        except UnconfirmedError as error:
            await self.gate.unconfirmed(permit, str(error))
            return False
        match answer:
            case "go" if time.monotonic() - begun > self.gate.patience_s:
                # This process stood still meanwhile; others may believe it dead. Nothing was sent.
                self.gate.ended(permit)
                await self.gate.give_back(permit)
                return False
            case "go":
                reach("intent_written")
                return True
            case "closed":
                await self.gate.give_back(permit)
                return False
            case "fenced":
                log.warning("lease.lost", why="the permit went to another worker before it was used")
                return False
            case never:
                assert_never(never)

    async def _body(self, permit: Permit) -> Body:
        """The body; files that are not at hand are read and encoded in a thread."""
        pair, request_id = permit.job.pair, permit.request_id
        build = functools.partial(self.bodies.build, pair, request_id, self.notify_url(request_id))
        return build() if self.bodies.has(pair) else await asyncio.to_thread(build)

    async def _send(self, permit: Permit, body: Body, clock: LedgerClock) -> None:
        posted_ms = clock.ms()
        with self.metrics.submit_seconds.time():
            outcome = await self.client.submit(body, permit.request_id)
        reach("answered")
        answered_ms = clock.ms()
        if not isinstance(outcome, NotSent):
            self.gate.reached()
        self.metrics.submits.labels(outcome=OUTCOMES[type(outcome)]).inc()
        if isinstance(outcome, Accepted):
            self.gate.ended(permit, outcome.task_id, outcome.sub_task_ids)
        elif not isinstance(outcome, Unknown):
            self.gate.ended(permit)
        try:
            if isinstance(outcome, Accepted):
                await self._accept(permit, outcome)
            else:
                await self._record(permit, outcome)
        except Exception as error:
            if isinstance(error, VtonError) and not isinstance(error, SpoiltLedgerError):
                raise
            log.exception("actor.failed", what="submit")
            await self._set_aside(permit, outcome, error)
        finally:
            self._trace(permit, outcome, posted_ms, answered_ms)

    def _trace(self, permit: Permit, outcome: SubmitOutcome, posted_ms: float, answered_ms: float) -> None:
        """Nothing of it before the answer is recorded."""
        job = permit.job
        if job.attempts == 0 and job.queued_ms is not None:
            self.traces.span(job, "queue", job.queued_ms, permit.now_ms)
        self.traces.span(job, "gate", permit.now_ms, posted_ms)
        self.traces.span(
            job,
            "submit",
            posted_ms,
            answered_ms,
            failed=not isinstance(outcome, Accepted),
            outcome=OUTCOMES[type(outcome)],
            http_status=outcome.http_status,
            task_id=outcome.task_id if isinstance(outcome, Accepted) else None,
            attempt=job.attempts + 1,
        )

    async def _set_aside(self, permit: Permit, outcome: SubmitOutcome, error: Exception) -> None:
        """An error of our own after HiDream's answer: the job is a person's, its slot is free as soon as no task can run."""
        task = f"; HiDream named the task {outcome.task_id}" if isinstance(outcome, Accepted) else ""
        failure = Failure(
            kind="no_answer",
            message=f"An error of our own ({type(error).__name__}) after HiDream's answer{task}; it may have been bought",
            retryable=False,
            owner=Owner.OPS,
        )
        await self.gate.patient.run(steps.hold(permit.request_id, permit.claim, failure))
        log.error("submit.unknown", reason="internal")

    async def _record(self, permit: Permit, outcome: NotAccepted) -> None:
        match outcome:
            case Refused(failure=failure):
                await self._refuse(permit, failure, answered=failure.kind != UNLISTED)
                if failure.kind == UNLISTED:
                    # One may be the job's own fault; a run of them is the account's.
                    await self.gate.count_bad_answer("vendor", failure.message)
            case Busy(reason=reason, retry_after_s=wait_s, throttled=throttled):
                log.info("submit.busy", reason=reason, retry_after_s=wait_s)
                await self.gate.close(permit, reason, wait_s, throttled=throttled)
            case Paused(reason=reason, message=message):
                await self.gate.trip(permit, reason, message)
            case NotSent(reason=reason):
                log.warning("submit.not_sent", reason=reason)
                await self.gate.unsent(permit, reason)
            case Unknown():
                await self._hold(permit, outcome)
            case never:
                assert_never(never)

    async def _accept(self, permit: Permit, accepted: Accepted) -> None:
        callbacks = self.notify_url(permit.request_id) is not None
        answer = AcceptedAnswer(
            ledger_id=self.gate.ledger_id,
            request_id=permit.request_id,
            claim=permit.claim,
            task_id=accepted.task_id,
            sub_task_ids=accepted.sub_task_ids,
            first_poll_ms=self.schedule.first_ms(permit.latency, callbacks=callbacks),
        )
        kept = self.answers.keep(answer)
        reach("replied")
        try:
            secure = functools.partial(asyncio.to_thread, self.answers.secure, kept)
            patient = replace(self.gate.patient, failed=secure)
            taken = await run_all_async(patient.run, answer.recording())
        except BaseException:
            self.answers.leave()
            raise
        reach("accepted_recorded")
        if not taken.how:
            self.answers.leave()
            log.error("ledger.lost", task_id=accepted.task_id, why="accepted, but this is another ledger")
            return
        if self.confirmed is None:
            self.answers.forget(kept)
        else:
            self.confirmed.add(kept, answer)
        if taken.how == "task":
            log.info("submit.accepted", task_id=accepted.task_id, attempt=permit.job.attempts + 1)
        elif taken.shared_with:
            log.error(
                "submit.unknown", task_id=accepted.task_id, reason="task_shared", other=taken.shared_with
            )
        else:
            log.error(
                "lease.lost",
                task_id=accepted.task_id,
                why="accepted, but the job went to another worker meanwhile; the task id is kept",
            )
        if taken.breaker_closed:
            log.info("breaker.closed")

    async def _refuse(self, permit: Permit, failure: Failure, *, answered: bool) -> None:
        await self.gate.patient.run(steps.refuse(permit.request_id, permit.claim, failure, answered=answered))
        log.warning(
            "submit.refused", kind=failure.kind, code=failure.code, why=failure.message, owner=failure.owner
        )

    async def _hold(self, permit: Permit, unknown: Unknown) -> None:
        failure = Failure(
            kind="no_answer",
            message=f"HiDream did not answer clearly ({unknown.reason}); it may have been bought",
            retryable=False,
            owner=Owner.OPS,
        )
        # The account first: as soon as the job is set aside, an open breaker would let the next one try.
        if unknown.throttled or unknown.retry_after_s:
            await self.gate.close_anyway(
                permit, unknown.reason, unknown.retry_after_s, throttled=unknown.throttled
            )
        enough = BARE_STREAK if unknown.bare else STREAK
        await self.gate.count_bad_answer("vendor", unknown.reason, enough=enough)
        await self.gate.patient.run(steps.hold(permit.request_id, permit.claim, failure))
        log.error("submit.unknown", reason=unknown.reason)
