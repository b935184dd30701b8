"""`vton plan`: what a manifest would buy, and how long that takes. Spends nothing."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.deadline import read_deadline
from jobs.cli.intake import batch_of, planner_of, reading_of
from jobs.cli.ledger_identity import foreign_results, lost_ledger
from jobs.cli.options import (
    AgainOpt,
    BatchOpt,
    ConfigOpt,
    EncodingOpt,
    JsonOpt,
    ManifestArg,
    RootOpt,
    SheetOpt,
    SimulateOpt,
    VisibleOpt,
)
from jobs.cli.output import print_json
from jobs.cli.plan_counts import Plan, plan_of
from jobs.cli.session import command_settings, open_session
from jobs.cli.units import counted, duration
from jobs.manifest import open_manifest
from jobs.producing.producer import Where, bad_row_line
from jobs.records import shown


def plan(
    manifest: ManifestArg,
    *,
    batch: BatchOpt = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    again: AgainOpt = "",
    sheet: SheetOpt = None,
    visible_only: VisibleOpt = False,
    encoding: EncodingOpt = "",
    root: RootOpt = None,
    deadline: Annotated[str, typer.Option(help="Say whether it fits until HH:MM or within e.g. 8h.")] = "",
    as_json: JsonOpt = False,
) -> None:
    """Say what a manifest would buy and how long it would take. Spends nothing."""
    settings = command_settings(config, simulate=simulate)
    until = read_deadline(deadline) if deadline else None
    source = open_manifest(
        manifest, reading_of(settings, sheet, visible_only=visible_only, encoding=encoding, root=root)
    )
    with open_session(settings) as opened:
        batch_id = batch_of(source, batch, again)
        planner = planner_of(opened, manifest, source, again)
        planned = plan_of(source, batch_id, planner, opened.ledger, settings)
        planned.remarks = source.remarks
        lost = lost_ledger(opened) or foreign_results(opened, batch_id)
    if lost:
        sys.stderr.write(f"vton: {lost}. A run is refused until that is settled, see docs/operations.md\n")
    _print(planned, shown(Path(manifest).name), until, where=source.where, as_json=as_json)


def _print(plan: Plan, name: str, deadline: datetime | None, *, where: Where, as_json: bool) -> None:
    """Tells a plan; bad rows by file, line and column."""
    end = datetime.now().astimezone() + timedelta(seconds=plan.seconds)
    fits = None if deadline is None else end <= deadline
    if as_json:
        content = asdict(plan) | {
            "ends_at": end.isoformat(timespec="seconds"),
            "fits_deadline": fits,
        }
        print_json(content)
        return
    for line in (*_counts(plan, name), *_rows(plan, name, where), *_time(plan, end)):
        sys.stdout.write(line + "\n")
    if fits is not None:
        sys.stdout.write("fits before the deadline\n" if fits else "does NOT fit before the deadline\n")


def _counts(plan: Plan, name: str) -> Iterator[str]:
    yield f"{name}: {counted(plan.rows, 'row')}"
    for label, count in (
        ("to buy", plan.new),
        ("bought already", plan.reused),
        ("the same pair as another row", plan.duplicate),
        ("waiting or under way already", plan.waiting),
        ("paid for without a picture: asked for again, nothing is bought", plan.asked),
        ("ended without a picture earlier", plan.ended),
        ("invalid", plan.invalid),
    ):
        if count:
            yield f"  {count:>7} {label}"


def _rows(plan: Plan, name: str, where: Where) -> Iterator[str]:
    for remark in plan.remarks:
        yield f"  {remark}"
    for typo in plan.suspected_typos:
        yield f"  {name}: {typo}"
    for suffix, count in sorted(plan.other_kinds.items()):
        what = "address ends" if count == 1 else "addresses end"
        yield f"  {name}: {count} {what} in {suffix}; HiDream is known to take JPEG, PNG and WEBP"
    for bad in plan.bad:
        yield f"  {bad_row_line(name, bad, where)}"
    if plan.invalid > len(plan.bad):
        yield f"  and {plan.invalid - len(plan.bad)} more"


def _time(plan: Plan, end: datetime) -> Iterator[str]:
    if plan.budget is not None:
        yield f"the budget lets {plan.budget} of them through (limits.max_images_per_batch, limits.max_images_per_day)"
    yield f"at the account's limits: {duration(plan.seconds)}, until {end:%Y-%m-%d %H:%M}"
    if plan.first_end_s is not None:
        first = datetime.fromtimestamp(plan.first_end_s).astimezone()
        what = "has an address that ends" if plan.too_late == 1 else "have addresses that end"
        yield f"{plan.too_late} of them {what} before they are sent (the first at {first:%Y-%m-%d %H:%M})"
