"""The command line's table of contents: every command, in the order of `vton --help`. Only the one asked for is loaded."""

import ast
import gc
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from jobs.deferred import left_out

#: Command → its function; the module has its name (`_module`), but for that of `config`, whose name would hide the option.
COMMANDS: Final = {
    "run": "run",
    "enqueue": "enqueue",
    "plan": "plan",
    "pairs": "pairs",
    "status": "status",
    "results": "results",
    "diff": "diff",
    "review": "review",
    "retake": "retake",
    "deliver": "deliver",
    "retry": "retry",
    "bill": "bill",
    "settle": "settle",
    "cancel": "cancel",
    "recover": "recover",
    "prune": "prune",
    "backup": "backup",
    "restore": "restore",
    "move-ledger": "move_ledger",
    "pause": "pause",
    "resume": "resume",
    "doctor": "doctor",
    "notify": "notify",
    "metrics": "metrics",
    "simulate": "simulate",
    "serve": "serve",
    "config": "show_config",
}
#: What we do not know is for the simulator, `--help` too.
_PASSED_ON: Final = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


class _Commands(TyperGroup):
    """Loading all commands takes longer than most of them run."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every name; nothing is loaded."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """For `--help`: a name and what it does, read from the file. The one that runs is `resolve_command`'s."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        return self.commands.get(cmd_name) or TyperCommand(cmd_name, help=_help(cmd_name))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Loads the command that is asked for."""
        if args[0] in COMMANDS:
            self.add_command(load(args[0]))
        else:
            # Names to suggest from.
            self.commands.update({name: self.get_command(ctx, name) for name in COMMANDS})
        return super().resolve_command(ctx, args)


def load(name: str) -> Any:
    """A command with its options."""
    app = typer.Typer(add_completion=False)
    with left_out("rich"):
        # It would draw tracebacks with it; ours are plain.
        import_module("structlog")
    with left_out("opentelemetry"):
        # redis would load it for its own metrics where it is installed.
        function = getattr(import_module(_module(name)), COMMANDS[name])
    gc.freeze()
    # A chunk of rows is thousands of records and no circle: to look for some after every 700 takes a tenth of a plan's time.
    gc.set_threshold(20_000)
    gc.enable()
    app.command(name=name, context_settings=_PASSED_ON if name == "simulate" else None)(function)
    return typer.main.get_command(app)


def _module(name: str) -> str:
    return f"jobs.cli.{name.replace('-', '_')}"


def _help(name: str) -> str:
    spec = find_spec(_module(name))
    try:
        source = Path((spec and spec.origin) or "").read_text(encoding="utf-8")
        body = ast.parse(source).body
    except (OSError, ValueError, SyntaxError):
        # Installed without its sources: the command is listed by its name alone.
        return ""
    found = (node for node in body if isinstance(node, ast.FunctionDef) and node.name == COMMANDS[name])
    return next((ast.get_docstring(node) or "" for node in found), "")


cli = typer.Typer(
    name="vton",
    cls=_Commands,
    help="Dresses a catalog: pairs of person and garment in, try-on pictures out, each bought once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(value: bool) -> None:
    if value:
        # Loaded for it alone: it reads packages' mails and archives.
        from importlib.metadata import version  # noqa: PLC0415

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
    """What stands before a command; the application's own help stands above."""
