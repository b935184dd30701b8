"""`vton plan`: what a manifest would buy, and how long that takes at the account's limits. Spends nothing."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from jobs.config.settings import Settings
from jobs.ledger import Ledger, RowFate
from jobs.manifest import Manifest
from jobs.manifest.addresses import other_kind
from jobs.producing.planning import Planned, Planner, admission, in_order
from jobs.producing.producer import CHUNK
from jobs.records import BadRow, BatchId, RequestId, Url

#: Bad rows that are shown; all of them are in the results of a run.
SHOWN = 20
#: Fates of rows whose pair goes to HiDream.
TO_SEND = frozenset({RowFate.NEW, RowFate.AGAIN, RowFate.WAITING})


@dataclass(slots=True, kw_only=True)
class Plan:
    """A manifest in numbers."""

    rows: int = 0
    #: Jobs that would be submitted: new ones, and failed ones worth another try.
    new: int = 0
    #: Rows whose job was paid for and brought no picture: its old task is asked again, nothing is bought.
    asked: int = 0
    #: Rows whose pair is bought already.
    reused: int = 0
    #: Rows whose pair another row of the manifest has.
    duplicate: int = 0
    #: Rows whose job waits or is under way already, from this batch or another.
    waiting: int = 0
    #: Rows whose job has ended without a picture and would stay so.
    ended: int = 0
    invalid: int = 0
    #: Seconds at the account's limits for what is to buy and what waits, if it does nothing else.
    seconds: float = 0
    #: Of what is to buy or waits, what the budgets let through; None when all of it.
    budget: int | None = None
    #: Of what is to buy or waits, what has an address that ends before its turn comes at that pace.
    too_late: int = 0
    #: When the first of these ends, seconds since the epoch.
    first_end_s: float | None = None
    #: Suffix → addresses of the manifest that end in it and may be no picture that HiDream takes.
    other_kinds: dict[str, int] = field(default_factory=dict)
    bad: list[BadRow] = field(default_factory=list)
    #: Columns that look misspelt, a sentence each.
    suspected_typos: tuple[str, ...] = ()
    #: What the merchandiser should know of a workbook, a sentence each.
    remarks: tuple[str, ...] = ()


def plan_of(
    manifest: Manifest,
    batch_id: BatchId,
    planner: Planner,
    ledger: Ledger,
    settings: Settings,
    *,
    clock: Callable[[], float] = time.time,
) -> Plan:
    """Counts a manifest against the ledger.

    `batch_id`: the batch that it would be. `clock`: seconds since the epoch.
    """
    plan = Plan()
    pace_s, begins_s = _seconds(1, ledger, settings), clock()
    seen: set[RequestId] = set()
    rows = map(planner.plan, manifest.rows())
    while chunk := in_order(islice(rows, CHUNK)):
        fates = ledger.fates(batch_id, [admission(planned) for planned in chunk], seen)
        _follow_ends(plan, chunk, fates, pace_s, begins_s)
        _count(plan, chunk, fates)
        seen |= {
            planned.request_id
            for planned, fate in zip(chunk, fates, strict=True)
            if isinstance(planned, Planned) and fate is not RowFate.INVALID
        }
    plan.suspected_typos = manifest.suspected_typos
    plan.seconds = _seconds(plan.new + plan.waiting, ledger, settings)
    plan.budget = _budget(plan.new + plan.waiting, batch_id, ledger, settings)
    return plan


def _count(plan: Plan, chunk: Sequence[Planned | BadRow], fates: Sequence[RowFate]) -> None:
    plan.rows += len(fates)
    counts = Counter(fates)
    plan.new += counts[RowFate.NEW] + counts[RowFate.AGAIN]
    plan.asked += counts[RowFate.ASKED]
    plan.reused += counts[RowFate.REUSED]
    plan.duplicate += counts[RowFate.DUPLICATE]
    plan.waiting += counts[RowFate.WAITING]
    plan.ended += counts[RowFate.ENDED]
    plan.invalid += counts[RowFate.INVALID]
    refused = [
        (planned if isinstance(planned, BadRow) else planned.unsendable)
        for planned, fate in zip(chunk, fates, strict=True)
        if fate is RowFate.INVALID
    ]
    known = sorted((row for row in refused if row is not None), key=lambda row: row.number)
    plan.bad += known[: SHOWN - len(plan.bad)]


def _follow_ends(
    plan: Plan, chunk: Sequence[Planned | BadRow], fates: Sequence[RowFate], pace_s: float, begins_s: float
) -> None:
    """Finds the addresses that end before they are sent, and counts the odd ones."""
    ahead = plan.new + plan.waiting
    for planned, fate in zip(chunk, fates, strict=True):
        if not isinstance(planned, Planned) or fate not in TO_SEND:
            continue
        ahead += 1
        if planned.ends_s is not None and planned.ends_s < begins_s + ahead * pace_s:
            plan.too_late += 1
            plan.first_end_s = min(planned.ends_s, plan.first_end_s or planned.ends_s)
        for _, source in planned.pair.slots():
            if isinstance(source, Url) and (kind := other_kind(source.url)):
                plan.other_kinds[kind] = plan.other_kinds.get(kind, 0) + 1


def _budget(jobs: int, batch_id: BatchId, ledger: Ledger, settings: Settings) -> int | None:
    limits = settings.limits
    left = [jobs]
    if limits.max_images_per_batch:
        left.append(max(0, limits.max_images_per_batch - ledger.spent_by(batch_id)))
    if limits.max_images_per_day:
        left.append(max(0, limits.max_images_per_day - ledger.spent_today()))
    return min(left) if min(left) < jobs else None


def _seconds(jobs: int, ledger: Ledger, settings: Settings) -> float:
    """The longer of what the rate and what the parallel tasks take."""
    latency = ledger.latency()
    task_s = (
        settings.tasks.latency_s if latency is None else math.exp(latency.mean + latency.variance / 2) / 1000
    )
    return max(jobs * 60 / settings.limits.images_per_minute, jobs * task_s / settings.limits.in_flight)
