"""`vton cancel`: a batch's waiting jobs leave the line."""

import sys

from jobs.cli.options import BatchArg, ConfigOpt, SimulateOpt
from jobs.cli.session import command_settings, open_session
from jobs.producing import control
from jobs.records import BatchId


def cancel(
    batch: BatchArg,
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Take a batch's waiting jobs out of the line; what is under way is finished, what others want stays."""
    settings = command_settings(config, simulate=simulate)
    with open_session(settings) as opened:
        count = control.cancel(opened.ledger, opened.queue, BatchId(batch))
    sys.stdout.write(f"{batch}: {count} jobs cancelled\n")
