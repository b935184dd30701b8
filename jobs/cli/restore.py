"""`vton restore`: a ledger from its back-up; what was bought since is asked for, not bought again."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.advice import command
from jobs.cli.options import ConfigOpt, OutputOpt, SimulateOpt
from jobs.cli.recover import recover_folders
from jobs.cli.recovery import result_folders
from jobs.cli.session import Session, command_settings, open_session
from jobs.cli.transfer import require_empty, restored
from jobs.errors import ConfigError
from jobs.ledger.backup_file import Head, read_head, read_pieces
from jobs.results.ledger_loss import mark_of
from jobs.units import iso


def restore(
    file: Annotated[Path, typer.Argument(help="A back-up of `vton backup`.")],
    *,
    output: OutputOpt = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Bring a ledger back from its back-up. What was bought since is asked for, not bought again. Buys nothing."""
    settings = command_settings(config, output=output, simulate=simulate)
    head = read_head(file)
    for _ in read_pieces(file):
        pass  # whole, before anything is changed
    with open_session(settings) as opened:
        if head.prefix != opened.ledger.prefix:
            raise ConfigError(
                f"{file}: a back-up of redis.prefix {head.prefix}, and this one is {opened.ledger.prefix}"
            )
        require_empty(opened.redis, opened.ledger.prefix)
        known = mark_of(opened).read()
        # Else nobody knows whether something was bought since.
        whole = known is not None and known.ledger == head.ledger and known.orders <= head.orders
        pause = None if whole else _pause_words(head, simulated=simulate)
        restored(opened.redis, opened.ledger.prefix, lambda: read_pieces(file), pause=pause)
        if whole and known is not None:
            # A fail-over since is known too, or whoever knows of it would take this for a server of before.
            opened.ledger.accept([known])
        sys.stdout.write(f"{file}: the ledger of {iso(head.at_ms)}, {head.orders} orders, is back\n")
        recover_folders(opened, list(result_folders(settings.output_dir)), simulate=simulate)
        for line in _what_now(opened, head, whole=whole, simulated=simulate):
            sys.stdout.write(line + "\n")


def _pause_words(head: Head, *, simulated: bool) -> str:
    again = command("run MANIFEST --accept-new-ledger", simulated=simulated)
    return (
        f"ledger: restored from a back-up of {iso(head.at_ms)}; what was bought since is not in it: {again} goes on"
        " without it"
    )


def _what_now(opened: Session, head: Head, *, whole: bool, simulated: bool) -> list[str]:
    if whole:
        return ["nothing was bought since: go on as before"]
    known = mark_of(opened).read()
    since = "how much was bought since, nobody has noted"
    if known is not None and known.ledger == head.ledger:
        since = f"{known.orders - head.orders} orders were given since"
    again = command("run MANIFEST --accept-new-ledger", simulated=simulated)
    return [
        f"WARNING: {since}. What the results know of it was just brought in; the rest would be bought again.",
        f"Nothing is bought until a person has looked. To go on: {again}",
    ]
