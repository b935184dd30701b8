"""`vton serve`: the callback receiver."""

import os

from jobs.cli.become import become
from jobs.cli.options import ConfigOpt
from jobs.cli.session import command_settings


def serve(*, config: ConfigOpt = None) -> None:
    """Receive callbacks at callbacks.host and callbacks.port, behind your ingress."""
    if config is not None:
        os.environ["VTON_CONFIG"] = str(config.absolute())
    command_settings(config)
    become("worker.callbacks")
