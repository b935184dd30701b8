"""Commands that look: `status`, `results`, `doctor`, `config`. They buy nothing and stop nothing."""

import json
import sys
from typing import Annotated

import typer
import yaml

from jobs.cli.doctor import examine, print_checks, verdict
from jobs.cli.ledger_identity import foreign_results, lost_ledger
from jobs.cli.options import AcceptOpt, BatchArg, ConfigOpt, JsonOpt, OutputOpt, SimulateOpt
from jobs.cli.session import command_settings, has_simulated, make_output_dir, open_session
from jobs.cli.show import print_batches, print_status, watch_status
from jobs.config.exit_codes import ExitCode
from jobs.errors import LedgerLostError, UsageError
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


def results(
    batch: BatchArg,
    *,
    output: OutputOpt = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    accept_new_ledger: AcceptOpt = False,
) -> None:
    """Write a batch's files anew from the ledger."""
    settings = command_settings(config, output=output, simulate=simulate)
    make_output_dir(settings)
    with open_session(settings) as opened:
        # Whoever looks does not put the batch to rest: its own files may lie elsewhere.
        exported = opened.exporter.export(BatchId(batch), tables=True, rest=False, accept=accept_new_ledger)
    if exported is None:
        raise UsageError(f"{batch}: its files are being written right now; try again in a moment")
    sys.stdout.write(f"{exported.folder}\n")


def doctor(*, config: ConfigOpt = None, as_json: JsonOpt = False) -> None:
    """Say what is well and what is not, whose it is and what to do. Buys nothing."""
    checks = examine(config)
    print_checks(checks, as_json=as_json)
    raise typer.Exit(verdict(checks))


def show_config(*, config: ConfigOpt = None) -> None:
    """Print the settings in force, secrets left out."""
    settings = command_settings(config)
    content = json.loads(settings.model_dump_json())
    yaml.safe_dump(content, sys.stdout, sort_keys=False, allow_unicode=True)
