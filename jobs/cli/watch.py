"""What `vton run` sees of its batch and of the account, moment by moment, and what of it ends the run."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import get_args

import structlog

from jobs.cli.advice import command, is_simulated
from jobs.cli.ledger_identity import LedgerWatch
from jobs.cli.progress import Progress
from jobs.cli.session import IMPATIENT_S, Session
from jobs.cli.stopping import Stop
from jobs.cli.under_way import UnderWay, under_way
from jobs.config.exit_codes import ExitCode
from jobs.errors import RedisDownError
from jobs.health.account import budget_reached, shut_words
from jobs.ledger import Ledger, Moment
from jobs.ledger.budgets import BudgetWarnings
from jobs.ledger.high_water import Marks
from jobs.ledger.records import GateState
from jobs.ledger.shut import shut_kind
from jobs.producing.control import PROBE_AT_ONCE
from jobs.records import BatchId, BatchStatus, PersonsReason
from jobs.redis.client import connect

log = structlog.get_logger()

#: Reasons of a breaker that only a person can fix; anything else passes, or is waited out.
PERSONS = frozenset(get_args(PersonsReason))
#: Pauses that were made because a person has to look, by how they begin.
LOOK_FIRST = ("no results", "a picture was refused", "ledger:")
#: How often a reason to wait is logged again while it lasts, s.
REMIND_S = 300.0
#: A batch of which nothing is under way and nothing has changed for so long is looked at less often, s.
QUIET_AFTER_S, QUIET_LOOK_S = 5.0, 2.0

End = tuple[ExitCode, str]


class Watch:
    """Looks at one batch; Redis may be away for `redis.patience_s` meanwhile."""

    def __init__(
        self, session: Session, batch_id: BatchId, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock`: seconds."""
        self._clock = clock
        self._session = session
        self._settings = session.settings
        self._batch_id = batch_id
        redis = session.redis
        # Impatient: whoever is to end must not be waiting for Redis; the patience is kept here.
        self._client = connect(redis, db=redis.ledger_db, connections=2, patience_s=IMPATIENT_S)
        self.ledger = Ledger(self._client, redis.prefix, session.ledger.term)
        self._orders = LedgerWatch(replace(session, ledger=self.ledger))
        self._budgets = BudgetWarnings(self.ledger, self._settings.limits)
        self._away_since: float | None = None
        #: The batch when it last changed, when that was, and when it is to be looked at again.
        self._last: BatchStatus | None = None
        self._moved_s = self._due_s = float("-inf")
        #: Exit code, rows open, and since when the two have been what they are.
        self._stuck: tuple[ExitCode, int, float] | None = None
        self._logged_s: dict[str, float] = {}
        self._said_deadline = False

    def look(self, progress: Progress, stop: Stop, *, fed: bool) -> End | None:
        """Shows the batch; why the run ends now, or None.

        Raises:
            LedgerLostError: the ledger has gone, or is another one.
            RedisDownError: Redis has been away for longer than `redis.patience_s`.
        """
        if self._clock() < self._due_s:
            return None
        try:
            found = self._look(progress, stop, fed=fed)
        except RedisDownError as error:
            self._wait_for_redis(error)
            return None
        if self._away_since is not None:
            self._away_since = None
            log.info("redis.back")
        return found

    def _look(self, progress: Progress, stop: Stop, *, fed: bool) -> End | None:
        seen: list[Moment] = []

        def ask() -> Marks | None:
            seen.append(self.ledger.look(self._batch_id))
            return seen[0].marks

        if not self._orders.look(ask) or seen[0].status is None:
            # Not opened yet.
            return None
        status, gate = seen[0].status, seen[0].gate
        self._say_deadline(stop)
        now = under_way(self.ledger, self._batch_id) if _under_way(status) else UnderWay(tasks=0, downloads=0)
        self._pace(status, moves=bool(not fed or _under_way(status)))
        stop.requests = now.requests
        progress.show(status, gate, now, fed=fed)
        if fed and status.complete:
            return ExitCode.OK, ""
        self._log_shut(gate)
        self._budgets.look([self._batch_id])
        return self._lasting(self._ended_by(status, gate, now), status.open)

    def _say_deadline(self, stop: Stop) -> None:
        """Once the batch is there: whoever watches from outside knows by when it is to be over."""
        if not self._said_deadline:
            self.ledger.set_deadline(self._batch_id, stop.deadline_ms)
            self._said_deadline = True

    def forget_deadline(self) -> None:
        """The run is over: its rows may end when they will."""
        if self._said_deadline:
            with suppress(RedisDownError):
                self.ledger.set_deadline(self._batch_id, None)

    def _pace(self, status: BatchStatus, *, moves: bool) -> None:
        """Says when to look again. `moves`: whether something is under way."""
        now = self._clock()
        if moves or status != self._last:
            self._last, self._moved_s = status, now
        self._due_s = now + QUIET_LOOK_S if now - self._moved_s > QUIET_AFTER_S else now

    def _wait_for_redis(self, error: RedisDownError) -> None:
        now = self._clock()
        if self._away_since is None:
            self._away_since = now
            log.warning("redis.waiting", why=str(error))
        if now - self._away_since > self._settings.redis.patience_s:
            raise error

    def _log_shut(self, gate: GateState) -> None:
        """Logs why nothing goes out: at once, and again every few minutes; a throttling is logged by the workers."""
        kind = shut_kind(gate)
        if kind in {"", "throttled"}:
            return
        now = self._clock()
        if now - self._logged_s.get(kind, float("-inf")) >= REMIND_S:
            self._logged_s[kind] = now
            detail = shut_words(gate, simulated=is_simulated(self.ledger))
            log.warning("gate.waiting", reason=kind, detail=detail, batch=self._batch_id)

    def _lasting(self, end: End | None, rows_open: int) -> End | None:
        """The end that has stood for `workers.patience_s` without any row ending meanwhile."""
        now = self._clock()
        if end is None:
            self._stuck = None
        elif self._stuck is None or self._stuck[:2] != (end[0], rows_open):
            self._stuck = end[0], rows_open, now
        elif now - self._stuck[2] > self._settings.workers.patience_s:
            return end
        return None

    def _ended_by(self, status: BatchStatus, gate: GateState, now: UnderWay) -> End | None:
        """What only a person can fix, or a budget that is spent; everything else is waited out."""
        if found := ended_by_account(status, gate, now, simulated=is_simulated(self.ledger)):
            return found
        if _under_way(status):
            return None
        reached = budget_reached(self.ledger, self._settings.limits, self._batch_id)
        return (ExitCode.BUDGET, f"{reached}; raised, the same command goes on") if reached else None


def ended_by_account(
    status: BatchStatus, gate: GateState, now: UnderWay, *, simulated: bool = False
) -> End | None:
    """What of the account only a person can fix, once nothing is under way that could still end."""
    tried = gate.probe_at != PROBE_AT_ONCE
    if gate.breaker == "token" and tried:
        # Without a token nothing under way can be asked for either.
        return ExitCode.CONFIG, f"token: {gate.breaker_why}; jobs stay as they are"
    if (gate.paused or "").startswith(LOOK_FIRST):
        # A picture that is refused stays under way until somebody has looked.
        resume = command("resume", simulated=simulated)
        return None if now.tasks else (ExitCode.CONFIG, f"{gate.paused}; look, then {resume}")
    if gate.breaker in PERSONS and tried and not _under_way(status):
        return ExitCode.CONFIG, f"{gate.breaker}: {gate.breaker_why}; jobs stay queued"
    return None


def _under_way(status: BatchStatus) -> int:
    return status.counts.get("submitting", 0) + status.counts.get("submitted", 0)
