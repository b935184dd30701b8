"""`vton deliver`: a batch's pictures, marked and made as a channel wants them, into a folder or a store."""

import sys
from typing import Annotated

import typer

from jobs.cli.options import BatchArg, ConfigOpt, OutputOpt, SimulateOpt
from jobs.cli.session import command_settings, open_session
from jobs.config.delivery import ProfileSettings
from jobs.config.exit_codes import ExitCode
from jobs.config.settings import Settings
from jobs.delivery.profiles import BUILT_IN
from jobs.errors import ConfigError, NotFoundError, UsageError
from jobs.records import BatchId


def deliver(
    batch: BatchArg,
    *,
    to: Annotated[
        str,
        typer.Option(
            "--to", help="A folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix."
        ),
    ],
    profile: Annotated[
        str,
        typer.Option(
            "--profile",
            help="What the channel wants: original, google, amazon, shopify, akeneo, or one of delivery.profiles.",
        ),
    ] = "original",
    every: Annotated[
        bool, typer.Option("--all", help="Every picture, whatever has been said of it.")
    ] = False,
    approved: Annotated[bool, typer.Option("--approved", help="Approved pictures only (default).")] = False,
    name: Annotated[
        str,
        typer.Option(
            "--name", help="Template of the names, e.g. `{sku}/{person}.{ext}`; default the profile's."
        ),
    ] = "",
    replace: Annotated[
        bool,
        typer.Option("--replace", help="What an earlier delivery of this batch has put there gives way."),
    ] = False,
    output: OutputOpt = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Deliver a batch's approved pictures, each once, marked as made by AI. The same command again goes on."""
    # With pictures and stores it takes longer to load than most commands run.
    from jobs.cli.delivering import Order, deliver_batch, exit_code, summary_words  # noqa: PLC0415
    from jobs.delivery import approval  # noqa: PLC0415

    if every and approved:
        raise UsageError("say --all or --approved")
    settings = command_settings(config, output=output, simulate=simulate)
    order = Order(
        batch=BatchId(batch),
        to=to,
        profile=(profile, _profile(settings, profile)),
        name=name,
        replace=replace,
    )
    with open_session(settings) as opened:
        # Brings results.jsonl up to date; while another process does, what stands there counts.
        opened.exporter.export(order.batch, rest=False)
        folder = settings.output_dir / batch
        if not (folder / "results.jsonl").exists():
            raise NotFoundError(f"{folder}: no results here")
        said = approval.standing_verdicts(opened.ledger, order.batch)
        wanted = None if every else approval.approved(said)
    if wanted is not None and not wanted:
        sys.stderr.write(
            f"{batch}: nothing is approved, so nothing is delivered; --all delivers every picture\n"
        )
        raise typer.Exit(ExitCode.FINAL_FAILURES)
    store = settings.data_dir.absolute() / "pictures"
    summary, table = deliver_batch(order, folder, store, settings, wanted, said=said)
    sys.stderr.write(summary_words(summary))
    sys.stdout.write(f"{table}\n")
    raise typer.Exit(exit_code(summary))


def _profile(settings: Settings, name: str) -> ProfileSettings:
    profiles = BUILT_IN | settings.delivery.profiles
    if name not in profiles:
        raise ConfigError(f"--profile {name}: none of {', '.join(sorted(profiles))}")
    return profiles[name]
