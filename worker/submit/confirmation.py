"""Accepted answers that replicas have confirmed: until then they stay in their journal, whatever the primary has said.

Beside the work, and never in its way: a turn asks for all of them at once whether the primary knows their tasks and
replicas hold that. What a fail-over has lost is recorded anew from here, by the process that knows it.
"""

import asyncio
import functools
from dataclasses import dataclass, field

import structlog

from jobs.errors import RedisDownError
from jobs.ledger.accepted_answers import AcceptedAnswer, AcceptedAnswers
from jobs.ledger.confirmed import AsyncConfirmedRunner
from jobs.ledger.script import AsyncRunner, run_all_async

log = structlog.get_logger()

#: From one turn to the next, s: what is recorded meanwhile goes with it. After a failure the longer one.
TURN_S, AGAIN_S = 0.2, 1.0


@dataclass(slots=True, kw_only=True)
class ConfirmedAnswers:
    """Of one process."""

    runner: AsyncConfirmedRunner
    answers: AcceptedAnswers
    #: Key in the journal → what the ledger has recorded.
    _waiting: dict[str, AcceptedAnswer] = field(default_factory=dict)
    _turns: asyncio.Task[None] | None = None

    def add(self, key: str | None, answer: AcceptedAnswer) -> None:
        """The ledger has recorded it; replicas may not have it yet. `key`: in the journal; None: it is in none."""
        if key is None:
            return
        self._waiting[key] = answer
        if self._turns is None or self._turns.done():
            self._turns = asyncio.create_task(self._main())

    async def end(self, within_s: float = 3.0) -> None:
        """The process ends; what is not confirmed by then is brought in by whoever looks next."""
        if self._turns is None:
            return
        await asyncio.wait({self._turns}, timeout=within_s)
        if not self._turns.done():
            self._turns.cancel()
            await asyncio.wait({self._turns})
            self.answers.leave()

    async def _main(self) -> None:
        while self._waiting:
            await asyncio.sleep(TURN_S)
            try:
                await self._turn(dict(self._waiting))
            except RedisDownError as error:
                log.warning("answer.unconfirmed", answers=len(self._waiting), why=str(error))
                await asyncio.sleep(AGAIN_S)
            except Exception:
                # Whatever it was, their journal holds them, and the next turn comes.
                log.exception("actor.failed", what="confirms answers")
                await asyncio.sleep(AGAIN_S)

    async def _turn(self, waiting: dict[str, AcceptedAnswer]) -> None:
        """Asks once for all. Raises RedisDownError."""
        owners, fault = await self.runner.owners_of([answer.task_id for answer in waiting.values()])
        for (key, answer), owner in zip(waiting.items(), owners, strict=True):
            if owner != answer.request_id:
                await self._record(key, answer)
            elif fault is None:
                self._forget(key)
        if fault is not None:
            raise fault

    async def _record(self, key: str, answer: AcceptedAnswer) -> None:
        """The primary has lost it, or keeps it elsewhere: whichever it is, it is there when this ends."""
        plain = functools.partial(AsyncRunner.run, self.runner)
        recorded = await run_all_async(plain, answer.recording())
        if not recorded.how:
            log.error("ledger.lost", task_id=answer.task_id, why="accepted, but this is another ledger")
            del self._waiting[key]
            self.answers.leave()
        elif recorded.how != "task":
            await run_all_async(self.runner.run, answer.recording())
            self._forget(key)

    def _forget(self, key: str) -> None:
        self.answers.forget(key)
        del self._waiting[key]
