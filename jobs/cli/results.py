"""`vton results`: a batch's files, made anew from the ledger."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.options import AcceptOpt, BatchArg, ConfigOpt, OutputOpt, SimulateOpt
from jobs.cli.session import command_settings, make_output_dir, open_session
from jobs.errors import UsageError
from jobs.records import BatchId, Dialect


def results(
    batch: BatchArg,
    *,
    output: OutputOpt = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
    accept_new_ledger: AcceptOpt = False,
    links: Annotated[
        bool, typer.Option("--links", help="Pictures in results.csv as links to click on.")
    ] = False,
    xlsx: Annotated[
        bool, typer.Option("--xlsx", help="Also results.xlsx, with thumbnails; needs the extra xlsx.")
    ] = False,
) -> None:
    """Write a batch's files anew from the ledger."""
    if xlsx:
        from jobs.results.for_people import check_workbooks  # noqa: PLC0415 with pictures and workbooks

        check_workbooks()
    settings = command_settings(config, output=output, simulate=simulate)
    make_output_dir(settings)
    with open_session(settings) as opened:
        # Whoever looks does not put the batch to rest: its own files may lie elsewhere.
        exported = opened.exporter.export(BatchId(batch), tables=True, rest=False, accept=accept_new_ledger)
        found = opened.ledger.batch(BatchId(batch))
    if exported is None:
        raise UsageError(f"{batch}: its files are being written right now; try again in a moment")
    if links or xlsx:
        _for_people(
            exported.folder, Dialect(delimiter=found.delimiter, bom=found.bom), links=links, xlsx=xlsx
        )
    sys.stdout.write(f"{exported.folder}\n")


def _for_people(folder: Path, dialect: Dialect, *, links: bool, xlsx: bool) -> None:
    from jobs.results.for_people import link_table, write_workbook  # noqa: PLC0415 with pictures and workbooks

    # The workbook first: it is made from the table as it is.
    if xlsx:
        write_workbook(folder, dialect)
    if links:
        link_table(folder, dialect)
