"""The reconciler: what the ledger says is due and nobody does, is done again. One at a time over all hosts, by lease."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from uuid import uuid4

import structlog

from jobs.config.settings import Settings
from jobs.errors import RedisDownError, UnconfirmedError
from jobs.gate.account import pause, unpause
from jobs.ledger import Ledger, steps
from jobs.ledger.accepted_answers import AcceptedAnswers
from jobs.ledger.budgets import BudgetWarnings
from jobs.ledger.confirmed import recorder
from jobs.pictures.store import PictureStore
from jobs.producing.queue import COLLECT, Queue
from jobs.records import BatchId
from jobs.redis.client import translated
from jobs.results.checkpoint import NOTHING
from worker.collect.collection import DISK_FULL

log = structlog.get_logger()

#: Bytes the picture store must take, really written and synced, before a pause for a full disk ends.
ROOM_BYTES = 20_000_000
#: An export of a batch with nothing new is asked for again after this long, s: the last one may have failed.
EXPORT_AGAIN_S = 10.0
#: The same once they are known to be written: somebody may have taken them away.
WRITTEN_AGAIN_S = 60.0


class Reconciler:
    """Turns every `workers.reconcile_s`; asks for exports every `workers.export_s`."""

    def __init__(
        self,
        ledger: Ledger,
        queue: Queue,
        settings: Settings,
        *,
        exported: Mapping[BatchId, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`exported`: batch → up to which entry of its outbox this process has written its files; `clock`: seconds."""
        self._exported = {} if exported is None else exported
        self._clock = clock
        #: What was new in a batch when its export was last asked for, and when that was, s.
        self._asked: dict[BatchId, tuple[tuple[str, str], float]] = {}
        self._ledger = ledger
        self._queue = queue
        self._settings = settings
        self._answers = AcceptedAnswers(settings.data_dir.absolute())
        self._recorder = recorder(ledger, settings.redis.replicas)
        self._budgets = BudgetWarnings(ledger, settings.limits)
        self._stopping = asyncio.Event()
        self._me = uuid4().hex

    async def run(self) -> None:
        """Runs until stopped."""
        period_s = min(self._settings.workers.reconcile_s, self._settings.workers.export_s)
        reconciled = 0.0
        while not self._stopping.is_set():
            now = asyncio.get_running_loop().time()
            whole = now - reconciled >= self._settings.workers.reconcile_s
            try:
                await asyncio.to_thread(self._turn, period_s, whole=whole)
                reconciled = now if whole else reconciled
            except RedisDownError as error:
                log.warning("redis.waiting", why=str(error))
            except Exception:
                # Whatever it was, what is due must go on being found.
                log.exception("actor.failed", what="reconciler")
            try:
                await asyncio.wait_for(self._stopping.wait(), period_s)
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Stops after the turn."""
        self._stopping.set()

    def _turn(self, period_s: float, *, whole: bool) -> None:
        with translated():
            if whole:
                # Of this host: no other one can do it.
                self._bring_in()
            news = self._ledger.run(steps.lead(self._me, int(period_s * 3000)))
            if news is not None:
                if whole:
                    self.reconcile(news)
                self.ask_for_exports(news)

    def _bring_in(self) -> None:
        try:
            self._answers.bring_in(self._recorder)
        except UnconfirmedError as error:
            # They stay where they are; nothing else has to wait for replicas.
            log.warning("answer.unconfirmed", why=str(error))

    def reconcile(self, active: Collection[BatchId]) -> None:
        """One turn: dead holders, due retries, the unknown policy, batches to fix, lost messages, a disk with room again."""
        tasks = self._settings.tasks
        moved = self._ledger.run(steps.reconcile(policy=tasks.unknown_policy, quiet_s=tasks.unknown_quiet_s))
        for request_id in moved.redriven:
            log.warning("reconcile.redriven", request_id=request_id)
        for request_id in moved.unknown:
            log.error("reconcile.unknown", request_id=request_id)
        for request_id in moved.resubmitted:
            log.warning("reconcile.resubmitted", request_id=request_id)
        self._fix_batches(active, broken=moved.broken)
        if moved.queued:
            self._queue.top_up(moved.queued)
        self._budgets.look(active)
        self._look_at_disk(moved.paused)

    def _fix_batches(self, active: Collection[BatchId], *, broken: bool) -> None:
        """Batches that do not count right, or, when there are broken jobs, all; what no batch wants is nobody's."""
        for batch_id in active:
            if miscounted := self._ledger.is_miscounted(batch_id):
                log.error(
                    "batch.miscounted", batch=batch_id, why="the ledger is damaged: counted anew by its rows"
                )
            for request_id in self._ledger.fix(batch_id) if broken or miscounted else ():
                log.error("job.unreadable", request_id=request_id, why="the ledger has lost its record")
        if broken:
            self._ledger.client.delete(self._ledger.key("broken"))

    def ask_for_exports(self, found: steps.News) -> None:
        """Sends an export for every batch with something new, if the last one has been taken."""
        now_s = self._clock()
        self._asked = {batch_id: asked for batch_id, asked in self._asked.items() if batch_id in found}
        due = {
            batch_id: news
            for batch_id, news in found.items()
            if (asked := self._asked.get(batch_id)) is None
            or asked[0] != news
            or now_s - asked[1] >= self._again_s(batch_id, news)
        }
        if not due or self._queue.waiting(COLLECT):
            return
        for batch_id, news in due.items():
            self._queue.export(batch_id)
            self._asked[batch_id] = news, now_s

    def _again_s(self, batch_id: BatchId, news: tuple[str, str]) -> float:
        entry, completed = news
        written = not completed and self._exported.get(batch_id) == (entry or NOTHING)
        return WRITTEN_AGAIN_S if written else EXPORT_AGAIN_S

    def _look_at_disk(self, paused: str) -> None:
        """Nothing is bought that could not be stored; the pause that says so ends by itself."""
        free = self._settings.pictures.min_free_bytes
        store = PictureStore(self._settings.data_dir.absolute(), min_free_bytes=free)
        if paused != DISK_FULL:
            if store.below_floor() and self._ledger.run(pause(DISK_FULL)):
                log.error("disk.full", reason="less room than pictures.min_free_bytes")
            return
        if store.takes(ROOM_BYTES) and self._ledger.run(unpause(DISK_FULL)):
            log.info("gate.resumed", why="the disk takes pictures again")
