"""`vton retake`: rejected pictures are made once more, beside the ones there are."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.options import BatchArg, ConfigOpt, SimulateOpt
from jobs.cli.repeating import run_again
from jobs.cli.retaking import Foreseen, foresee_retakes, read_skus
from jobs.cli.retaking import retake as buy
from jobs.cli.session import command_settings, open_session
from jobs.config.price import Price
from jobs.errors import UsageError
from jobs.records import BatchId
from jobs.units import counted


def retake(
    batch: BatchArg,
    *,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Rows whose picture reviewers have rejected (default).")
    ] = False,
    sku: Annotated[
        list[str] | None,
        typer.Option("--sku", help="The rows with this SKU, whatever was said of them; may be repeated."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="The rows with these SKUs: one a line, or a table with a column sku."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needed where nobody can answer.")] = False,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Buy a new version of pictures, beside those there are. Workers or the next `vton run` make them."""
    if rejected and (sku or file):
        raise UsageError("say --rejected, or which rows by --sku and --file")
    skus = frozenset(sku or ()) | (read_skus(file, simulated=simulate) if file else frozenset())
    settings = command_settings(config, simulate=simulate)
    batch_id = BatchId(batch)
    with open_session(settings) as opened:
        foreseen = foresee_retakes(opened.ledger, batch_id, skus if sku or file else None)
        _say_passed(foreseen)
        if foreseen.pictures:
            _say_price(foreseen, settings.limits.price, yes=yes)
        rows = buy(opened.ledger, opened.queue, batch_id, foreseen.retakes)
        again = run_again(opened.ledger, batch_id)
    # Why rows that were asked for are passed over has been said.
    why = "" if foreseen.passed or foreseen.retakes else ": no row has a picture that is rejected and counts"
    then = f"made by workers that run, or by: {again}" if rows else f"nothing is bought{why}"
    sys.stdout.write(f"{batch}: {counted(rows, 'second take')}; {then}\n")


def _say_passed(foreseen: Foreseen) -> None:
    for why, count in foreseen.passed.items():
        sys.stderr.write(f"not taken again: {counted(count, 'row')} {why}\n")


def _say_price(foreseen: Foreseen, price: Price, *, yes: bool) -> None:
    """Says what will be charged before it is, and takes a person's word for it."""
    rows = counted(len(foreseen.retakes), "row")
    cost = f" = {price.words(foreseen.pictures)}" if price else ""
    sys.stderr.write(f"to be bought: {counted(foreseen.pictures, 'picture')}{cost}, second takes of {rows}\n")
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("a second take is bought once more: say --yes")
    if not typer.confirm("Buy them?", err=True):
        sys.stderr.write("nothing is bought\n")
        raise typer.Exit
