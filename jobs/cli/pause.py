"""`vton pause`: nothing is submitted any more."""

import sys
from typing import Annotated

import typer

from jobs.cli.options import ConfigOpt, SimulateOpt
from jobs.cli.session import command_settings, open_session
from jobs.producing import control


def pause(
    why: Annotated[str, typer.Argument(help="Shown to whoever asks.")] = "paused by a person",
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Stop submitting for the whole account; tasks under way are still collected."""
    with open_session(command_settings(config, simulate=simulate)) as opened:
        control.pause(opened.ledger, why)
    sys.stdout.write("paused\n")
