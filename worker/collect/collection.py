"""Collection: the pictures of an ended task go to disk, then into the ledger. The slot is free already."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import structlog

from jobs.failpoints import reach
from jobs.gate.account import count_lost, doubt, pause
from jobs.ledger import AsyncRunner, steps
from jobs.ledger.records import Heard
from jobs.records import Failure, Job, Picture
from jobs.tracing import UNTRACED, LedgerClock, Traces
from worker.collect.download import Broken, DiskFull, Downloader, Gone, NotAllowed, NotFetched, Transient
from worker.collect.giving_up import PERSON_PATIENCE_MS, FailedFetch, Lost, refetch_ms
from worker.collect.shown import ShownPictures
from worker.metrics import Metrics

log = structlog.get_logger()

#: Why the gate is paused when a paid picture could not be stored; taken back when there is room again.
DISK_FULL = "disk full"
#: When pictures are fetched again that wait for room or for a person, ms.
LATER_MS = 10_000
#: Why a picture was not fetched, as the log says it.
LOGGED: Mapping[type[NotFetched], str] = {
    Gone: "gone",
    Transient: "transient",
    NotAllowed: "refused",
    Broken: "broken",
    DiskFull: "diskfull",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Fetches pictures, proves them whole and records them; one per event loop."""

    ledger: AsyncRunner
    downloader: Downloader
    metrics: Metrics
    #: How many jobs are collected at once.
    room: asyncio.Semaphore
    #: Has pictures made small for the contact sheet and measured for their flags; None: nobody asks for that.
    shown: ShownPictures | None = None
    traces: Traces = UNTRACED

    async def collect(
        self,
        job: Job,
        now_ms: int,
        heard: Heard,
        *,
        urls: tuple[str, ...] | None = None,
        partial: Failure | None = None,
    ) -> None:
        """Collects one ended job; what cannot be fetched now is due again, never bought again.

        Args:
            job: the job, its task over.
            now_ms: Redis' clock when it was handed out.
            heard: what was known of other tasks then.
            urls: its pictures when they were just learnt; else the ledger has them.
            partial: tells of sub-tasks without a picture.
        """
        clock = LedgerClock(told_ms=now_ms)
        async with self.room:
            started, begun_ms = time.monotonic(), clock.ms()
            fetched = await asyncio.gather(*(self.downloader.fetch(url) for url in urls or job.picture_urls))
            pictures = [each for each in fetched if isinstance(each, Picture)]
            missing = [each for each in fetched if not isinstance(each, Picture)]
            fetched_ms = clock.ms()
            self.traces.span(
                job,
                "download",
                begun_ms,
                fetched_ms,
                failed=bool(missing),
                outcome=LOGGED[type(missing[0])] if missing else "fetched",
                task_id=job.task_id,
                pictures=len(pictures),
                bytes=sum(picture.bytes for picture in pictures),
            )
            if missing:
                await self._again_later(
                    job, missing, now_ms + int((time.monotonic() - started) * 1000), heard
                )
                return
            if await self.ledger.run(
                steps.succeed(job.request_id, pictures, partial or job.failure, task_id=job.task_id)
            ):
                reach("picture_recorded")
                self.traces.span(job, "store", fetched_ms, clock.ms(), task_id=job.task_id)
                if self.shown is not None:
                    self.shown.offer(job.pair, pictures)
                for picture in pictures:
                    log.info("image.saved", sha256=picture.sha256, bytes=picture.bytes)
                    self.metrics.images_bytes.inc(picture.bytes)
                self.metrics.tasks.labels(status="succeeded").inc()
                self.metrics.collect_seconds.observe(time.monotonic() - started)
            else:
                log.warning(
                    "lease.lost", why="its pictures are here, but somebody else has moved the job meanwhile"
                )

    async def _again_later(self, job: Job, missing: Sequence[NotFetched], now_ms: int, heard: Heard) -> None:
        worst = missing[0]
        log.warning("image.failed", what=LOGGED[type(worst)], reason=worst.reason)
        match worst:
            case DiskFull():
                # No picture may be bought that cannot be kept; this one is asked for until there is room.
                log.error("disk.full", reason=worst.reason)
                await self.ledger.run(pause(DISK_FULL))
                await self.ledger.run(steps.postpone(job.request_id, now_ms + LATER_MS, task_id=job.task_id))
            case NotAllowed(fixable=True):
                await self._wait_for_setting(job, worst, now_ms)
            case Gone() | Transient() | Broken() | NotAllowed():
                await self._failed(job, worst, now_ms, heard)
            case never:
                assert_never(never)

    async def _wait_for_setting(self, job: Job, refused: NotAllowed, now_ms: int) -> None:
        """A setting (hidream.image_hosts) decides: nothing more is bought, and this one waits to be fetched."""
        since_ms = job.refused_ms or now_ms
        if now_ms - since_ms > PERSON_PATIENCE_MS:
            await self.lose(
                job, Lost(kind="picture_refused", why=f"its picture was not fetched: {refused.reason}")
            )
            return
        if await self.ledger.run(pause(f"a picture was refused: {refused.reason}")):
            log.error("gate.paused", reason=refused.reason)
        await self.ledger.run(
            steps.postpone(job.request_id, now_ms + LATER_MS, task_id=job.task_id, refused_ms=since_ms)
        )

    async def _failed(
        self, job: Job, failed: Gone | Transient | Broken | NotAllowed, now_ms: int, heard: Heard
    ) -> None:
        """The result is asked for once more, which brings a fresh address; nothing is generated again."""
        facts = FailedFetch(
            now_ms=now_ms,
            fetches=job.fetches + 1,
            since_ms=job.fetch_failed_ms or now_ms,
            fetched_ms=heard.fetched_ms,
        )
        if facts.doubtful and await self.ledger.run(
            doubt("pictures", why := f"no picture can be fetched: {failed.reason}")
        ):
            log.error("breaker.opened", reason="vendor", why=why)
        wait_ms = refetch_ms(facts)
        if wait_ms is None:
            kind = "picture_refused" if isinstance(failed, NotAllowed) else "picture_lost"
            why = f"its picture could not be fetched: {failed.reason}"
            await self.lose(job, Lost(kind=kind, why=why, outage=facts.outage))
            return
        await self.ledger.run(
            steps.ask_again(
                job.request_id,
                now_ms + wait_ms,
                task_id=job.task_id,
                fetches=facts.fetches,
                failed_ms=facts.since_ms,
            )
        )

    async def lose(self, job: Job, lost: Lost) -> None:
        """Gives a paid task up; its id is kept.

        Several in a row pause the account, but for those of an outage and those that had been given up before.
        """
        if not await self.ledger.run(steps.fail(job.request_id, lost.failure(), task_id=job.task_id)):
            return
        log.error("task.lost", kind=lost.kind, why=lost.why)
        self.metrics.tasks.labels(status="lost").inc()
        # An undocumented status has a breaker of its own, and a task asked for again has cost nothing more.
        counts = not lost.outage and lost.kind != "status_unknown" and job.asked_ms is None
        if counts and await self.ledger.run(count_lost(lost.why)):
            log.error("gate.paused", reason=lost.why)
