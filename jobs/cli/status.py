"""`vton status`: a batch, or all of them, and the account."""

from typing import Annotated

import typer

from jobs.cli.ledger_identity import foreign_results, lost_ledger
from jobs.cli.options import ConfigOpt, JsonOpt, SimulateOpt
from jobs.cli.session import command_settings, has_simulated, open_session
from jobs.cli.show import print_batches, print_status, watch_status
from jobs.config.exit_codes import ExitCode
from jobs.errors import LedgerLostError
from jobs.records import BatchId


def status(
    batch: Annotated[str | None, typer.Argument(help="Batch id.")] = None,
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Until it is complete; all of them without a batch.")
    ] = False,
    as_json: JsonOpt = False,
) -> None:
    """Show a batch, or all of them, and the account's gate."""
    settings = command_settings(config, simulate=simulate)
    with open_session(settings) as opened:
        ledger, limits = opened.ledger, settings.limits
        lost = lost_ledger(opened) or foreign_results(opened)
        if batch is not None and lost and not ledger.exists(BatchId(batch)):
            raise LedgerLostError(lost)
        if watch:
            watch_status(ledger, BatchId(batch) if batch else None)
        if batch is not None:
            print_status(ledger, limits, BatchId(batch), lost, as_json=as_json)
        else:
            elsewhere = has_simulated(settings)
            print_batches(ledger, limits, lost, as_json=as_json, simulated_elsewhere=elsewhere)
        if lost:
            raise typer.Exit(ExitCode.CONFIG)
