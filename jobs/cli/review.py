"""`vton review`: what people say of a batch's pictures goes into the ledger, is counted, and comes out again."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.calibrating import print_calibration
from jobs.cli.options import ConfigOpt, JsonOpt, OutputOpt, SimulateOpt
from jobs.cli.reviewing import apply_reviews, export_review, print_review
from jobs.cli.session import command_settings, open_session
from jobs.config.exit_codes import ExitCode
from jobs.errors import UsageError
from jobs.records import BatchId


class Action(StrEnum):
    """What is to be done with verdicts."""

    APPLY = "apply"
    STATUS = "status"
    EXPORT = "export"
    CALIBRATE = "calibrate"


def review(
    action: Annotated[
        Action,
        typer.Argument(
            help="apply FILE…: take verdicts in; status BATCH; export BATCH: to stdout;"
            " calibrate BATCH [FILE…]: flags beside verdicts."
        ),
    ],
    names: Annotated[list[str], typer.Argument(metavar="FILE…|BATCH", help="review.csv files, or a batch.")],
    *,
    batch: Annotated[
        str, typer.Option("--batch", help="The batch of the files; default the one whose rows they name.")
    ] = "",
    reviewer: Annotated[
        str, typer.Option("--reviewer", help="Who has given the verdicts that have no name.")
    ] = "",
    precision: Annotated[
        float,
        typer.Option(
            "--precision",
            min=0,
            max=1,
            help="calibrate: share of flagged pictures that must have been rejected for a limit to be proposed.",
        ),
    ] = 0.95,
    output: OutputOpt = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    as_json: JsonOpt = False,
) -> None:
    """Take a reviewer's verdicts on pictures into the ledger; count them, write them out, or see what flags are worth."""
    if action in {Action.STATUS, Action.EXPORT} and len(names) != 1:
        raise UsageError(f"review {action}: name one batch")
    settings = command_settings(config, output=output, simulate=simulate)
    if action is Action.CALIBRATE:
        results = settings.output_dir / names[0] / "results.jsonl"
        further = [Path(name) for name in names[1:]]
        print_calibration(results, further, settings.flags, precision=precision, as_json=as_json)
        return
    with open_session(settings) as opened:
        match action:
            case Action.APPLY:
                files = [Path(name) for name in names]
                if not apply_reviews(opened, files, batch=batch, reviewer=reviewer.strip()):
                    raise typer.Exit(ExitCode.FINAL_FAILURES)
            case Action.STATUS:
                print_review(opened.ledger, BatchId(names[0]), as_json=as_json)
            case Action.EXPORT:
                export_review(opened.ledger, BatchId(names[0]), sys.stdout)
