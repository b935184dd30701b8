"""`vton settle`: what a person has found out about unknown rows."""

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.options import BatchArg, ConfigOpt, OutputOpt, SimulateOpt
from jobs.cli.session import Session, command_settings, open_session
from jobs.cli.settling import apply_decisions, check_batch, list_unknown
from jobs.config.exit_codes import ExitCode
from jobs.errors import NotFoundError, UsageError
from jobs.money.settling import (
    WORDS,
    Decision,
    Undecided,
    read_decisions,
    task_fault,
    unknown_rows,
    write_template,
)
from jobs.records import BatchId, RequestId, SettledAs
from jobs.units import counted

#: Lines without an outcome that are named one by one.
_NAMED = 10


def settle(
    batch: BatchArg,
    *,
    row: Annotated[int | None, typer.Option("--row", min=1, help="The row, by its number.")] = None,
    request_id: Annotated[str, typer.Option("--request-id", help="The row, by its job's id.")] = "",
    task_id: Annotated[
        str,
        typer.Option(
            "--task-id",
            help="It was bought, with this task of HiDream: its picture is fetched, nothing is bought.",
        ),
    ] = "",
    not_bought: Annotated[
        bool,
        typer.Option(
            "--not-bought",
            help="It was not bought: it is sent once more, its budgets get the order back; asks first.",
        ),
    ] = False,
    leave: Annotated[bool, typer.Option("--leave", help="It stays as it is.")] = False,
    table: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="A filled-in table, for many rows.")
    ] = None,
    template: Annotated[
        bool, typer.Option("--template", help="Write that table of the rows that are unknown now.")
    ] = False,
    by: Annotated[str, typer.Option("--by", help="Who says it; default the user's name.")] = "",
    force: Annotated[
        bool,
        typer.Option("--force", help="In place of what was settled before, as long as nothing has followed."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --not-bought: do not ask; needed where nobody can answer.")
    ] = False,
    output: OutputOpt = None,
    config: ConfigOpt = None,
    simulate: SimulateOpt = False,
) -> None:
    """Say what became of unknown rows, as HiDream's bill shows it. Without options: list them."""
    outcomes: dict[SettledAs, bool] = {"bought": bool(task_id), "not_bought": not_bought, "leave": leave}
    said = [name for name, given in outcomes.items() if given]
    one = row is not None or bool(request_id)
    if template + (table is not None) + one > 1 or len(said) > 1 or bool(said) != one or (row and request_id):
        raise UsageError(
            "settle: name one row (--row or --request-id) and what became of it (--task-id, --not-bought or --leave),"
            " or a table (--csv); --template writes one"
        )
    settings = command_settings(config, output=output, simulate=simulate)
    with open_session(settings) as opened:
        batch_id = BatchId(batch)
        check_batch(opened, batch_id)
        if template:
            write_template(sys.stdout, unknown_rows(opened.ledger, batch_id))
        elif one:
            decision = _decision(row, RequestId(request_id), said[0], task_id)
            _apply(opened, batch_id, [decision], by=by, force=force, yes=yes)
        elif table is not None:
            _apply(opened, batch_id, _read(table), by=by, force=force, yes=yes)
        else:
            list_unknown(opened, batch_id, simulated=simulate)


def _decision(row: int | None, request_id: RequestId, outcome: SettledAs, task_id: str) -> Decision:
    """What the options say of one row. Raises UsageError."""
    if task_id and (fault := task_fault(task_id)):
        raise UsageError(f"--task-id: {fault}")
    return Decision(
        where=f"row {row}" if row else request_id,
        row=row,
        request_id=request_id or None,
        outcome=outcome,
        task_id=task_id,
    )


def _apply(
    opened: Session, batch_id: BatchId, decisions: list[Decision], *, by: str, force: bool, yes: bool
) -> None:
    if not apply_decisions(opened, batch_id, decisions, by=by.strip() or _user(), force=force, yes=yes):
        raise typer.Exit(ExitCode.USAGE)


def _read(path: Path) -> list[Decision]:
    """What a table says. Raises UsageError: nothing of it is done when any line is bad."""
    try:
        found = list(read_decisions(path))
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from None
    faults = [one for one in found if isinstance(one, str)]
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    if faults:
        raise UsageError(f"{path}: nothing is settled while any of its lines is bad")
    decisions = [one for one in found if isinstance(one, Decision)]
    undecided = [str(one.line) for one in found if isinstance(one, Undecided)]
    some = ", ".join(undecided[:_NAMED]) + (", …" if len(undecided) > _NAMED else "")
    without = f"{path}: {counted(len(undecided), 'row')} without an outcome, line {some}"
    if not decisions:
        raise UsageError(
            f"{without if undecided else f'{path}: no row'}: nothing to settle; outcome may be {WORDS}"
        )
    if undecided:
        sys.stderr.write(f"{without}: unknown as before\n")
    return decisions


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # In a container nobody may have a name.
        raise UsageError("settle: say who you are with --by NAME") from None
