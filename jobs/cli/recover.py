"""`vton recover`: what the results of batches know goes into a ledger that has lost it."""

import sys
from typing import Annotated

import typer

from jobs.cli.ledger_identity import lost_ledger, of_other_shop
from jobs.cli.options import ConfigOpt, OutputOpt, SimulateOpt
from jobs.cli.recovery import recover_batch, recovered_words, result_folders
from jobs.cli.session import command_settings, open_session
from jobs.errors import NotFoundError, UsageError


def recover(
    batch: Annotated[str | None, typer.Argument(help="Batch id.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every batch of the output folder.")] = False,
    output: OutputOpt = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Bring what results.jsonl knows as bought into a ledger that has lost it. Buys nothing."""
    settings = command_settings(config, output=output, simulate=simulate)
    if every == (batch is not None):
        raise UsageError("name a batch, or say --all")
    folders = [folder for folder in result_folders(settings.output_dir) if every or folder.name == batch]
    if not folders:
        raise NotFoundError(f"no results.jsonl in {settings.output_dir / (batch or '')}")
    with open_session(settings) as opened:
        for folder in folders:
            if of_other_shop(opened, folder):
                why = "not simulated" if simulate else "simulated, nothing of it was bought"
                sys.stdout.write(f"{folder.name}: {why}: left as it is\n")
                continue
            counts = recover_batch(opened.ledger, folder, settings.data_dir.absolute() / "pictures")
            sys.stdout.write(f"{folder.name}: {recovered_words(counts)}\n")
        lost = lost_ledger(opened)
    if lost:
        sys.stdout.write(
            "What no results know of may still be bought again. To go on with that, say --accept-new-ledger at the next"
            " run or enqueue\n"
        )
