"""Commands that change a night: `retry`, `cancel`, `pause`, `resume`."""

import sys
from typing import Annotated

import typer

from jobs.cli import control
from jobs.cli.advice import command
from jobs.cli.options import BatchArg, ConfigOpt, SimulateOpt
from jobs.cli.show import other_retries
from jobs.cli.station import command_settings, station
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
