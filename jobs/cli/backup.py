"""`vton backup`: the ledger as one file."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.options import ConfigOpt, SimulateOpt
from jobs.cli.session import command_settings, open_session
from jobs.errors import LedgerLostError, NotFoundError, UnwrittenError
from jobs.ledger.backup_file import Head, writing
from jobs.ledger.copying import read_still
from jobs.redis.client import connect
from jobs.results.ledger_loss import lost_ledger
from jobs.units import counted


def backup(
    file: Annotated[Path, typer.Argument(help="The back-up; one that is there is replaced.")],
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Write the ledger into one file, between two runs. Pictures lie in the data folder and are copied as files."""
    settings = command_settings(config, simulate=simulate)
    with open_session(settings) as opened:
        if why := lost_ledger(opened):
            raise LedgerLostError(f"{why}; nothing was backed up")
        mark = opened.ledger.mark()
        if mark is None:
            raise NotFoundError("the ledger is empty: there is nothing to back up")
        head = Head(
            ledger=mark.ledger, orders=mark.orders, prefix=opened.ledger.prefix, at_ms=opened.ledger.now_ms()
        )
        client = connect(opened.redis, db=opened.redis.ledger_db, decode=False)
        try:
            with writing(file, head) as take:
                keys = read_still(client, opened.ledger.prefix, take)
        except OSError as error:
            raise UnwrittenError(f"{file}: cannot be written: {error.strerror}") from error
        finally:
            client.close()
    size = file.stat().st_size / 1_000_000
    sys.stdout.write(f"{file}: {counted(len(keys), 'key')}, {mark.orders} orders, {size:,.1f} MB\n")
