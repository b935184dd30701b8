"""`vton retry`: jobs of a batch wait again."""

import sys
from typing import Annotated

import typer

from jobs.cli.options import BatchArg, ConfigOpt, SimulateOpt
from jobs.cli.repeating import run_again
from jobs.cli.session import command_settings, open_session
from jobs.cli.show import other_retries
from jobs.config.price import Price
from jobs.errors import UsageError
from jobs.producing import control
from jobs.records import BatchId


def retry(
    batch: BatchArg,
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    failed: Annotated[
        bool,
        typer.Option(
            "--failed", help="Failed ones that are worth another try, and cancelled ones (default)."
        ),
    ] = False,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Send unknown ones again: HiDream may charge them twice.")
    ] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="Those that moderation rejected.")] = False,
    lost: Annotated[
        bool, typer.Option("--lost", help="Paid ones whose picture never came, or was pruned: buy them anew.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --lost: do not ask; needed where nobody can answer.")
    ] = False,
) -> None:
    """Put jobs of a batch back into the line. Workers or the next `vton run` take them."""
    settings = command_settings(config, simulate=simulate)
    wanted = control.Wanted(
        failed=failed or not (unknown or rejected or lost), unknown=unknown, rejected=rejected, lost=lost
    )
    with open_session(settings) as opened:
        batch_id = BatchId(batch)
        if lost or unknown:
            foreseen = control.foresee_retry(opened.ledger, batch_id, wanted)
            _say_price(foreseen, wanted, settings.limits.price, yes=yes)
        retried = control.retry(opened.ledger, opened.queue, batch_id, wanted)
        others = "" if retried.jobs else other_retries(opened.ledger.status(batch_id), simulated=simulate)
        again = run_again(opened.ledger, batch_id)
    sys.stdout.write(f"{batch}: {_retried(retried)}; {others or _what_now(retried, again)}\n")


def _say_price(foreseen: control.Retried, wanted: control.Wanted, price: Price, *, yes: bool) -> None:
    """Says what may be charged before it is; what was paid for is bought anew only on a person's word."""
    if not foreseen.pictures:
        return
    cost = f", {price.words(foreseen.pictures)}" if price else ""
    sys.stderr.write(f"to be bought, or bought a second time: {foreseen.pictures} pictures{cost}\n")
    if not wanted.lost or yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("--lost buys what was paid for already: say --yes")
    if not typer.confirm("Buy them anew?", err=True):
        sys.stderr.write("nothing is bought\n")
        raise typer.Exit


def _retried(retried: control.Retried) -> str:
    asked = (
        f", {retried.asked} old tasks are asked again (nothing is bought for them)" if retried.asked else ""
    )
    return f"{retried.queued} jobs wait again{asked}"


def _what_now(retried: control.Retried, again: str) -> str:
    if not retried.jobs:
        return "none is worth another try"
    return f"taken by workers that run, or by: {again}"
