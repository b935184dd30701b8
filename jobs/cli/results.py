"""`vton results`: a batch's files, made anew from the ledger."""

import sys

from jobs.cli.options import AcceptOpt, BatchArg, ConfigOpt, OutputOpt, SimulateOpt
from jobs.cli.session import command_settings, make_output_dir, open_session
from jobs.errors import UsageError
from jobs.records import BatchId


def results(
    batch: BatchArg,
    *,
    output: OutputOpt = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    accept_new_ledger: AcceptOpt = False,
) -> None:
    """Write a batch's files anew from the ledger."""
    settings = command_settings(config, output=output, simulate=simulate)
    make_output_dir(settings)
    with open_session(settings) as opened:
        # Whoever looks does not put the batch to rest: its own files may lie elsewhere.
        exported = opened.exporter.export(BatchId(batch), tables=True, rest=False, accept=accept_new_ledger)
    if exported is None:
        raise UsageError(f"{batch}: its files are being written right now; try again in a moment")
    sys.stdout.write(f"{exported.folder}\n")
