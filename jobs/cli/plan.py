"""`vton plan`: what a manifest would buy, and how long that takes at the account's limits. Spends nothing."""

import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from jobs.cli.output import print_json
from jobs.cli.show import row_count
from jobs.ledger import Ledger, RowFate
from jobs.ledger.codec import decode_latency
from jobs.manifest import Manifest
from jobs.planning import Planned, Planner, admission, in_order
from jobs.producer import CHUNK, bad_row_line
from jobs.records import BadRow, BatchId, RequestId
from jobs.settings import Settings

#: Bad rows that are shown; all of them are in the results of a run.
SHOWN = 20
#: What the gate's hash has learnt of latency, in the order of `learnt()` in prelude.lua.
LEARNT = ("lat_mean", "lat_var", "lat_n", "told", "off_mean", "off_var", "off_n")


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
    bad: list[BadRow] = field(default_factory=list)
    #: Columns that look misspelt, a sentence each.
    doubts: tuple[str, ...] = ()


def plan_of(
    manifest: Manifest, batch_id: BatchId, planner: Planner, ledger: Ledger, settings: Settings
) -> Plan:
    """Counts a manifest against the ledger; `batch_id`: the batch that it would be."""
    plan = Plan()
    seen: set[RequestId] = set()
    rows = map(planner.plan, manifest.rows())
    while chunk := in_order(islice(rows, CHUNK)):
        fates = ledger.fates(batch_id, [admission(planned) for planned in chunk], seen)
        _count(plan, chunk, fates)
        seen |= {
            planned.request_id
            for planned, fate in zip(chunk, fates, strict=True)
            if isinstance(planned, Planned) and fate is not RowFate.INVALID
        }
    plan.doubts = manifest.doubts
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
    gate = ledger.gate_fields()
    latency = decode_latency([gate.get(name) for name in LEARNT])
    task_s = (
        settings.tasks.latency_s if latency is None else math.exp(latency.mean + latency.variance / 2) / 1000
    )
    return max(jobs * 60 / settings.limits.images_per_minute, jobs * task_s / settings.limits.in_flight)


def print_plan(plan: Plan, name: str, deadline: datetime | None, *, as_json: bool) -> None:
    """Tells a plan; bad rows by file, line and column."""
    end = datetime.now().astimezone() + timedelta(seconds=plan.seconds)
    fits = None if deadline is None else end <= deadline
    if as_json:
        content = asdict(plan) | {"ends_at": end.isoformat(timespec="seconds"), "fits_deadline": fits}
        print_json(content)
        return
    out = sys.stdout.write
    out(f"{name}: {row_count(plan.rows)}\n")
    for label, count in (
        ("to buy", plan.new),
        ("bought already", plan.reused),
        ("the same pair as another row", plan.duplicate),
        ("waiting or under way already", plan.waiting),
        ("paid for without a picture, to be asked for again", plan.asked),
        ("ended without a picture earlier", plan.ended),
        ("invalid", plan.invalid),
    ):
        if count:
            out(f"  {count:>7} {label}\n")
    for doubt in plan.doubts:
        out(f"  {name}: {doubt}\n")
    for bad in plan.bad:
        out(f"  {bad_row_line(name, bad)}\n")
    if plan.invalid > len(plan.bad):
        out(f"  and {plan.invalid - len(plan.bad)} more\n")
    if plan.budget is not None:
        out(
            f"the budget lets {plan.budget} of them through (limits.max_images_per_batch, limits.max_images_per_day)\n"
        )
    out(f"at the account's limits: {timedelta(seconds=round(plan.seconds))}, until {end:%Y-%m-%d %H:%M}\n")
    if fits is not None:
        out("fits before the deadline\n" if fits else "does NOT fit before the deadline\n")
