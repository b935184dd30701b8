"""`vton run`: everything on this machine, from the manifest to the files."""

import json
import sys
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.batch_run import BatchRun, RunEnd, longest_end_s
from jobs.cli.canary import ENOUGH, Canary
from jobs.cli.deadline import read_deadline
from jobs.cli.given import Given, takes_given
from jobs.cli.intake import Intake, intake
from jobs.cli.keeping import prune_old
from jobs.cli.options import SimulateOpt
from jobs.cli.repeating import as_typed
from jobs.cli.run_notices import RunNotices
from jobs.cli.session import command_settings
from jobs.cli.show import print_cut, print_end
from jobs.cli.stopping import Stop
from jobs.config.exit_codes import ExitCode, ended
from jobs.config.load import read_credentials
from jobs.errors import ConfigError, NotFoundError, UsageError
from jobs.redis.client import check_clients, clients_of_run
from jobs.results.claim import output_place


@takes_given()
def run(
    given: Given,
    *,
    simulate: SimulateOpt = False,
    faults: Annotated[
        Path | None, typer.Option(help="A file of faults for the simulator; see docs/simulator.md.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Submit processes, in place of workers.submit_processes."),
    ] = None,
    canary: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="Buy N rows first; go on only if enough have their picture."),
    ] = 0,
    at_least: Annotated[
        float, typer.Option("--at-least", min=0, max=1, help="With --canary: the share that is enough.")
    ] = ENOUGH,
    deadline: Annotated[
        str,
        typer.Option(
            help="End at the next HH:MM of this machine, or after e.g. 8h, 90m; code 10, resumable."
        ),
    ] = "",
) -> None:
    """Do it all on this machine: workers, queue, files. Interrupted, the same command goes on."""
    settings = command_settings(given.config, output=given.output, simulate=simulate)
    _check(simulate=simulate, faults=faults)
    until = read_deadline(deadline) if deadline else None
    if until is not None:
        sys.stderr.write(f"deadline: {until:%Y-%m-%d %H:%M}\n")
    stop = Stop(until, finish_s=longest_end_s(settings))
    if workers is not None:
        settings = settings.model_copy(
            update={"workers": settings.workers.model_copy(update={"submit_processes": workers})}
        )
    with (
        stop,
        intake(settings, given, output=output_place(settings.output_dir), stop=stop.check) as taken,
    ):
        check_clients(taken.session.ledger.client, clients_of_run(settings))
        if canary:
            code = Canary(taken, stop).run(canary, at_least, simulate=simulate, faults=faults)
            if code is not ExitCode.OK:
                raise typer.Exit(code)
        batch_run = BatchRun(taken.session, taken.manifest, taken.producer, taken.batch_id, stop)
        with RunNotices(taken.session, taken.batch_id) as notices:
            end = batch_run.run(simulate=simulate, faults=faults)
            code = _tell(taken, end, settings.output_dir, simulated=simulate)
            notices.ended(end)
        prune_old(taken.session)
    raise typer.Exit(code)


def _check(*, simulate: bool, faults: Path | None) -> None:
    """Finds what is missing before anything is opened. Raises UsageError, NotFoundError, ConfigError."""
    if faults is not None and not simulate:
        raise UsageError("--faults needs --simulate")
    if faults is not None and not faults.is_file():
        raise NotFoundError(f"no such file: {faults}")
    if not simulate and not read_credentials():
        raise ConfigError("no token: set HIDREAM_TOKEN or HIDREAM_API_KEY (or try it with --simulate)")


def _tell(taken: Intake, end: RunEnd, output_dir: Path, *, simulated: bool) -> ExitCode:
    """Prints the last words, those on the manifest's problems among them; returns the exit code."""
    producer = taken.producer
    if not end.files:
        print_cut(end.status, end.why, producer.unread(), simulated=simulated)
        return end.code
    folder = output_dir / end.status.batch_id
    summary = json.loads((folder / "summary.json").read_text())
    again = as_typed(taken.given.words, simulated=simulated)
    remarks = chain(producer.unread(), producer.problems.lines())
    print_end(summary, folder, end.why, remarks, again=again, simulated=simulated)
    return ended(summary) if end.code is ExitCode.OK else end.code
