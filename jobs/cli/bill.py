"""`vton bill`: what was ordered, to be laid beside HiDream's own bill."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.advice import command
from jobs.cli.options import ConfigOpt, JsonOpt, SimulateOpt
from jobs.cli.output import print_json
from jobs.cli.session import command_settings, open_session
from jobs.config.price import Price
from jobs.errors import UsageError
from jobs.ledger.orders import Money
from jobs.money.bill import Bill, lines, make_bill, totals, write_bill
from jobs.records import BatchId
from jobs.results.files import replacing
from jobs.units import counted

#: Columns of the table for people, and what stands where nothing is known.
_TABLE = ("posted_at", "money", "price", "batch", "rows", "request_id", "task_id")
_NOTHING = "-"


def bill(
    batch: Annotated[str | None, typer.Argument(help="Batch id; default all.")] = None,
    *,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="DATE",
            help="Orders sent at that day or moment (UTC) or later, and those whose time is not kept.",
        ),
    ] = "",
    table: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            help="A file for the lines, in place of the table; - for standard output.",
        ),
    ] = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    as_json: JsonOpt = False,
) -> None:
    """List every order with its time, its task and what is known of its money. Changes nothing."""
    if table and as_json:
        raise UsageError("bill: --csv or --json, not both")
    since_ms = _time(since) if since else None
    settings = command_settings(config, simulate=simulate)
    price = settings.limits.price
    with open_session(settings) as opened:
        found = make_bill(opened.ledger, BatchId(batch) if batch else None, since_ms)
    if as_json:
        print_json(
            {
                "orders": list(lines(found, price)),
                "totals": totals(found, price),
                "price_per_image": str(price.per_image) if price else None,
                "currency": price.currency or None,
                "not_in_ledger": {"orders": found.gone, "refunds": found.gone_refunds},
            }
        )
    elif table is None:
        _print_table(found, price)
        _print_totals(found, price, simulated=simulate)
    elif str(table) == _NOTHING:
        write_bill(sys.stdout, found, price)
    else:
        with replacing(table, lambda: None) as file:
            write_bill(file, found, price)
        _print_totals(found, price, simulated=simulate)


def _time(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--since {text}: write it as 2026-11-27 or 2026-11-27T18:00, in UTC") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _print_table(found: Bill, price: Price) -> None:
    rows = [tuple(str(line[name]) or _NOTHING for name in _TABLE) for line in lines(found, price)]
    widths = [max(map(len, column)) for column in zip(_TABLE, *rows, strict=True)]
    for row in (_TABLE, *rows) if rows else ():
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _print_totals(found: Bill, price: Price, *, simulated: bool) -> None:
    out = sys.stdout.write
    for word, sums in totals(found, price).items():
        # A refund is of one submit, and that of one picture.
        more = found.gone_refunds if word == "refunded" else 0
        cost = f"  {price.words(sums['pictures'] + more)}" if price else ""
        out(f"{sums['orders'] + more:>7} {word.replace('_', ' ')}{cost}\n")
    if not price:
        out("what a picture costs is not set (limits.price_per_image)\n")
    if found.gone:
        out(f"{counted(found.gone, 'order')} more: the ledger has kept only their number\n")
    if found.gone_refunds:
        out(f"{found.gone_refunds} of the refunds: the ledger has kept only their number\n")
    if found.unreadable:
        out(f"{counted(found.unreadable, 'job')} cannot be read and stand in no line\n")
    if found.count(Money.PERHAPS):
        names = {one.batch for one in found.orders if one.money is Money.PERHAPS} - {None}
        settle = command(f"settle {names.pop() if len(names) == 1 else 'BATCH'}", simulated=simulated)
        out(f"perhaps charged: look for their times on HiDream's bill, then {settle}\n")
