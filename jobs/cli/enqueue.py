"""`vton enqueue`: a manifest goes into the ledger and the queue; workers elsewhere do the rest."""

import sys

from jobs.cli import control
from jobs.cli.intake import intake, reading_of
from jobs.cli.ledger_identity import remember_ledger
from jobs.cli.options import (
    AcceptOpt,
    AgainOpt,
    BatchOpt,
    ConfigOpt,
    EncodingOpt,
    ManifestArg,
    RootOpt,
    SheetOpt,
    StrictOpt,
    VisibleOpt,
)
from jobs.cli.session import command_settings
from jobs.cli.units import counted


def enqueue(
    manifest: ManifestArg,
    *,
    batch: BatchOpt = None,
    config: ConfigOpt = None,
    strict: StrictOpt = False,
    again: AgainOpt = "",
    accept_new_ledger: AcceptOpt = False,
    sheet: SheetOpt = None,
    visible_only: VisibleOpt = False,
    encoding: EncodingOpt = "",
    root: RootOpt = None,
) -> None:
    """Put a manifest into the ledger and the queue; workers do the rest. Twice is once."""
    settings = command_settings(config)
    with intake(
        settings,
        manifest,
        reading_of(settings, sheet, visible_only=visible_only, encoding=encoding, root=root),
        batch=batch,
        again=again,
        strict=strict,
        accept_new_ledger=accept_new_ledger,
    ) as taken:
        opened, batch_id = taken.session, taken.batch_id
        produced = taken.producer.feed(taken.manifest, batch_id)
        retried = control.retry_failed(opened.ledger, opened.queue, batch_id) if produced.resumed else 0
        remember_ledger(opened)
    sys.stdout.write(
        f"{produced.batch_id}: {counted(produced.rows, 'row')}, {produced.queued} to submit, "
        f"{produced.reused} reused, {produced.duplicate} duplicate, {produced.bad} invalid"
        + (f", {produced.changed} changed" if produced.changed else "")
        + (f", {retried} failed ones again" if retried else "")
        + (" (resumed)" if produced.resumed else "")
        + "\n"
    )
