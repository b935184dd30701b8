"""The commands: each reads its words, calls one thing and prints what came of it."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

from jobs.cli import control
from jobs.cli.deadline import read_deadline
from jobs.cli.memory import check_ledger, remember_ledger
from jobs.cli.night import Night, Simulation, simulated
from jobs.cli.plan import plan_of, print_plan
from jobs.cli.show import print_batches, print_end, print_status, watch_status
from jobs.cli.station import Station, command_settings, make_output_dir, station
from jobs.errors import NotFoundError, UsageError
from jobs.exit_codes import ExitCode, ended
from jobs.identity import batch_id as identify
from jobs.identity import safe_batch_name
from jobs.local_pictures import LocalPictures
from jobs.manifest import Manifest, open_manifest
from jobs.planning import Planner
from jobs.producer import Producer
from jobs.records import BatchId

cli = typer.Typer(
    name="vton",
    help="Dresses a catalog: pairs of person and garment in, try-on pictures out, each bought once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ManifestArg = Annotated[str, typer.Argument(help="CSV, TSV, YAML or JSONL of pairs; - reads stdin.")]
ConfigOpt = Annotated[Path | None, typer.Option("--config", help="Settings; default ./config.yaml.")]
OutputOpt = Annotated[Path | None, typer.Option("--output", "-o", help="Folder for results; default ./out.")]
BatchOpt = Annotated[
    str | None, typer.Option("--batch", help="Batch id; default <file>-<hash of its content>.")
]
SimulateOpt = Annotated[
    bool, typer.Option("--simulate", help="The simulator in place of HiDream; buys nothing.")
]
StrictOpt = Annotated[bool, typer.Option("--strict", help="Stop when any row is bad.")]
AgainOpt = Annotated[str, typer.Option("--again", metavar="LABEL", help="Buy pairs anew under this label.")]
AcceptOpt = Annotated[
    bool, typer.Option("--accept-new-ledger", help="Go on though the known ledger is gone.")
]
BatchArg = Annotated[str | None, typer.Argument(help="Batch id.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


@cli.command()
def run(
    manifest: ManifestArg,
    *,
    output: OutputOpt = None,
    batch: BatchOpt = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    faults: Annotated[
        Path | None, typer.Option(help="Faults the simulator shall show; see docs/simulator.md.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Submit processes.")] = None,
    strict: StrictOpt = False,
    again: AgainOpt = "",
    accept_new_ledger: AcceptOpt = False,
    deadline: Annotated[str, typer.Option(help="Stop at HH:MM or after e.g. 8h, 90m; resumable.")] = "",
) -> None:
    """Do it all on this machine: workers, queue, files. Interrupted, the same command goes on."""
    settings = command_settings(config, output=output, simulate=simulate)
    if faults is not None and not simulate:
        raise UsageError("--faults needs --simulate")
    until = read_deadline(deadline) if deadline else None
    if simulate:
        settings = simulated(settings)
    if workers is not None:
        settings = settings.model_copy(
            update={"workers": settings.workers.model_copy(update={"submit_processes": workers})}
        )
    if config is not None:
        os.environ["VTON_CONFIG"] = str(config.absolute())
    source = open_manifest(manifest)
    with station(settings, patient=True) as opened:
        check_ledger(opened, accept_new=accept_new_ledger)
        producer = Producer(
            opened.ledger,
            opened.queue,
            _planner(opened, manifest, source, again),
            file_name=Path(manifest).name,
        )
        batch_id = _batch_id(source, batch, again)
        producer.check(source, batch_id, strict=strict)
        night = Night(opened, source, producer, batch_id)
        end = night.run(simulation=Simulation(faults=faults) if simulate else None, deadline=until)
        summary = json.loads((settings.output_dir / end.status.batch_id / "summary.json").read_text())
        code = ended(summary) if end.code is ExitCode.OK else end.code
        print_end(summary, settings.output_dir / end.status.batch_id, end.why, simulated=simulate)
    raise typer.Exit(code)


@cli.command()
def enqueue(
    manifest: ManifestArg,
    *,
    batch: BatchOpt = None,
    config: ConfigOpt = None,
    strict: StrictOpt = False,
    again: AgainOpt = "",
    accept_new_ledger: AcceptOpt = False,
) -> None:
    """Put a manifest into the ledger and the queue; workers do the rest. Twice is once."""
    settings = command_settings(config)
    source = open_manifest(manifest)
    with station(settings, patient=True) as opened:
        check_ledger(opened, accept_new=accept_new_ledger)
        producer = Producer(
            opened.ledger,
            opened.queue,
            _planner(opened, manifest, source, again),
            file_name=Path(manifest).name,
        )
        batch_id = _batch_id(source, batch, again)
        producer.check(source, batch_id, strict=strict)
        produced = producer.feed(source, batch_id)
        retried = control.retry_failed(opened.ledger, opened.queue, batch_id) if produced.resumed else 0
        remember_ledger(opened)
    sys.stdout.write(
        f"{produced.batch_id}: {produced.rows} rows, {produced.queued} to submit, {produced.reused} reused, "
        f"{produced.duplicate} duplicate, {produced.bad} invalid"
        + (f", {retried} failed ones again" if retried else "")
        + (" (resumed)" if produced.resumed else "")
        + "\n"
    )


@cli.command()
def plan(
    manifest: ManifestArg,
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    again: AgainOpt = "",
    deadline: Annotated[str, typer.Option(help="Say whether it fits until HH:MM or within e.g. 8h.")] = "",
    as_json: JsonOpt = False,
) -> None:
    """Say what a manifest would buy and how long it would take. Spends nothing."""
    settings = command_settings(config, simulate=simulate)
    until = read_deadline(deadline) if deadline else None
    source = open_manifest(manifest)
    with station(settings) as opened:
        counted = plan_of(source, _planner(opened, manifest, source, again), opened.ledger, settings)
    print_plan(counted, Path(manifest).name, until, as_json=as_json)


@cli.command()
def status(
    batch: BatchArg = None,
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    watch: Annotated[bool, typer.Option("--watch", help="Until it is complete.")] = False,
    as_json: JsonOpt = False,
) -> None:
    """Show a batch, or all of them, and the account's gate."""
    settings = command_settings(config, simulate=simulate)
    with station(settings) as opened:
        if batch is None:
            print_batches(opened.ledger, as_json=as_json)
        elif watch:
            watch_status(opened.ledger, BatchId(batch))
        else:
            print_status(opened.ledger, BatchId(batch), as_json=as_json)


@cli.command()
def results(
    batch: Annotated[str, typer.Argument(help="Batch id.")],
    *,
    output: OutputOpt = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Write a batch's files anew from the ledger."""
    settings = command_settings(config, output=output, simulate=simulate)
    make_output_dir(settings)
    with station(settings) as opened:
        exported = opened.exporter.export(BatchId(batch), tables=True)
    if exported is None:
        raise UsageError(f"{batch}: its files are being written right now; try again in a moment")
    sys.stdout.write(f"{exported.folder}\n")


@cli.command()
def retry(
    batch: Annotated[str, typer.Argument(help="Batch id.")],
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="Failed ones that are worth another try (default).")
    ] = False,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Unknown ones: may be bought a second time.")
    ] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="Those that moderation rejected.")] = False,
) -> None:
    """Put jobs of a batch back into the line. Workers or the next `vton run` take them."""
    settings = command_settings(config, simulate=simulate)
    with station(settings) as opened:
        count = control.retry(
            opened.ledger,
            opened.queue,
            BatchId(batch),
            failed=failed or not (unknown or rejected),
            unknown=unknown,
            rejected=rejected,
        )
    sys.stdout.write(f"{batch}: {count} jobs wait again; workers that run, or the next vton run, take them\n")


@cli.command()
def cancel(
    batch: Annotated[str, typer.Argument(help="Batch id.")],
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Take a batch's waiting jobs out of the line; what is under way is finished, what others want stays."""
    settings = command_settings(config, simulate=simulate)
    with station(settings) as opened:
        count = control.cancel(opened.ledger, opened.queue, BatchId(batch))
    sys.stdout.write(f"{batch}: {count} jobs cancelled\n")


@cli.command()
def pause(
    why: Annotated[str, typer.Argument(help="Shown to whoever asks.")] = "paused by a person",
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Stop submitting for the whole account; tasks under way are still collected."""
    with station(command_settings(config, simulate=simulate)) as opened:
        control.pause(opened.ledger, why)
    sys.stdout.write("paused\n")


@cli.command()
def resume(*, config: ConfigOpt = None, simulate: SimulateOpt = False) -> None:
    """Go on submitting; also closes an open breaker, e.g. after credits were bought."""
    with station(command_settings(config, simulate=simulate)) as opened:
        control.resume(opened.ledger)
    sys.stdout.write("resumed\n")


@cli.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def simulate(context: typer.Context) -> None:
    """Start the simulator alone; its options are those of `python -m worker.simulator`."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "worker.simulator", *context.args])  # noqa: S606 our own module


@cli.command()
def serve(*, config: ConfigOpt = None) -> None:
    """Receive callbacks at callbacks.host and callbacks.port, behind your ingress."""
    if config is not None:
        os.environ["VTON_CONFIG"] = str(config.absolute())
    command_settings(config)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "worker.receiver"])  # noqa: S606 our own module


@cli.command(name="config")
def show_config(*, config: ConfigOpt = None) -> None:
    """Print the settings in force, secrets left out."""
    settings = command_settings(config)
    content = json.loads(settings.model_dump_json())
    yaml.safe_dump(content, sys.stdout, sort_keys=False, allow_unicode=True)


def _planner(opened: Station, path: str, manifest: Manifest, again: str) -> Planner:
    folder = _origin(opened, path) or manifest.folder
    return Planner(LocalPictures(opened.settings.pictures, folder).source, epoch=again, folder=folder)


def _origin(opened: Station, path: str) -> Path | None:
    """The folder of the manifest that a batch's failed.csv was made from: its pictures are still there."""
    file = Path(path).absolute()
    if file.parent.parent != opened.settings.output_dir.absolute():
        return None
    try:
        folder = opened.ledger.batch_fields(BatchId(file.parent.name)).get("folder")
    except NotFoundError:
        return None
    return Path(folder) if folder else None


def _batch_id(manifest: Manifest, given: str | None, again: str) -> BatchId:
    if given is None:
        return identify(manifest.name, manifest.digest, again)
    if safe_batch_name(given) != given:
        raise UsageError(
            "--batch: letters, digits, dots, dashes and underscores only, beginning with a letter or digit"
        )
    return BatchId(given)
