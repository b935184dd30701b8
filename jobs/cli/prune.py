"""`vton prune`: the ledger and the data folder forget what has long ended, but not that it was bought."""

import re
import sys
from typing import Annotated

import typer
from msgspec import to_builtins

from jobs.cli.advice import command, is_simulated
from jobs.cli.options import ConfigOpt, JsonOpt, OutputOpt, SimulateOpt
from jobs.cli.output import print_json
from jobs.cli.session import Session, command_settings, open_session
from jobs.errors import LedgerLostError, UsageError
from jobs.ledger.pruning import Begun, begun
from jobs.records import BatchId
from jobs.results.ledger_loss import lost_ledger
from jobs.results.pruning import Survey, Wanted, other_ledgers, survey, surveyed_files
from jobs.results.pruning import prune as forget
from jobs.units import counted, iso

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def prune(
    *,
    older_than: Annotated[
        str, typer.Option("--older-than", help="Batches that ended, and were last given, so long ago: 90d.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; change nothing.")] = False,
    unknown: Annotated[
        bool,
        typer.Option(
            "--unknown",
            help="Let batches with unknown rows go too; their pairs stay known as perhaps bought.",
        ),
    ] = False,
    lost: Annotated[
        bool,
        typer.Option(
            "--lost",
            help="Let batches go that have paid rows without a picture; their pairs stay known as perhaps bought.",
        ),
    ] = False,
    results: Annotated[
        bool, typer.Option("--results", help="Remove the batches' own folders in the output folder too.")
    ] = False,
    output: OutputOpt = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    as_json: JsonOpt = False,
) -> None:
    """Forget what has long ended: rows, jobs, pictures. What was bought is not bought again because of it."""
    settings = command_settings(config, output=output, simulate=simulate)
    wanted = Wanted(
        older_than_ms=int(_seconds(older_than) * 1000),
        unknown=unknown,
        lost=lost,
        results=settings.output_dir if results else None,
    )
    with open_session(settings, buying=not dry_run) as opened:
        found, rest = pruned(opened, wanted, dry_run=dry_run)
        simulated = is_simulated(opened.ledger)
    if as_json:
        print_json(_content(found, dry_run=dry_run))
        return
    for line in _words(found, wanted, dry_run=dry_run, simulated=simulated):
        sys.stdout.write(line + "\n")
    if rest:
        sys.stdout.write(rest + "\n")


def pruned(opened: Session, wanted: Wanted, *, dry_run: bool = False) -> tuple[Survey, str]:
    """Prunes, or says what would go; and why no file was looked at, if none was.

    Raises:
        LedgerLostError: by a ledger that is not the one of last time nobody can say what is needed.
        UnwrittenError: a file cannot be removed; the same command goes on.
    """
    ledger, data_dir = opened.ledger, opened.settings.data_dir.absolute()
    if why := lost_ledger(opened):
        raise LedgerLostError(f"{why}; nothing was pruned")
    if ledger.mark() is None:
        return Survey(), "the ledger is empty: nothing to prune"
    others = other_ledgers(data_dir, ledger.prefix)
    why = (
        f"files stay: ledgers with other prefixes ({', '.join(others)}) have theirs in {data_dir} too"
        if others
        else ""
    )
    found = survey(ledger, wanted)
    if not dry_run:
        return forget(ledger, found, data_dir, wanted, files=not others), why
    if not others:
        found.files = surveyed_files(ledger, found, data_dir, wanted)
    for batch_id in begun(ledger):
        found.held.setdefault(BatchId(batch_id), Begun.BEGUN)
    return found, why


def _seconds(text: str) -> float:
    """`90d`, `36h`. Raises UsageError."""
    if not re.fullmatch(r"(\d{1,6}[dhms])+", text):
        raise UsageError(f"--older-than: {text!r} is no duration like 90d or 36h")
    return float(sum(int(count) * _UNITS_S[unit] for count, unit in re.findall(r"(\d+)([dhms])", text)))


def _words(found: Survey, wanted: Wanted, *, dry_run: bool, simulated: bool) -> list[str]:
    goes = "would go" if dry_run else "gone"
    lines = [
        f"{batch_id}  ended {(iso(batch.completed_ms) or '')[:10]}, {counted(batch.rows, 'row')}: {goes}"
        for batch_id, batch in found.batches.items()
    ]
    lines += [
        f"{batch_id}: stays, {_stays(batch_id, why, simulated=simulated)}"
        for batch_id, why in found.held.items()
    ]
    files = found.files
    lines.append(
        f"{goes}: {counted(len(found.batches), 'batch', 'batches')}, {counted(found.rows, 'row')},"
        f" {counted(found.jobs, 'job')}; about {_megabytes(found.ledger_bytes)} of Redis,"
        f" {counted(files.pictures, 'picture')} and {counted(files.others, 'other file')}, {_megabytes(files.bytes)}"
    )
    if wanted.results is None and found.batches:
        lines.append("the batches' folders with their results stay (--results removes them)")
    return lines


def _stays(batch_id: BatchId, why: Begun, *, simulated: bool) -> str:
    match why:
        case Begun.UNKNOWN:
            return "it has unknown rows, which may have been bought: --unknown lets them go"
        case Begun.LOST:
            return "it has rows that were paid for and brought no picture: --lost lets them go"
        case Begun.UNEXPORTED:
            return f"its files are not written: {command(f'results {batch_id}', simulated=simulated)}"
        case Begun.BEGUN:
            return "it was begun with before and goes the next time"
        case Begun.YOUNG:
            return "it was given again just now"
        case _:
            return "it has not ended"


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB"


def _content(found: Survey, *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "batches": list(found.batches),
        "held": {batch_id: why.value for batch_id, why in found.held.items()},
        "rows": found.rows,
        "jobs": found.jobs,
        "ledger_bytes": found.ledger_bytes,
        **to_builtins(found.files),
    }
