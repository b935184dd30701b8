"""`vton plan`: what a manifest would buy, how long that takes, and what is wrong with it. Spends nothing."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.cli.deadline import read_deadline
from jobs.cli.given import Given, takes_given
from jobs.cli.intake import batch_of, name_of, planner_of
from jobs.cli.options import JsonOpt, SimulateOpt
from jobs.cli.output import print_json
from jobs.cli.plan_counts import Plan, plan_of
from jobs.cli.plan_list import PlanList, plan_list
from jobs.cli.session import Session, command_settings, open_session
from jobs.cli.suggestions import Suggestions
from jobs.config.exit_codes import ExitCode
from jobs.errors import UsageError
from jobs.manifest import Manifest
from jobs.manifest.several import Manifests, open_manifests
from jobs.problems import Problems
from jobs.producing.planning import Planner
from jobs.records import BatchId, shown
from jobs.results.ledger_loss import foreign_results, lost_ledger
from jobs.units import counted, duration

if TYPE_CHECKING:
    from jobs.cli.check_urls import AddressCheck, Checked

ListOpt = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="File for all problems, a .csv; default out/_plans/<batch>/plan.csv."
    ),
]
AskAgainOpt = Annotated[
    bool, typer.Option("--ask-again", help="With --check-urls: ask anew for what had a problem.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """A plan and what is wrong with its manifest."""

    plan: Plan
    problems: Problems
    listed: PlanList
    #: None when addresses were not asked for.
    checked: "Checked | None"

    @property
    def code(self) -> ExitCode:
        """What a script learns: no valid row, nothing left to buy while rows have problems, or none of both."""
        plan = self.plan
        if plan.invalid == plan.rows:
            return ExitCode.USAGE
        unfit = self.checked.bad_rows if self.checked else 0
        left = plan.new + plan.waiting + plan.asked - unfit
        return ExitCode.FINAL_FAILURES if left <= 0 and plan.invalid + unfit else ExitCode.OK


@takes_given("output", "strict", "accept_new_ledger")
def plan(
    given: Given,
    *,
    simulate: SimulateOpt = False,
    output: ListOpt = None,
    ask_again: AskAgainOpt = False,
    deadline: Annotated[
        str, typer.Option(help="Also say whether it fits until HH:MM or within e.g. 8h.")
    ] = "",
    as_json: JsonOpt = False,
) -> None:
    """Say what a manifest would buy, how long it would take, and what is wrong with it. Spends nothing."""
    if ask_again and not given.check_urls:
        raise UsageError("--ask-again needs --check-urls")
    settings = command_settings(given.config, simulate=simulate)
    until = read_deadline(deadline) if deadline else None
    source = open_manifests(given.manifest, given.reading(settings))
    with open_session(settings) as opened:
        batch_id = batch_of(source, given.batch, given.again)
        planner = planner_of(opened, source, given.again)
        paths = source.paths if isinstance(source, Manifests) else (source.path,)
        listed = plan_list(settings, batch_id, source.dialect, output, paths)
        problems = Problems(
            name_of(source),
            source.place,
            suggest=Suggestions.of(source, planner.folder),
            listed=listed.take,
        )
        with listed.open():
            plan, checked = _plan(
                opened, source, planner, batch_id, problems, check_urls=given.check_urls, ask_again=ask_again
            )
        lost = lost_ledger(opened) or foreign_results(opened, batch_id)
    if lost:
        sys.stderr.write(f"vton: {lost}. A run is refused until that is settled, see docs/operations.md\n")
    planned = _Planned(plan=plan, problems=problems, listed=listed, checked=checked)
    _print(planned, until, as_json=as_json)
    raise typer.Exit(planned.code)


def _plan(
    opened: Session,
    manifest: Manifest | Manifests,
    planner: Planner,
    batch_id: BatchId,
    problems: Problems,
    *,
    check_urls: bool,
    ask_again: bool,
) -> "tuple[Plan, Checked | None]":
    """Reads the manifest, and asks for its addresses if that is wanted."""
    settings, checked = opened.settings, None
    with ExitStack() as stack:
        check: AddressCheck | None = None
        if check_urls:
            # Loaded for it alone: with HTTP it takes longer to load than a plan takes.
            from jobs.cli.check_urls import address_check  # noqa: PLC0415

            check = stack.enter_context(address_check(settings, problems))
        addressed = None if check is None else check.take
        plan = plan_of(
            manifest, batch_id, planner, opened.ledger, settings, problems=problems, addressed=addressed
        )
        plan.remarks = manifest.remarks
        if check is not None:
            checked = check.run(ask_again=ask_again)
    return plan, checked


def _print(planned: _Planned, deadline: datetime | None, *, as_json: bool) -> None:
    """Tells a plan, what is wrong with its manifest, and what to do next."""
    plan, problems = planned.plan, planned.problems
    end = datetime.now().astimezone() + timedelta(seconds=plan.seconds)
    fits = None if deadline is None else end <= deadline
    if as_json:
        content = asdict(plan) | {
            "ends_at": end.isoformat(timespec="seconds"),
            "fits_deadline": fits,
            "problems": [group.content() for group in problems.groups()],
            "problem_list": shown(str(planned.listed.path)) if planned.listed.written else None,
            "addresses": asdict(planned.checked) if planned.checked else None,
        }
        print_json(content)
        return
    for line in (*_counts(plan, problems.file), *_noticed(planned), *_time(plan, end)):
        sys.stdout.write(line + "\n")
    if fits is not None:
        sys.stdout.write("fits before the deadline\n" if fits else "does NOT fit before the deadline\n")


def _counts(plan: Plan, name: str) -> Iterator[str]:
    yield f"{name}: {counted(plan.rows, 'row')}"
    for label, count in (
        ("to buy", plan.new),
        ("bought already", plan.reused),
        ("bought before, picture no longer kept: not bought again by itself", plan.bought_before),
        ("the same pair as another row", plan.duplicate),
        ("waiting or under way already", plan.waiting),
        ("paid for without a picture: asked for again, nothing is bought", plan.asked),
        ("ended without a picture earlier", plan.ended),
        ("invalid", plan.invalid),
    ):
        if count:
            yield f"  {count:>7} {label}"


def _noticed(planned: _Planned) -> Iterator[str]:
    plan, problems, listed, checked = planned.plan, planned.problems, planned.listed, planned.checked
    for remark in plan.remarks:
        yield f"  {remark}"
    for typo in plan.suspected_typos:
        yield f"  {problems.file}: {typo}"
    if checked is not None:
        yield str(checked)
    yield from (f"  {line}" for line in problems.lines())
    if checked is not None and checked.bad_rows:
        rows = counted(checked.bad_rows, "row")
        yield f"{rows} would be sent though a picture of theirs is not there; mend them, or run with --check-urls"
    if listed.written:
        yield f"all of them, a line each: {shown(str(listed.path))}"
    elif listed.fault:
        yield listed.fault


def _time(plan: Plan, end: datetime) -> Iterator[str]:
    if plan.cost is not None:
        cost = f"{plan.cost['to_order']} {plan.cost['currency'] or ''}".rstrip()
        yield f"to order: {counted(plan.new + plan.waiting, 'picture')} = {cost}, at {plan.cost['price_per_image']} each"
    if plan.budget is not None:
        yield f"the budget lets {plan.budget} of them through (limits.max_images_per_… and max_cost_per_…)"
    if plan.seconds:
        yield f"at the account's limits: {duration(plan.seconds)}, until {end:%Y-%m-%d %H:%M}"
    if plan.first_end_s is not None:
        first = datetime.fromtimestamp(plan.first_end_s).astimezone()
        what = "has an address that ends" if plan.too_late == 1 else "have addresses that end"
        yield f"{plan.too_late} of them {what} before they are sent (the first at {first:%Y-%m-%d %H:%M})"
