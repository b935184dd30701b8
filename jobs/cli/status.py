"""`vton status`: a batch, or all of them, the account, and how the whole does."""

import sys
from typing import Annotated

import typer

from jobs.cli.health import read_health
from jobs.cli.options import ConfigOpt, JsonOpt, SimulateOpt
from jobs.cli.output import nobody_reads
from jobs.cli.session import Session, command_settings, has_simulated, open_session
from jobs.cli.show import batch_code, print_batches, print_health, print_status, watch_status
from jobs.config.exit_codes import ExitCode
from jobs.errors import ConfigError, LedgerLostError, NotFoundError, RedisDownError, UsageError
from jobs.health.assessment import unread
from jobs.records import BatchId
from jobs.results.ledger_loss import foreign_results, lost_ledger


def status(
    batch: Annotated[str | None, typer.Argument(help="Batch id.")] = None,
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay until it is complete; without a batch, until all are.")
    ] = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Stay until the batch is complete; end with the code of a run of it."),
    ] = False,
    deadline: Annotated[str, typer.Option(help="Hold the time left against HH:MM, or e.g. 8h, 90m.")] = "",
    as_json: JsonOpt = False,
) -> None:
    """Show a batch, or all of them, the account's gate, and whether all goes well; the exit code says it too."""
    settings = command_settings(config, simulate=simulate)
    if wait and batch is None:
        raise UsageError("--wait needs a batch")
    try:
        with open_session(settings) as opened:
            code = _show(opened, batch, wait=wait, watch=watch, deadline=deadline, as_json=as_json)
    except LedgerLostError:
        raise
    except (ConfigError, RedisDownError) as error:
        print_health(unread(str(error)), as_json=as_json)
        raise
    raise typer.Exit(code)


def _show(
    opened: Session, batch: str | None, *, wait: bool, watch: bool, deadline: str, as_json: bool
) -> ExitCode:
    ledger, settings = opened.ledger, opened.settings
    lost = lost_ledger(opened) or foreign_results(opened)
    batch_id = BatchId(batch) if batch is not None else None
    if batch_id is not None and lost and not ledger.exists(batch_id):
        raise LedgerLostError(lost)
    if wait or watch:
        watch_status(ledger, batch_id, patience_s=settings.redis.patience_s if wait else 0)
        if not wait and nobody_reads(sys.stderr):
            return ExitCode.OK
    facts, health = read_health(opened, lost, only=batch_id, deadline=deadline)
    if batch_id is not None:
        if not facts.batches:
            raise NotFoundError(f"no such batch: {batch_id}", batch_id)
        print_status(ledger, settings.limits, facts, health, as_json=as_json)
    else:
        elsewhere = has_simulated(settings)
        print_batches(ledger, settings.limits, facts, health, as_json=as_json, simulated_elsewhere=elsewhere)
    if wait:
        return batch_code(ledger, facts.batches[0])
    return ExitCode.CONFIG if lost else health.code
