"""`vton plan`: what a manifest would buy, and how long that takes at the account's limits. Spends nothing."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from jobs.config.price import costs
from jobs.config.settings import Settings
from jobs.ledger import Ledger, RowFate
from jobs.manifest import Manifest
from jobs.manifest.several import Manifests
from jobs.problems import Problems
from jobs.producing.fates import fates_of
from jobs.producing.noticing import Addressed, Noticing
from jobs.producing.planning import Planned, Planner
from jobs.producing.producer import CHUNK, line_of
from jobs.producing.unread import Unread
from jobs.records import BadRow, BatchId

#: Bad rows that --json has whole; all of them are in plan.csv.
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
    #: Rows whose pair was bought, or may have been, and pruned since: they get no picture, unless a person buys it anew.
    bought_before: int = 0
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
    #: What is to buy or waits costs so much; the money's other words begin with the first order. None: no price is known.
    cost: dict[str, str | None] | None = None
    bad: list[BadRow] = field(default_factory=list)
    #: Columns that look misspelt, and in how many valid rows they are filled, a sentence or two each.
    suspected_typos: tuple[str, ...] = ()
    #: What the merchandiser should know of a workbook, a sentence each.
    remarks: tuple[str, ...] = ()


def plan_of(
    manifest: Manifest | Manifests,
    batch_id: BatchId,
    planner: Planner,
    ledger: Ledger,
    settings: Settings,
    *,
    problems: Problems | None = None,
    addressed: Addressed | None = None,
    clock: Callable[[], float] = time.time,
) -> Plan:
    """Counts a manifest against the ledger.

    Args:
        manifest: its rows are read once.
        batch_id: the batch that it would be.
        planner: makes jobs of rows.
        ledger: knows what is bought already.
        settings: the account's limits.
        problems: takes what is wrong or odd.
        addressed: is given the addresses of every row that is to be sent.
        clock: seconds since the epoch.
    """
    plan = Plan()
    problems = Problems("", line_of) if problems is None else problems
    pace_s = seconds_for(1, ledger, settings)
    noticing = Noticing(problems, pace_s=pace_s, begins_s=clock(), addressed=addressed)
    rows, unread = planner.plans(manifest.rows()), Unread(manifest)
    for chunk, fates in fates_of(rows, ledger, batch_id, size=CHUNK):
        ahead = plan.new + plan.waiting
        for planned, fate in zip(chunk, fates, strict=True):
            if isinstance(planned, Planned) and fate in TO_SEND:
                ahead += 1
                noticing.take(planned, ahead)
        _count(plan, chunk, fates, noticing)
        unread.take(
            planned
            for planned, fate in zip(chunk, fates, strict=True)
            if isinstance(planned, Planned) and fate is not RowFate.INVALID
        )
        noticing.hand_on()
    plan.too_late, plan.first_end_s = noticing.too_late, noticing.first_end_s
    plan.other_kinds = dict(noticing.other_kinds)
    plan.suspected_typos = tuple(unread.lines())
    plan.seconds = seconds_for(plan.new + plan.waiting, ledger, settings)
    plan.cost = costs(settings.limits.price, to_order=plan.new + plan.waiting)
    plan.budget = _budget(plan.new + plan.waiting, batch_id, ledger, settings)
    return plan


def _count(
    plan: Plan, chunk: Sequence[Planned | BadRow], fates: Sequence[RowFate], noticing: Noticing
) -> None:
    plan.rows += len(fates)
    counts = Counter(fates)
    plan.new += counts[RowFate.NEW] + counts[RowFate.AGAIN]
    plan.asked += counts[RowFate.ASKED]
    plan.reused += counts[RowFate.REUSED]
    plan.bought_before += counts[RowFate.BOUGHT_BEFORE]
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
    for row in known:
        noticing.refuse(row)


def _budget(jobs: int, batch_id: BatchId, ledger: Ledger, settings: Settings) -> int | None:
    limits = settings.limits
    left = [jobs]
    if limits.batch_budget:
        left.append(max(0, limits.batch_budget - ledger.spent_by(batch_id)))
    if limits.day_budget:
        left.append(max(0, limits.day_budget - ledger.spent_today()))
    return min(left) if min(left) < jobs else None


def seconds_for(jobs: int, ledger: Ledger, settings: Settings) -> float:
    """The longer of what the rate and what the parallel tasks take."""
    latency = ledger.latency()
    task_s = (
        settings.tasks.latency_s if latency is None else math.exp(latency.mean + latency.variance / 2) / 1000
    )
    return max(jobs * 60 / settings.limits.images_per_minute, jobs * task_s / settings.limits.in_flight)
