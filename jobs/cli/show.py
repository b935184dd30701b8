"""What people read: the end of a run, a batch's status, all batches."""

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jobs.cli.account import budget_reached, shut_words
from jobs.cli.advice import command, is_simulated
from jobs.cli.output import nobody_reads, print_json
from jobs.cli.progress import Progress
from jobs.cli.under_way import under_way
from jobs.cli.units import counted
from jobs.config.settings import LimitSettings
from jobs.ledger import Ledger
from jobs.records import BatchId, BatchStatus
from jobs.results.lines import iso

#: Between two looks of a watch, s.
_LOOK_S = 0.5
OWNERS = {"merch": "the merchandiser", "ops": "operations", "vendor": "HiDream"}


def print_end(summary: Mapping[str, Any], folder: Path, why: str, *, simulated: bool) -> None:
    """The last words of a run: every row is in one of these lines."""
    option = " --simulate" if simulated else ""
    out = sys.stdout.write
    status = summary["status"]
    out(
        f"\n{summary['batch']}: {counted(summary['rows'], 'row')}, {status.get('succeeded', 0)} with their picture"
    )
    out(
        f" ({money_words(summary)}" + (f", {summary['reused_rows']} reused" if summary["reused_rows"] else "")
    )
    out((f", {summary['duplicate_rows']} share another row's" if summary["duplicate_rows"] else "") + ")\n")
    for name, count in status.items():
        if name != "succeeded":
            out(f"  {count:>6} {name}\n")
    if summary["gaps_by_owner"]:
        owners = ", ".join(
            f"{count} for {OWNERS[owner]}" for owner, count in summary["gaps_by_owner"].items()
        )
        reasons = ", ".join(f"{name} {count}" for name, count in summary["gaps_by_class"].items())
        out(f"  to fix: {owners} ({reasons}); see {folder / 'failed.csv'}\n")
    if status.get("unknown"):
        again = f"vton retry {summary['batch']} --unknown{option}"
        out(
            f"  HiDream may already have charged these {status['unknown']} (unknown: no clear answer); when each was sent:"
            f" vton_posted_at in {folder / 'failed.csv'}; to send them again, which may charge twice: {again}\n"
        )
    out(f"results: {folder / 'results.csv'}\nreport: {folder / 'report.html'}\n")
    if why:
        out(f"ended early: {why}\n")
    if status.get("queued"):
        cancel = f"vton cancel {summary['batch']}{option}"
        again = command("run", simulated=simulated)
        out(
            f"still queued: {counted(status['queued'], 'row')}; any next {again} buys them; not wanted: {cancel}\n"
        )


def money_words(summary: Mapping[str, Any]) -> str:
    """What a batch has ordered, and how much of it is charged; the words are those of summary.json."""
    words = f"{summary['ordered']} ordered"
    if summary["perhaps_charged"]:
        charged, perhaps = summary["charged_for_sure"], summary["perhaps_charged"]
        words += f": {charged} charged for sure, {perhaps} perhaps charged"
    return words + (f"; {summary['refunded']} refunded" if summary["refunded"] else "")


def print_cut(status: BatchStatus, why: str, *, simulated: bool) -> None:
    """The last words of a run that did not take the time to write its files."""
    parts = [f"{count} {name}" for name, count in sorted(status.counts.items())]
    read = "" if status.sealed else " read so far"
    sys.stdout.write(
        f"\n{status.batch_id}: {counted(status.rows, 'row')}{read}: {', '.join(parts) or 'none'}\n"
        f"ended early: {why}\n"
        f"files: {command(f'results {status.batch_id}', simulated=simulated)}\n"
    )


def print_status(
    ledger: Ledger, limits: LimitSettings, batch_id: BatchId, lost: str, *, as_json: bool
) -> None:
    """One batch and the gate; `lost`: why the ledger cannot be the one of last time, or empty. Raises NotFoundError."""
    status = ledger.status(batch_id)
    gate = gate_words(ledger, limits, None if status.complete else batch_id, lost=lost)
    if as_json:
        content = asdict(status) | {"open": status.open, "complete": status.complete, "gate": gate}
        content["created_at"], content["completed_at"] = (
            iso(content.pop("created_ms")),
            iso(content.pop("completed_ms")),
        )
        print_json(content)
        return
    sys.stdout.write(_line(status) + "\n")
    for name, count in sorted(status.counts.items()):
        sys.stdout.write(f"  {count:>7} {name}\n")
    sys.stdout.write(f"account: {gate}\n")


def print_batches(
    ledger: Ledger, limits: LimitSettings, lost: str, *, as_json: bool, simulated_elsewhere: bool
) -> None:
    """Every batch, newest first, and the gate; `simulated_elsewhere`: a simulated shop lies beside this one."""
    statuses = [ledger.status(batch_id) for batch_id in ledger.batches()]
    if as_json:
        batches = [asdict(status) | {"open": status.open, "complete": status.complete} for status in statuses]
        print_json({"batches": batches, "gate": gate_words(ledger, limits, lost=lost)})
        return
    for status in statuses:
        sys.stdout.write(_line(status) + "\n")
    if not statuses:
        hint = "; simulated ones: vton status --simulate" if simulated_elsewhere else ""
        sys.stdout.write(f"no batch yet{hint}\n")
    sys.stdout.write(f"account: {gate_words(ledger, limits, lost=lost)}\n")


def watch_status(ledger: Ledger, batch_id: BatchId | None) -> None:
    """Shows a batch, or all, until complete or until nobody looks any more. Raises NotFoundError."""
    if batch_id is None:
        _watch_all(ledger)
        return
    with Progress(batch_id, simulated=is_simulated(ledger)) as progress:
        while True:
            status = ledger.status(batch_id)
            progress.show(status, ledger.gate(), under_way(ledger, batch_id), fed=status.sealed)
            if status.complete or nobody_reads(sys.stderr):
                break
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


def gate_words(
    ledger: Ledger, limits: LimitSettings, batch_id: BatchId | None = None, *, lost: str = ""
) -> str:
    """The account's gate in one line: open, or why not; for one batch its own budget counts too."""
    if lost:
        return f"waiting, ledger: {lost} (operations: restore it, or --accept-new-ledger at the next run)"
    if shut := shut_words(ledger.gate(), simulated=is_simulated(ledger)):
        return shut
    reached = budget_reached(ledger, limits, batch_id)
    return f"waiting, budget: {reached}" if reached else "open"


def _line(status: BatchStatus) -> str:
    done = status.counts.get("succeeded", 0)
    state = "complete" if status.complete else f"{status.open} open" if status.sealed else "being read"
    return f"{status.batch_id}  {iso(status.created_ms)}  {counted(status.rows, 'row')}, {done} with their picture, {state}"
