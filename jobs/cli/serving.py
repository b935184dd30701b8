"""Commands that become another program: `simulate` and `serve`."""

import os
import sys

import typer

from jobs.cli.options import ConfigOpt
from jobs.cli.session import command_settings


def simulate(context: typer.Context) -> None:
    """Start the simulator alone; its options are those of `python -m worker.simulator`."""
    _become("worker.simulator", *context.args)


def serve(*, config: ConfigOpt = None) -> None:
    """Receive callbacks at callbacks.host and callbacks.port, behind your ingress."""
    if config is not None:
        os.environ["VTON_CONFIG"] = str(config.absolute())
    command_settings(config)
    _become("worker.callbacks")


def _become(module: str, *words: str) -> None:
    """Runs one of our own modules in place of this process, which `jobs` may start but not import."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *words])  # noqa: S606 our own module
