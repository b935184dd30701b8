"""The reconciler: what the ledger says is due and nobody does, is done again. One at a time over all hosts, by lease."""

import asyncio
from uuid import uuid4

import structlog

from jobs.config.settings import Settings
from jobs.errors import RedisDownError
from jobs.gate.account import pause, unpause
from jobs.ledger import Ledger, steps
from jobs.ledger.accepted_answers import AcceptedAnswers
from jobs.pictures.store import PictureStore
from jobs.producing.producer import send_missing_messages
from jobs.producing.queue import Queue
from jobs.redis.client import translated
from worker.collect.collection import DISK_FULL

log = structlog.get_logger()

#: Bytes the picture store must take, really written and synced, before a pause for a full disk ends.
ROOM_BYTES = 20_000_000


class Reconciler:
    """Turns every `workers.reconcile_s`; asks for exports every `workers.export_s`."""

    def __init__(self, ledger: Ledger, queue: Queue, settings: Settings) -> None:
        self._ledger = ledger
        self._queue = queue
        self._settings = settings
        self._answers = AcceptedAnswers(settings.data_dir.absolute())
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
                self._answers.bring_in(self._ledger)
            if self._has_lease(period_s):
                if whole:
                    self.reconcile()
                self.ask_for_exports()

    def reconcile(self) -> None:
        """One turn: dead holders, due retries, the unknown policy, broken jobs, lost messages, a disk with room again."""
        tasks = self._settings.tasks
        moved = self._ledger.run(steps.reconcile(policy=tasks.unknown_policy, quiet_s=tasks.unknown_quiet_s))
        for request_id in moved.redriven:
            log.warning("reconcile.redriven", request_id=request_id)
        for request_id in moved.unknown:
            log.error("reconcile.unknown", request_id=request_id)
        for request_id in moved.resubmitted:
            log.warning("reconcile.resubmitted", request_id=request_id)
        if self._ledger.has_broken_jobs():
            self._mend()
        if moved.queued:
            send_missing_messages(self._ledger, self._queue)
        self._look_at_disk()

    def _mend(self) -> None:
        """Batches whose rows lead to broken jobs; what no batch wants is nobody's."""
        for batch_id in self._ledger.active_batches():
            for request_id in self._ledger.fix(batch_id):
                log.error("job.unreadable", request_id=request_id, why="the ledger has lost its record")
        self._ledger.client.delete(self._ledger.key("broken"))

    def ask_for_exports(self) -> None:
        """Sends an export for every batch with something new, if the last one has been taken."""
        if self._queue.waiting("collect"):
            return
        for batch_id in self._ledger.active_batches():
            self._queue.export(batch_id)

    def _has_lease(self, period_s: float) -> bool:
        key = self._ledger.key("reconciler")
        lease_ms = int(period_s * 3000)
        if self._ledger.client.set(key, self._me, nx=True, px=lease_ms):
            return True
        if self._ledger.client.get(key) != self._me:
            return False
        self._ledger.client.pexpire(key, lease_ms)
        return True

    def _look_at_disk(self) -> None:
        """Nothing is bought that could not be stored; the pause that says so ends by itself."""
        free = self._settings.pictures.min_free_bytes
        store = PictureStore(self._settings.data_dir.absolute(), min_free_bytes=free)
        if self._ledger.client.hget(self._ledger.key("gate"), "paused") != DISK_FULL:
            if store.below_floor() and self._ledger.run(pause(DISK_FULL)):
                log.error("disk.full", reason="less room than pictures.min_free_bytes")
            return
        if store.takes(ROOM_BYTES) and self._ledger.run(unpause(DISK_FULL)):
            log.info("gate.resumed", why="the disk takes pictures again")
