"""`vton resume`: submitting goes on."""

import sys

from jobs.cli.options import ConfigOpt, SimulateOpt
from jobs.cli.session import command_settings, open_session
from jobs.producing import control


def resume(*, config: ConfigOpt = None, simulate: SimulateOpt = False) -> None:
    """Go on submitting; also closes an open breaker, e.g. after credits were bought."""
    with open_session(command_settings(config, simulate=simulate)) as opened:
        control.resume(opened.ledger)
    sys.stdout.write("resumed\n")
