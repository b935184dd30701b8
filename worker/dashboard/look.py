"""One look at everything that the page shows. Reads only; what is judged of it is judged by jobs.health."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from jobs.config.settings import Settings
from jobs.errors import VtonError
from jobs.health.account import LOST_ACTION
from jobs.health.assessment import Health, unread
from jobs.health.facts import Facts
from jobs.health.reading import RECENT_MS, read_health
from jobs.ledger import Ledger
from jobs.ledger.records import RowRecord
from jobs.producing.queue import Queue
from jobs.records import BatchId, BatchStatus, Job, JobState
from jobs.redis.client import translated
from jobs.results.checkpoint import SIMULATED
from jobs.results.ledger_loss import foreign_results, lost_ledger, unusable
from jobs.results.lines import image_path
from worker.site.files import shown, small_path

#: Unknown jobs that are listed, the first ones; pictures that are shown, the newest ones, of so many batches.
UNKNOWN_SHOWN: Final = 50
PICTURES_SHOWN: Final = 12
_BATCHES_LOOKED_AT: Final = 4
#: How long what takes longer to find out holds: new pictures, and what is remembered of the ledger outside of Redis, s.
_PICTURES_S: Final = 10.0
_LOST_S: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What the dashboard shows and changes."""

    settings: Settings
    ledger: Ledger
    queue: Queue

    @property
    def simulated(self) -> bool:
        """Nothing real is bought in it."""
        return self.ledger.prefix.endswith(SIMULATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownJob:
    """A job that may have been bought, as the first of its rows in one batch."""

    batch: BatchId
    row: int
    sku: str
    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class LastPicture:
    """A picture that has come lately."""

    batch: BatchId
    sku: str
    #: Of the file to show, in the batch folder.
    path: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Everything at one moment."""

    health: Health
    #: Of the last look that could be taken; None: there was none.
    facts: Facts | None = None
    #: The facts are of now.
    known: bool = True
    unknown: tuple[UnknownJob, ...] = ()
    pictures: tuple[LastPicture, ...] = ()


class Eye:
    """Takes looks, one after the other, whichever thread asks."""

    def __init__(self, shop: Shop, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds."""
        self._shop = shop
        self._clock = clock
        self._lock = threading.Lock()
        self._last = Look(health=unread("nothing was read yet"), known=False)
        self._lost = ("", LOST_ACTION)
        self._lost_s = float("-inf")
        self._pictures_s = float("-inf")

    def look(self) -> Look:
        """Looks; what cannot be read is not known, and what was known before is kept as such."""
        with self._lock:
            try:
                self._last = self._look()
            except VtonError as error:
                self._last = replace(self._last, health=unread(str(error)), known=False)
            return self._last

    def _look(self) -> Look:
        shop = self._shop
        lost, lost_action = self._lost_why()
        facts, health = read_health(
            shop.ledger, shop.settings, lost=lost, lost_action=lost_action, simulated=shop.simulated
        )
        pictures, now_s = self._last.pictures, self._clock()
        if now_s - self._pictures_s >= _PICTURES_S:
            pictures, self._pictures_s = last_pictures(shop, facts), now_s
        unknown = unknown_jobs(shop.ledger) if facts.unknown else ()
        return Look(facts=facts, health=health, unknown=unknown, pictures=pictures)

    def _lost_why(self) -> tuple[str, str]:
        """As `vton status` finds it out, which reads the results' folders: why, and what to do; empty: it is not lost."""
        if self._clock() - self._lost_s >= _LOST_S:
            why = lost_ledger(self._shop) or foreign_results(self._shop)
            itself = why and why == unusable(self._shop)
            self._lost, self._lost_s = (why, "" if itself else LOST_ACTION), self._clock()
        return self._lost


def unknown_jobs(ledger: Ledger) -> tuple[UnknownJob, ...]:
    """The first jobs that may have been bought, the longest unknown first. Raises RedisDownError."""
    with translated():
        names = ledger.client.zrange(ledger.key("unknown"), 0, UNKNOWN_SHOWN - 1)
    jobs = [job for job in ledger.jobs(names).values() if job.state is JobState.UNKNOWN]
    rows = _first_rows(ledger, jobs)
    return tuple(
        UnknownJob(batch=batch, row=number, sku=row.sku, job=job)
        for job in jobs
        if (found := rows.get(job.request_id)) is not None
        for batch, number, row in [found]
    )


def last_pictures(shop: Shop, facts: Facts) -> tuple[LastPicture, ...]:
    """The newest pictures of the newest batches, those of which a file is there. Raises RedisDownError."""
    ledger, output_dir = shop.ledger, shop.settings.output_dir.absolute()
    batches = [each.batch_id for each in facts.batches if _lately(each, facts.read_ms)][:_BATCHES_LOOKED_AT]
    jobs = ledger.jobs(_newest_ends(ledger, batches))
    newest = sorted(
        (job for job in jobs.values() if job.state is JobState.SUCCEEDED and job.pictures),
        key=lambda job: -(job.finished_ms or 0),
    )[:PICTURES_SHOWN]
    rows = _first_rows(ledger, newest, batches)
    return tuple(
        LastPicture(batch=batch, sku=row.sku, path=path, at_ms=job.finished_ms or 0)
        for job in newest
        if (found := rows.get(job.request_id)) is not None
        for batch, number, row in [found]
        if (path := _picture_file(output_dir, batch, number, row, job))
    )


def _lately(batch: BatchStatus, now_ms: int) -> bool:
    return batch.completed_ms is None or now_ms - batch.completed_ms < RECENT_MS


def _newest_ends(ledger: Ledger, batches: Iterable[BatchId]) -> list[str]:
    with translated():
        asked = ledger.client.pipeline(transaction=False)
        for batch in batches:
            asked.xrevrange(ledger.key("out", batch), count=2 * PICTURES_SHOWN)
        return [fields["job"] for entries in asked.execute() for _, fields in entries if "job" in fields]


def _first_rows(
    ledger: Ledger, jobs: Iterable[Job], batches: Iterable[BatchId] = ()
) -> dict[str, tuple[BatchId, int, RowRecord]]:
    """By job: the first of its rows, in one of these batches if it has one there."""
    preferred = list(batches)
    places: dict[BatchId, dict[int, str]] = {}
    for job in jobs:
        batch = next((each for each in preferred if each in job.refs), next(iter(job.refs), None))
        if batch is not None and job.refs[batch]:
            places.setdefault(BatchId(batch), {})[min(job.refs[batch])] = job.request_id
    return {
        wanted[number]: (batch, number, row)
        for batch, wanted in places.items()
        for number, row in ledger.rows_at(batch, wanted).items()
    }


def _picture_file(output_dir: Path, batch: BatchId, number: int, row: RowRecord, job: Job) -> str:
    """The thumbnail once the contact sheet has it, else the picture itself; empty while neither is there."""
    picture = job.pictures[0]
    whole = image_path(row.of or number, row.sku, 0, picture, row.version)
    paths = (small_path(picture.sha256), whole)
    return next((path for path in paths if shown(output_dir, batch, path) is not None), "")
