"""Collection: the pictures of an ended task go to disk, then into the ledger. The slot is free already."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import structlog

from jobs.failpoints import reach
from jobs.ledger import AsyncRunner, steps
from jobs.records import Failure, Job, Owner, SavedPicture
from worker.gate.account import count_lost, pause
from worker.images import Broken, DiskFull, Downloader, Gone, NotFetched, Refused, Transient
from worker.metrics import Metrics
from worker.policy import refetch_ms

log = structlog.get_logger()

#: Why the gate is paused when a paid picture could not be stored; taken back when there is room again.
DISK_FULL = "disk full"
#: When pictures are fetched again that wait for room or for a person, ms.
LATER_MS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Fetches pictures, proves them whole and records them; one per event loop."""

    ledger: AsyncRunner
    downloader: Downloader
    metrics: Metrics
    #: How many jobs are collected at once.
    room: asyncio.Semaphore

    async def collect(
        self, job: Job, now_ms: int, *, urls: tuple[str, ...] | None = None, partial: Failure | None = None
    ) -> None:
        """Collects one ended job; what cannot be fetched now is due again, never bought again.

        Args:
            job: the job, its task over.
            now_ms: Redis' clock when it was handed out.
            urls: its pictures when they were just learnt; else the ledger has them.
            partial: tells of sub-tasks without a picture.
        """
        async with self.room:
            started = time.monotonic()
            fetched = await asyncio.gather(*(self.downloader.fetch(url) for url in urls or job.picture_urls))
            pictures = [each for each in fetched if isinstance(each, SavedPicture)]
            missing = [each for each in fetched if not isinstance(each, SavedPicture)]
            if missing:
                await self._again_later(job, missing, now_ms + int((time.monotonic() - started) * 1000))
                return
            if await self.ledger.run(
                steps.succeed(job.request_id, pictures, partial or job.failure, task_id=job.task_id)
            ):
                reach("picture_recorded")
                for picture in pictures:
                    log.info("image.saved", sha256=picture.sha256, bytes=picture.bytes)
                    self.metrics.images_bytes.inc(picture.bytes)
                self.metrics.tasks.labels(status="succeeded").inc()
                self.metrics.collect_seconds.observe(time.monotonic() - started)
            else:
                log.warning(
                    "lease.lost", why="its pictures are here, but somebody else has moved the job meanwhile"
                )

    async def _again_later(self, job: Job, missing: Sequence[NotFetched], now_ms: int) -> None:
        worst = missing[0]
        log.warning("image.failed", what=type(worst).__name__.lower(), reason=worst.reason)
        waited_ms = now_ms - (job.ended_ms or now_ms)
        fetches = job.fetches + 1
        mendable = isinstance(worst, Refused) and worst.mendable
        wait_ms = refetch_ms(waited_ms, fetches, mendable=mendable)
        match worst:
            case DiskFull():
                # No picture may be bought that cannot be kept; this one is asked for until there is room.
                log.error("disk.full", reason=worst.reason)
                await self.ledger.run(pause(DISK_FULL))
                await self._postpone(job, now_ms, job.fetches)
            case Gone() | Transient() | Broken() if wait_ms is not None:
                # The result is asked for once more, which brings a fresh address; nothing is generated again.
                await self.ledger.run(
                    steps.ask_again(job.request_id, wait_ms, now_ms, task_id=job.task_id, fetches=fetches)
                )
            case Gone() | Transient() | Broken():
                await self._lose(
                    job, "picture_lost", f"its picture could not be fetched: {worst.reason}", Owner.VENDOR
                )
            case Refused() if wait_ms is not None:
                # A setting (hidream.image_hosts) mends it: nothing more is bought, and this one waits to be fetched.
                if await self.ledger.run(pause(f"a picture was refused: {worst.reason}")):
                    log.error("gate.paused", reason=worst.reason)
                await self._postpone(job, now_ms, fetches)
            case Refused():
                await self._lose(
                    job, "picture_refused", f"its picture was not fetched: {worst.reason}", Owner.OPS
                )
            case never:
                assert_never(never)

    async def _postpone(self, job: Job, now_ms: int, fetches: int) -> None:
        await self.ledger.run(
            steps.postpone(job.request_id, LATER_MS, now_ms, task_id=job.task_id, fetches=fetches)
        )

    async def _lose(self, job: Job, kind: str, message: str, owner: Owner) -> None:
        failure = Failure(kind=kind, message=message, retryable=True, owner=owner)
        if await self.ledger.run(steps.fail(job.request_id, failure, task_id=job.task_id)):
            log.error("task.lost", kind=kind, why=message)
            self.metrics.tasks.labels(status="lost").inc()
            if await self.ledger.run(count_lost(message)):
                log.error("gate.paused", reason=message)
