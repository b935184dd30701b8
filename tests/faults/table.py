"""The table of docs/reliability.md, written from what was measured and from nothing else."""

import os
import platform
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.outcome import SCENARIOS, Outcome

_TOOK = "a run took, s"
_HEAD = (
    "fault", "runs", "jobs", "faults", "lost", "bought twice", "forgotten", "`unknown`", "windows over", "refused by limits",
    "going again, s", "held", _TOOK, "ended, or waits for", "seen",
)  # fmt: skip
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write(path: Path, outcomes: Mapping[str, Sequence[Outcome]]) -> None:
    """Puts the tables between their marks; the words around them stay."""
    text = path.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    assert tail, f"{path} has lost its marks"
    path.write_text(f"{head}{BEGIN}\n{tables(outcomes)}\n{END}{tail}", encoding="utf-8")


def times(path: Path) -> dict[str, float]:
    """Scenario → seconds of its longest run, from the tables written before."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" |")]
        took = cells[_HEAD.index(_TOOK)] if len(cells) == len(_HEAD) else ""
        if took.isdigit():
            found[cells[0]] = float(took)
    return found


def tables(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    """Totals, then one line a scenario, as Markdown."""
    runs = [run for found in outcomes.values() for run in found if not run.skipped]
    jobs, faults = sum(run.verdict.jobs for run in runs), sum(run.faults for run in runs)
    lost, twice = sum(run.verdict.lost for run in runs), sum(run.verdict.bought_twice for run in runs)
    broken = sum(bool(run.broken) for run in runs)
    played = sum(any(not run.skipped for run in found) for found in outcomes.values())
    when = f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    booked = [run.verdict.forgotten for run in runs if run.verdict.forgotten is not None]
    total = (
        f"Measured {when}, {_cores()} cores: **{len(runs)} runs of {played} scenarios, {jobs:,} jobs,"
        f" {faults:,} faults: {lost} lost, {twice} bought twice**, {sum(booked)} paid tasks"
        f" forgotten in the {len(booked)} runs against the double, {sum(run.verdict.unknown for run in runs)} `unknown`,"
        f" {sum(run.verdict.over_windows for run in runs)} windows over the limit, {broken} runs with a broken invariant."
        f" {_bound('lost', lost, jobs)} {_bound('bought twice', twice, jobs)}"
    )
    areas: dict[str, list[str]] = defaultdict(list)
    for name in outcomes:
        areas[SCENARIOS[name].area].append(name)
    lines = [
        total,
        "",
        f"| {' | '.join(_HEAD)} |",
        f"|{'---|' * len(_HEAD)}",
    ]
    # What dies first, then what the vendor does, in no deeper order.
    for area, names in sorted(areas.items(), key=lambda one: not one[0].startswith(("kill", "SIG", "Redis"))):
        lines.append(f"| **{area}** |{' |' * (len(_HEAD) - 1)}")
        lines += [_line(name, outcomes[name]) for name in names]
    return "\n".join([*lines, "", *_failures(outcomes)]).rstrip()


def _line(name: str, found: Sequence[Outcome]) -> str:
    runs = [run for run in found if not run.skipped]
    if not runs:
        return f"| {name} | 0 |{' |' * (len(_HEAD) - 4)} skipped | {found[-1].skipped} |"

    def total(count: Iterable[int]) -> str:
        return f"{sum(count):,}"

    took = [run.recovery_s for run in runs if run.recovery_s is not None]
    recovery = f"{max(took):.1f}" if took else ""
    held = sum(not run.broken for run in runs)
    cells = [
        name,
        str(len(runs)),
        total(run.verdict.jobs for run in runs),
        total(run.faults for run in runs),
        total(run.verdict.lost for run in runs),
        total(run.verdict.bought_twice for run in runs),
        total(known) if (known := [n for run in runs if (n := run.verdict.forgotten) is not None]) else "",
        total(run.verdict.unknown for run in runs),
        total(run.verdict.over_windows for run in runs),
        total(run.verdict.refused for run in runs),
        recovery,
        f"{held} of {len(runs)}",
        f"{max(run.took_s for run in runs):.0f}",
        runs[-1].ending.replace("|", "/"),
        runs[-1].note.replace("|", "/"),
    ]
    return f"| {' | '.join(cells)} |"


def _failures(outcomes: Mapping[str, Sequence[Outcome]]) -> list[str]:
    found = [
        f"- {name}: {line.splitlines()[-1][:300]}"
        for name, runs in outcomes.items()
        for run in runs
        for line in run.broken
    ]
    return ["Not held:", "", *found] if found else []


def _bound(what: str, seen: int, n: int) -> str:
    """A zero out of n has a 95 % upper bound of about 3/n."""
    if seen or not n:
        return ""
    return f"None {what} in {n:,} jobs bounds the rate (95 %) below {300 / n:.2g} % under these faults."


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
