"""What people read: the end of a run, a batch's status, all batches."""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from jobs.cli.advice import command, is_simulated
from jobs.cli.output import nobody_reads, print_json
from jobs.cli.progress import Progress
from jobs.cli.under_way import under_way
from jobs.config.exit_codes import ExitCode, ended
from jobs.config.price import costs
from jobs.config.settings import LimitSettings
from jobs.errors import RedisDownError
from jobs.health.account import budget_reached, shut_words
from jobs.health.assessment import Health
from jobs.health.facts import Facts
from jobs.health.rules import Assessment, alive
from jobs.ledger import Ledger
from jobs.ledger.budgets import budgets
from jobs.ledger.versions import second_takes
from jobs.records import BatchId, BatchStatus, ResultLine
from jobs.units import counted, iso

#: Between two looks of a watch, s.
_LOOK_S = 0.5
#: Unknown rows that the end of a run names one by one.
_UNKNOWN_SHOWN = 5
OWNERS = {"merch": "the merchandiser", "ops": "operations", "vendor": "HiDream"}


def print_end(
    summary: Mapping[str, Any],
    folder: Path,
    why: str,
    problems: Iterable[str] = (),
    *,
    again: str = "",
    simulated: bool,
) -> None:
    """The last words of a run: every row is in one of these lines.

    `problems`: of the manifest's columns and rows, grouped; `again`: the same run once more, as it is to be typed.
    """
    out = sys.stdout.write
    status = summary["status"]
    out(
        f"\n{summary['batch']}: {counted(summary['rows'], 'row')}, {status.get('succeeded', 0)} with their picture"
    )
    out(
        f" ({money_words(summary)}" + (f", {summary['reused_rows']} reused" if summary["reused_rows"] else "")
    )
    shared = summary["duplicate_rows"]
    out((f", {shared} {'shares' if shared == 1 else 'share'} another row's" if shared else "") + ")\n")
    for name, count in status.items():
        if name != "succeeded":
            out(f"  {count:>6} {name}\n")
    if retakes := summary.get("second_takes"):
        out(f"  second takes: {', '.join(f'{count} {name}' for name, count in retakes.items())}\n")
    if summary["gaps_by_owner"]:
        owners = ", ".join(
            f"{count} for {OWNERS[owner]}" for owner, count in summary["gaps_by_owner"].items()
        )
        reasons = ", ".join(f"{name} {count}" for name, count in summary["gaps_by_class"].items())
        out(f"  to fix: {owners} ({reasons}); see {folder / 'failed.csv'}\n")
    for line in problems:
        out(f"  {line}\n")
    _print_unknown(summary, folder, simulated=simulated)
    out(f"results: {folder / 'results.csv'}\nreport: {folder / 'report.html'}\n")
    if why:
        out(f"ended early: {why}\n")
    queued = {"row": status.get("queued", 0), "second take": (retakes or {}).get("queued", 0)}
    waiting = [counted(count, name) for name, count in queued.items() if count]
    if waiting:
        cancel = command(f"cancel {summary['batch']}", simulated=simulated)
        again = again or command("run MANIFEST", simulated=simulated)
        out(f"still queued: {' and '.join(waiting)}; any next run buys them: {again}; not wanted: {cancel}\n")


def _print_unknown(summary: Mapping[str, Any], folder: Path, *, simulated: bool) -> None:
    """What may have been charged without an answer, and how a person says what became of it."""
    rows, retakes = (summary.get(name, {}).get("unknown", 0) for name in ("status", "second_takes"))
    if not rows and not retakes:
        return
    settle = command(f"settle {summary['batch']}", simulated=simulated)
    these = [f"these {rows}"] * bool(rows) + [counted(retakes, "second take")] * bool(retakes)
    sys.stdout.write(
        f"  HiDream may already have charged {' and '.join(these)} (unknown: no clear answer); look for their times on its"
        f" bill, then say what became of them: {settle}\n"
    )
    for one in islice(_unknown_lines(folder / "results.jsonl"), _UNKNOWN_SHOWN):
        sys.stdout.write(
            f"    row {one.row}  may have been sent at {one.timings.posted_at or '?'}  {one.request_id}  {one.sku}\n"
        )


def money_words(summary: Mapping[str, Any]) -> str:
    """What a batch has ordered, and how much of it is charged; the words are those of summary.json."""
    cost = summary["cost"]

    def said(name: str) -> str:
        price = f" = {cost[name]} {cost['currency'] or ''}".rstrip() if cost else ""
        return f"{summary[name]} {name.replace('_', ' ')}{price}"

    words = said("ordered")
    if summary["perhaps_charged"]:
        words += f": {said('charged_for_sure')}, {said('perhaps_charged')}"
    return words + (f"; {said('refunded')}" if summary["refunded"] else "")


def _unknown_lines(results: Path) -> Iterator[ResultLine]:
    """The lines of a compacted results.jsonl whose row is unknown."""
    # Whoever only shows a status needs no manifests.
    from jobs.results.lines import read_line  # noqa: PLC0415

    with results.open("rb") as lines:
        for raw in lines:
            # Reading all of them would take minutes of a large batch.
            if (
                b'"status": "unknown"' in raw
                and (line := read_line(raw)) is not None
                and line.status == "unknown"
            ):
                yield line


def print_cut(status: BatchStatus, why: str, remarks: Iterable[str], *, simulated: bool) -> None:
    """The last words of a run that did not take the time to write its files; `remarks`: on the manifest."""
    parts = [f"{count} {name}" for name, count in sorted(status.counts.items())]
    read = "" if status.sealed else " read so far"
    takes = f" and {counted(status.retakes, 'second take')}" if status.retakes else ""
    sys.stdout.write(
        f"\n{status.batch_id}: {counted(status.rows - status.retakes, 'row')}{takes}{read}: {', '.join(parts) or 'none'}\n"
        + "".join(f"  {line}\n" for line in remarks)
        + f"ended early: {why}\n"
        f"files: {command(f'results {status.batch_id}', simulated=simulated)}\n"
    )


def print_status(
    ledger: Ledger, limits: LimitSettings, facts: Facts, health: Health, *, as_json: bool
) -> None:
    """One batch, the gate, and how it does."""
    (status,) = facts.batches
    gate = gate_words(ledger, limits, facts, None if status.complete else status.batch_id)
    cost = costs(limits.price, **status.money)
    takes = second_takes(ledger, status)
    if as_json:
        content = _content(status, takes) | {"cost": cost, "gate": gate}
        content["health"] = _health(health, facts)
        content["created_at"], content["completed_at"] = (
            iso(content.pop("created_ms")),
            iso(content.pop("completed_ms")),
        )
        print_json(content)
        return
    sys.stdout.write(_line(status, takes) + "\n")
    for name, count in sorted(_of_rows(status, takes).items()):
        sys.stdout.write(f"  {count:>7} {name}\n")
    if takes:
        sys.stdout.write(
            f"  second takes: {', '.join(f'{count} {name}' for name, count in sorted(takes.items()))}\n"
        )
    if status.ordered or status.refunded:
        sys.stdout.write(f"money: {money_words(status.money | {'cost': cost})}\n")
    for one in budgets(ledger, limits, status.batch_id):
        if one.near and not one.reached:
            sys.stdout.write(
                f"budget: {one.used} of {one.pictures} pictures of the {one.span} ({one.setting})\n"
            )
    sys.stdout.write(f"account: {gate}\n")
    print_health(health, as_json=False)


def print_batches(
    ledger: Ledger,
    limits: LimitSettings,
    facts: Facts,
    health: Health,
    *,
    as_json: bool,
    simulated_elsewhere: bool,
) -> None:
    """Every batch, newest first, the gate, and how they do; `simulated_elsewhere`: a simulated shop lies beside this one."""
    statuses, gate = facts.batches, gate_words(ledger, limits, facts)
    if as_json:
        batches = [_content(status, second_takes(ledger, status)) for status in statuses]
        print_json({"batches": batches, "gate": gate, "health": _health(health, facts)})
        return
    for status in statuses:
        sys.stdout.write(_line(status, second_takes(ledger, status)) + "\n")
    if not statuses:
        hint = f"; simulated ones: {command('status', simulated=True)}" if simulated_elsewhere else ""
        sys.stdout.write(f"no batch yet{hint}\n")
    sys.stdout.write(f"account: {gate}\n")
    if statuses:
        print_health(health, as_json=False)


def print_health(health: Health, *, as_json: bool) -> None:
    """The three assessments, a line each, and below it what to do; as JSON what there is without facts."""
    if as_json:
        print_json({"health": _health(health, None)})
        return
    for name in ("flow", "execution", "liveness"):
        found: Assessment = getattr(health, name)
        sys.stdout.write(f"{name:<9}  {found.state:<7}  {found.evidence}\n")
        if found.action:
            sys.stdout.write(f"{'':<9}  {'':<7}  -> {found.owner}: {found.action}\n")


def _health(health: Health, facts: Facts | None) -> dict[str, Any]:
    """As JSON: the three, the exit code, and every process that was heard within an hour."""
    processes = [] if facts is None else facts.processes
    living = [] if facts is None else alive(facts)
    judged: dict[str, Any] = to_builtins(health)
    return judged | {
        "code": health.code,
        "processes": [
            to_builtins(each) | {"name": each.name, "alive": each in living, "heard_at": iso(each.at_ms)}
            for each in processes
        ],
    }


def batch_code(ledger: Ledger, status: BatchStatus) -> ExitCode:
    """The code with which a run of a complete batch ends. Raises NotFoundError."""
    # Only who waits needs it, and it is half of what there is.
    from jobs.producing.control import Wanted, foresee_retry  # noqa: PLC0415

    again = status.counts.get("failed") or status.counts.get("cancelled")
    retryable = foresee_retry(ledger, status.batch_id, Wanted(failed=True)).jobs if again else 0
    return ended({"status": status.counts, "rows": status.rows, "retryable_rows": retryable})


def watch_status(ledger: Ledger, batch_id: BatchId | None, *, patience_s: float = 0) -> None:
    """Shows a batch, or all, until complete or until nobody looks any more. Raises NotFoundError.

    `patience_s`: an outage of Redis that ends so soon is waited for, and so is a batch at which nobody looks.
    """
    if batch_id is None:
        _watch_all(ledger)
        return
    seen_s = time.monotonic()
    with Progress(batch_id, simulated=is_simulated(ledger)) as progress:
        while True:
            try:
                status = ledger.status(batch_id)
                progress.show(status, ledger.gate(), under_way(ledger, batch_id), fed=status.sealed)
                seen_s = time.monotonic()
                if status.complete or (nobody_reads(sys.stderr) and not patience_s):
                    break
            except RedisDownError:
                if time.monotonic() - seen_s > patience_s:
                    raise
            time.sleep(_LOOK_S)


def _watch_all(ledger: Ledger) -> None:
    """In lines, also on a terminal: bars of several batches would draw over each other."""
    shown: dict[BatchId, Progress] = {}
    while statuses := [each for each in map(ledger.status, ledger.batches()) if not each.complete]:
        gate = ledger.gate()
        for status in reversed(statuses):
            batch_id = status.batch_id
            progress = shown.setdefault(batch_id, Progress(batch_id, simulated=is_simulated(ledger)))
            progress.show(status, gate, under_way(ledger, batch_id), fed=status.sealed)
        if nobody_reads(sys.stderr):
            break
        time.sleep(_LOOK_S)


def other_retries(status: BatchStatus, *, simulated: bool) -> str:
    """What else of a batch could be tried again, with the option that does it; empty when nothing could."""
    others = (
        ("unknown", "--unknown", " (HiDream may charge them twice)"),
        ("rejected", "--rejected", ""),
        ("cancelled", "--failed", ""),
    )
    return "; ".join(
        f"{counted(status.counts[state], 'row')} {state}: "
        f"{command(f'retry {status.batch_id} {flag}', simulated=simulated)}{warning}"
        for state, flag, warning in others
        if status.counts.get(state)
    )


def gate_words(ledger: Ledger, limits: LimitSettings, facts: Facts, batch_id: BatchId | None = None) -> str:
    """The account's gate in one line: open, or why not; for one batch its own budget counts too."""
    if facts.lost:
        todo = f" (operations: {facts.lost_action})" if facts.lost_action else ""
        return f"waiting, ledger: {facts.lost}{todo}"
    if shut := shut_words(ledger.gate(), simulated=is_simulated(ledger)):
        return shut
    reached = budget_reached(ledger, limits, batch_id)
    return f"waiting, budget: {reached}" if reached else "open"


def _of_rows(status: BatchStatus, takes: Mapping[str, int]) -> dict[str, int]:
    """The manifest's rows by status; the batch counts second takes, `takes`, among them."""
    return {name: left for name, count in status.counts.items() if (left := count - takes.get(name, 0)) > 0}


def _content(status: BatchStatus, takes: Mapping[str, int]) -> dict[str, Any]:
    """A batch as JSON: its rows as its files count them, and beside them its second takes."""
    return asdict(status) | {
        "rows": status.rows - status.retakes,
        "counts": _of_rows(status, takes),
        "second_takes": dict(sorted(takes.items())),
        "open": status.open,
        "complete": status.complete,
    }


def _line(status: BatchStatus, takes: Mapping[str, int]) -> str:
    done = _of_rows(status, takes).get("succeeded", 0)
    state = "complete" if status.complete else f"{status.open} open" if status.sealed else "being read"
    takes_words = f", {counted(status.retakes, 'second take')}" if status.retakes else ""
    rows = counted(status.rows - status.retakes, "row")
    return f"{status.batch_id}  {iso(status.created_ms)}  {rows}, {done} with their picture{takes_words}, {state}"
