"""`vton simulate`: the simulator alone."""

import typer

from jobs.cli.become import become


def simulate(context: typer.Context) -> None:
    """Start the simulator alone; its options are those of `python -m worker.simulator`."""
    become("worker.simulator", *context.args)
