"""The gate: one account, one script. Whoever wants to submit asks here, from whichever process or host.

A permit needs at once: no pause and no open breaker, budget left, a free parallel-task lease, a slot in the rate. The
script hands out the job whose turn it is together with the permit, so nothing is held while one waits.
"""

import asyncio
from collections.abc import Iterable
from uuid import uuid4

import structlog

from jobs.config.settings import LimitSettings
from jobs.errors import LedgerLostError
from jobs.gate.account import PROBE_MS, STREAK, count_bad_answer
from jobs.gate.local_backoff import LocalBackoff
from jobs.gate.orders import SeenOrders
from jobs.gate.patience import Patient, within
from jobs.gate.permits import Begin, Empty, Permit, Wait, read_permit
from jobs.gate.returned import Returned
from jobs.ledger import AsyncRunner, Ledger
from jobs.ledger.codec import encode_pair
from jobs.ledger.high_water import HighWaterMark
from jobs.ledger.intents import Intent, IntentJournals
from jobs.ledger.script import Call, script
from jobs.ledger.shut import RECOVERING
from jobs.ledger.steps import LEASE_MS
from jobs.records import Owner, TaskId
from jobs.redis.client import translated

__all__ = ["RATE_SHARE", "Gate", "Permit"]

log = structlog.get_logger()

#: Share of the permitted rate that is used: at the limit itself jitter puts windows over it.
RATE_SHARE = 0.98
RATE_WINDOW_MS = 60_000
#: How far ahead a place in the rate may be reserved; a lease is held meanwhile.
LONGEST_RESERVATION_MS = 1_500
#: A permit that was not used by then belonged to a worker that died, ms.
GRACE_MS = 20_000
#: Waiters look again after this long even when nobody notifies, ms.
LONGEST_WAIT_MS = 5_000
#: Between two looks whether replicas confirm intents again, ms.
REPLICAS_MS = 1_000
#: Longest closing when the vendor does not say how long, ms.
LONGEST_CLOSE_MS = 60_000


class Gate:
    """The gate's door for coroutines; one per process. Raises RedisDownError: then nothing is submitted."""

    def __init__(
        self,
        ledger: Ledger,
        runner: AsyncRunner,
        limits: LimitSettings,
        *,
        submit_timeout_s: float,
        rest: LocalBackoff | None = None,
        mark: HighWaterMark | None = None,
        intents: AsyncRunner | None = None,
        journals: IntentJournals | None = None,
    ) -> None:
        """Of one process.

        Args:
            ledger: the ledger that counts; a thread looks at it once, when the gate is first asked.
            runner: the same ledger, for coroutines.
            limits: the account's.
            submit_timeout_s: of one POST with all its tries.
            rest: this process's own, if it is not to be a new one.
            mark: the data folder's; None: what was seen is forgotten with the process.
            intents: writes the intents, if replicas have to confirm them.
            journals: where this process notes its orders; None: a server that takes over without them is not told.
        """
        self._ledger = ledger
        self._runner = runner
        self._intents = intents or runner
        self._rest = rest or LocalBackoff()
        self._limits = limits
        self._interval_us = f"{RATE_WINDOW_MS * 1000 / (limits.images_per_minute * RATE_SHARE):.3f}"
        self._deadline_ms = int(submit_timeout_s * 1000) + GRACE_MS
        #: A process that took longer than this to write its intent has been stopped; it must not send, s.
        self.patience_s = GRACE_MS / 2000
        self._journals = journals
        self._orders = SeenOrders(ledger, mark, noting=journals.sync if journals else lambda: None)
        self._stopping = asyncio.Event()
        self._patient = Patient(runner=runner, stopping=self._stopping)
        self._returned = Returned(runner=self._intents, stopping=self._stopping)
        #: Only this process listens here, so that it can wake its own waiters when it stops.
        self._own_wakeups = ledger.key("wakeups", uuid4().hex)
        self._waiters = 0
        #: One of this process waits for all of them; the others are behind it and ask Redis nothing.
        self._room = asyncio.Lock()
        self._last_reason = ""

    async def acquire(self) -> Permit | None:
        """Waits for a permit; None when nothing is left to submit or the process stops.

        Raises:
            LedgerLostError: the ledger is not the one this process began with.
        """
        await within(self._stopping, self._rest.left_s())
        answer = await self._answer()
        if isinstance(answer, Wait):
            stale = self._room.locked()
            async with self._room:
                answer = await self._answer() if stale else answer
                while isinstance(answer, Wait):
                    self._say(answer)
                    if not await self._bring_in(answer):
                        await self._listen(answer)
                    answer = await self._answer()
        return answer if isinstance(answer, Permit) else None

    async def _bring_in(self, wait: Wait) -> bool:
        """Has this process' orders brought in if they are what everybody waits for; whether the gate is open since."""
        if self._journals is None or not wait.detail.startswith(RECOVERING):
            return False
        return await asyncio.to_thread(self._journals.bring_in, self._ledger) == "open"

    async def _answer(self) -> Permit | Wait | Empty:
        return Empty() if self._stopping.is_set() else await self._ask(uuid4().hex)

    async def sleep_until_go(self, permit: Permit) -> bool:
        """Sleeps once until the reserved moment; False when the process stops meanwhile."""
        return not await within(self._stopping, (permit.go_ms - permit.now_ms) / 1000)

    async def begin(self, permit: Permit) -> Begin:
        """Writes the intent. Nothing may be sent unless this says "go".

        Raises:
            LedgerLostError: as in acquire.
            UnconfirmedError: replicas may not have it; see `unconfirmed`.
        """
        args = (
            permit.request_id,
            permit.claim,
            self._deadline_ms,
            self._orders.seen.ledger,
            permit.go_ms,
            self._interval_us,
            RATE_WINDOW_MS,
            *([] if self._intents is self._runner else [self._orders.seen.orders]),
        )
        term = self._ledger.term.text
        reply = await self._intents.run(Call(script("jobs.gate", "begin"), args, list))
        if reply[0] == 1:
            _, begun_ms, order, server, batch = reply
            later = self._ledger.term.text
            if later not in {term, f"{later.partition('-')[0]}-{server}"}:
                # Of a primary of before: meanwhile another one was promoted, and this process has heard of it.
                return "closed"
            self._orders.saw(order)
            self._note(permit, int(begun_ms), int(order), server, batch)
            return "go"
        if reply[1] == "lost":
            raise LedgerLostError("the ledger is gone or another one: nothing is submitted")
        return "closed" if reply[1] == "closed" else "fenced"

    def _note(self, permit: Permit, begun_ms: int, order: int, server: str, batch: str) -> None:
        if self._journals is not None:
            intent = Intent(
                ledger_id=self._orders.seen.ledger,
                server=server,
                order=order,
                request_id=permit.request_id,
                claim=permit.claim,
                begun_ms=begun_ms,
                deadline_ms=self._deadline_ms,
                batch=batch,
                pair=encode_pair(permit.job.pair),
            )
            self._journals.began(intent)

    def ended(self, permit: Permit, task_id: TaskId | None = None, sub_task_ids: Iterable[str] = ()) -> None:
        """Notes what became of an intent before the ledger is told; without a task nothing was bought."""
        if self._journals is not None:
            self._journals.ended(permit.claim, task_id, sub_task_ids)

    async def give_back(self, permit: Permit) -> None:
        """Nothing was sent and nothing is wrong with the account."""
        await self._runner.run(_give_back(permit, "none", "", ms=(0, 0)))

    async def unconfirmed(self, permit: Permit, why: str) -> None:
        """Nothing was sent, because a fail-over could forget the intent: everybody waits a little for the replicas."""
        ms = (REPLICAS_MS, LONGEST_CLOSE_MS)
        given = _give_back(permit, "replicas", why, ms=ms)
        await self._patient.run(given)
        self._returned.add(permit.request_id, given)
        log.warning("submit.unconfirmed", why=why, owner=Owner.OPS)

    async def unsent(self, permit: Permit, why: str) -> None:
        """HiDream was not reached: everybody waits a little, unless only this job or this process has the trouble."""
        self._rest.begin()
        reply = await self._patient.run(_give_back(permit, "unsent", why, ms=(0, LONGEST_CLOSE_MS)))
        if reply[3]:
            log.warning("submit.refused", kind="not_sent", code=None, why=why, owner=Owner.OPS)

    def reached(self) -> None:
        """HiDream has answered this process, whatever it said."""
        self._rest.end()

    async def close(self, permit: Permit, why: str, wait_s: float | None, *, throttled: bool) -> None:
        """The account is busy: everybody waits `wait_s` (None: a doubling wait); throttling also shrinks the rate.

        Unless it is this job that is turned away while others are taken: then nobody waits, and in the end it fails.
        """
        effect = "throttle" if throttled else "close"
        given = _give_back(permit, effect, why, ms=(_wait_ms(wait_s), LONGEST_CLOSE_MS))
        _, closed, _, failed = await self._patient.run(given)
        if failed:
            log.warning("submit.refused", kind="busy", code=None, why=why, owner=Owner.VENDOR)
        elif closed:
            log.warning("gate.throttled", why=why, wait_s=wait_s, closed_until_ms=closed)

    async def close_anyway(self, permit: Permit, why: str, wait_s: float | None, *, throttled: bool) -> None:
        """Everybody waits, though nobody knows what became of this job."""
        args = (
            uuid4().hex,
            permit.request_id,
            why,
            _wait_ms(wait_s),
            LONGEST_CLOSE_MS,
            RATE_WINDOW_MS,
            int(throttled),
        )
        closed = await self._patient.run(Call(script("jobs.gate", "close"), args, int))
        log.warning("gate.throttled", why=why, wait_s=wait_s, closed_until_ms=closed)

    async def trip(self, permit: Permit, reason: str, why: str) -> None:
        """Nothing can succeed until somebody acts: the breaker opens, jobs stay queued.

        Unless it is this job alone that is answered so while others are taken: then it fails in the end.
        """
        reply = await self._patient.run(_give_back(permit, "trip", reason, ms=PROBE_MS, detail=why))
        if reply[3]:
            log.warning("submit.refused", kind="busy", code=None, why=why, owner=Owner.VENDOR)
        elif reply[2] == 1:
            log.error("breaker.opened", reason=reason, why=why)

    async def count_bad_answer(self, reason: str, why: str, *, enough: int = STREAK) -> None:
        """One more answer that says nothing good; `enough` of them in a row open the breaker."""
        if await self._patient.run(count_bad_answer(reason, why, enough=enough)):
            log.error("breaker.opened", reason=reason, why=why)

    @property
    def ledger_id(self) -> str:
        """The id of the ledger that permits were asked of; empty before the first."""
        return self._orders.seen.ledger

    @property
    def patient(self) -> Patient:
        """Records what became of a POST, however long Redis is away, until the process stops."""
        return self._patient

    async def stop(self) -> None:
        """The process stops: its waiters wake at once and get no permit.

        Raises:
            RedisDownError: they have not been notified; each wakes when its own wait is over.
        """
        self._stopping.set()
        await asyncio.to_thread(self._orders.stop)
        with translated():
            pipeline = self._runner.client.pipeline()
            pipeline.rpush(self._own_wakeups, *("1" for _ in range(self._waiters + 1)))
            pipeline.pexpire(self._own_wakeups, 60_000)
            await pipeline.execute()

    async def _ask(self, token: str) -> Permit | Wait | Empty:
        limits = self._limits
        seen = self._orders.seen
        if not seen.ledger:
            seen = await asyncio.to_thread(self._orders.begin)
        if not seen.ledger:
            return Empty()
        args = (
            token,
            seen.ledger,
            limits.in_flight,
            self._interval_us,
            limits.batch_budget,
            limits.day_budget,
            LEASE_MS,
            LONGEST_RESERVATION_MS,
            RATE_WINDOW_MS,
            GRACE_MS,
            seen.orders,
        )
        return await self._runner.run(
            Call(script("jobs.gate", "permit"), args, lambda reply: read_permit(reply, token))
        )

    async def _listen(self, wait: Wait) -> None:
        """Blocks until a free slot is notified, the process stops, or the time has come."""
        timeout_ms = min(wait.ms, LONGEST_WAIT_MS)
        if wait.reason in {"rate", "throttled"}:
            # Only time helps; a freed slot does not.
            await within(self._stopping, timeout_ms / 1000)
            return
        self._waiters += 1
        try:
            if self._stopping.is_set():
                # It stopped before we were counted: no wake-up is for us.
                return
            with translated():
                await self._runner.client.blpop(
                    [self._own_wakeups, self._ledger.key("wakeups")], timeout=max(0.01, timeout_ms / 1000)
                )
        finally:
            self._waiters -= 1

    def _say(self, wait: Wait) -> None:
        """Logs why the gate is shut, once for each reason, not for each waiter."""
        if wait.reason != self._last_reason and wait.reason not in {"slots", "rate"}:
            event = {"budget": "budget.reached", "paused": "gate.paused"}.get(wait.reason, "gate.waiting")
            log.warning(event, reason=wait.reason, detail=wait.detail)
        self._last_reason = wait.reason


def _give_back(
    permit: Permit, effect: str, why: str, *, ms: tuple[int, int], detail: str = ""
) -> Call[list[int]]:
    args = (
        permit.request_id,
        uuid4().hex,
        permit.claim,
        effect,
        why,
        *ms,
        RATE_WINDOW_MS,
        detail,
    )
    return Call(script("jobs.gate", "give_back"), args, list)


def _wait_ms(wait_s: float | None) -> int:
    return 0 if wait_s is None else max(1, int(wait_s * 1000))
