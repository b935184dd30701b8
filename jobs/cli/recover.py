"""`vton recover`: what the results of batches know goes into a ledger that has lost it."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.advice import command
from jobs.cli.options import ConfigOpt, OutputOpt, SimulateOpt
from jobs.cli.recovery import recover_batch, recovered_words, result_folders
from jobs.cli.session import Session, command_settings, open_session
from jobs.errors import NotFoundError, UsageError
from jobs.results.ledger_loss import lost_ledger, of_other_shop
from jobs.units import counted


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
        recover_folders(opened, folders, simulate=simulate)
        lost = lost_ledger(opened)
    if lost:
        sys.stdout.write(
            "What no results know of may still be bought again. To go on with that, say --accept-new-ledger at the next"
            " run or enqueue\n"
        )


def recover_folders(opened: Session, folders: Iterable[Path], *, simulate: bool) -> None:
    """Brings in what results know, and says of each folder what it was."""
    for folder in folders:
        if of_other_shop(opened, folder):
            why = "not simulated" if simulate else "simulated, nothing of it was bought"
            sys.stdout.write(f"{folder.name}: {why}: left as it is\n")
            continue
        counts = recover_batch(opened.ledger, folder, opened.settings.data_dir.absolute() / "pictures")
        sys.stdout.write(f"{folder.name}: {recovered_words(counts)}\n")
        if takes := counts["second_takes"]:
            again = command(f"retake {folder.name}", simulated=simulate)
            sys.stdout.write(
                f"  {counted(takes, 'second take')} among them: once its manifest was run, {again} puts them beside their"
                " first pictures again, with the --sku or --file that they were asked for by; nothing is bought for them\n"
            )
