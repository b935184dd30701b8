"""Commands that change a night: `retry`, `cancel`, `recover`, `pause`, `resume`."""

import sys
from typing import Annotated

import typer

from jobs.cli import control
from jobs.cli.advice import command
from jobs.cli.memory import lost_ledger
from jobs.cli.options import BatchArg, ConfigOpt, OutputOpt, SimulateOpt
from jobs.cli.recovery import recover_batch, recovered_words, result_folders
from jobs.cli.show import other_retries
from jobs.cli.station import command_settings, station
from jobs.errors import NotFoundError, UsageError
from jobs.records import BatchId


def retry(
    batch: BatchArg,
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="Failed ones that are worth another try (default).")
    ] = False,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Unknown ones: may be bought a second time.")
    ] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="Those that moderation rejected.")] = False,
) -> None:
    """Put jobs of a batch back into the line. Workers or the next `vton run` take them."""
    settings = command_settings(config, simulate=simulate)
    failed = failed or not (unknown or rejected)
    with station(settings) as opened:
        batch_id = BatchId(batch)
        count = control.retry(
            opened.ledger, opened.queue, batch_id, failed=failed, unknown=unknown, rejected=rejected
        )
        others = "" if count else other_retries(opened.ledger.status(batch_id), simulated=simulate)
    sys.stdout.write(
        f"{batch}: {count} jobs wait again; "
        + (
            others
            or (
                f"workers that run, or the next {command('run', simulated=simulate)}, take them"
                if count
                else "none is worth another try"
            )
        )
        + "\n"
    )


def cancel(
    batch: BatchArg,
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Take a batch's waiting jobs out of the line; what is under way is finished, what others want stays."""
    settings = command_settings(config, simulate=simulate)
    with station(settings) as opened:
        count = control.cancel(opened.ledger, opened.queue, BatchId(batch))
    sys.stdout.write(f"{batch}: {count} jobs cancelled\n")


def recover(
    batch: Annotated[str | None, typer.Argument(help="Batch id.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every batch of the output folder.")] = False,
    output: OutputOpt = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Bring what results.jsonl knows as bought into a ledger that has lost it. Buys nothing."""
    settings = command_settings(config, output=output, simulate=simulate)
    if every == (batch is not None):
        raise UsageError("name a batch, or say --all")
    folders = [folder for folder in result_folders(settings.output_dir) if every or folder.name == batch]
    if not folders:
        raise NotFoundError(f"no results.jsonl in {settings.output_dir / (batch or '')}")
    with station(settings) as opened:
        for folder in folders:
            counts = recover_batch(opened.ledger, folder, settings.data_dir.absolute() / "pictures")
            sys.stdout.write(f"{folder.name}: {recovered_words(counts)}\n")
        lost = lost_ledger(opened)
    if lost:
        sys.stdout.write(
            "What no results know of may still be bought again. To go on with that, say --accept-new-ledger at the next"
            " run or enqueue\n"
        )


def pause(
    why: Annotated[str, typer.Argument(help="Shown to whoever asks.")] = "paused by a person",
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Stop submitting for the whole account; tasks under way are still collected."""
    with station(command_settings(config, simulate=simulate)) as opened:
        control.pause(opened.ledger, why)
    sys.stdout.write("paused\n")


def resume(*, config: ConfigOpt = None, simulate: SimulateOpt = False) -> None:
    """Go on submitting; also closes an open breaker, e.g. after credits were bought."""
    with station(command_settings(config, simulate=simulate)) as opened:
        control.resume(opened.ledger)
    sys.stdout.write("resumed\n")
