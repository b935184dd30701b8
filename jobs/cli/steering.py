"""Commands that change a night: `retry`, `cancel`, `recover`, `pause`, `resume`."""

import sys
from typing import Annotated

import typer

from jobs.cli import control
from jobs.cli.advice import command
from jobs.cli.ledger_identity import lost_ledger, of_other_shop
from jobs.cli.options import BatchArg, ConfigOpt, OutputOpt, SimulateOpt
from jobs.cli.recovery import recover_batch, recovered_words, result_folders
from jobs.cli.session import command_settings, open_session
from jobs.cli.show import other_retries
from jobs.errors import NotFoundError, UsageError
from jobs.records import BatchId


def retry(
    batch: BatchArg,
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
    lost: Annotated[
        bool, typer.Option("--lost", help="Paid ones whose picture never came: buy them anew.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --lost: do not ask, buy.")] = False,
) -> None:
    """Put jobs of a batch back into the line. Workers or the next `vton run` take them."""
    settings = command_settings(config, simulate=simulate)
    wanted = control.Wanted(
        failed=failed or not (unknown or rejected or lost), unknown=unknown, rejected=rejected, lost=lost
    )
    with open_session(settings) as opened:
        batch_id = BatchId(batch)
        if lost or unknown:
            _tell_price(control.foresee_retry(opened.ledger, batch_id, wanted), wanted, yes=yes)
        retried = control.retry(opened.ledger, opened.queue, batch_id, wanted)
        others = "" if retried.jobs else other_retries(opened.ledger.status(batch_id), simulated=simulate)
    sys.stdout.write(f"{batch}: {_retried(retried)}; {others or _what_now(retried, simulated=simulate)}\n")


def _tell_price(foreseen: control.Retried, wanted: control.Wanted, *, yes: bool) -> None:
    """Says what may be charged before it is; what was paid for is bought anew only on a person's word."""
    if not foreseen.pictures:
        return
    # The place for a price: pictures times what one costs.
    sys.stderr.write(f"to be bought, or bought a second time: {foreseen.pictures} pictures\n")
    if not wanted.lost or yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("--lost buys what was paid for already: say --yes")
    if not typer.confirm("Buy them anew?", err=True):
        sys.stderr.write("nothing is bought\n")
        raise typer.Exit


def _retried(retried: control.Retried) -> str:
    asked = (
        f", {retried.asked} old tasks are asked again (nothing is bought for them)" if retried.asked else ""
    )
    return f"{retried.queued} jobs wait again{asked}"


def _what_now(retried: control.Retried, *, simulated: bool) -> str:
    if not retried.jobs:
        return "none is worth another try"
    return f"workers that run, or the next {command('run', simulated=simulated)}, take them"


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


def pause(
    why: Annotated[str, typer.Argument(help="Shown to whoever asks.")] = "paused by a person",
    *,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Stop submitting for the whole account; tasks under way are still collected."""
    with open_session(command_settings(config, simulate=simulate)) as opened:
        control.pause(opened.ledger, why)
    sys.stdout.write("paused\n")


def resume(*, config: ConfigOpt = None, simulate: SimulateOpt = False) -> None:
    """Go on submitting; also closes an open breaker, e.g. after credits were bought."""
    with open_session(command_settings(config, simulate=simulate)) as opened:
        control.resume(opened.ledger)
    sys.stdout.write("resumed\n")
