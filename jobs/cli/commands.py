"""The command line's table of contents: every command, in the order of `vton --help`."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from jobs.cli import buying, looking, serving, steering

cli = typer.Typer(
    name="vton",
    help="Dresses a catalog: pairs of person and garment in, try-on pictures out, each bought once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(value: bool) -> None:
    if value:
        sys.stdout.write(f"vton {version('vton-batch')}\n")
        raise typer.Exit


@cli.callback()
def _options(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """What stands before a command; the application's own help is told above."""


for _command in (
    buying.run,
    buying.enqueue,
    buying.plan,
    looking.status,
    looking.results,
    steering.retry,
    steering.cancel,
    steering.recover,
    steering.pause,
    steering.resume,
    looking.doctor,
):
    cli.command()(_command)
cli.command(
    # What we do not know is for the simulator, `--help` too.
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)(serving.simulate)
cli.command()(serving.serve)
cli.command(name="config")(looking.show_config)
