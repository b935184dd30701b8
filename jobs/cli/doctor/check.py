"""What a check found: a value, printed as a line or as JSON."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from jobs.cli.output import print_json
from jobs.config.exit_codes import ExitCode
from jobs.records import Owner


class State(StrEnum):
    """How well it is."""

    OK = "ok"
    #: A run can begin, and somebody should look.
    WARNING = "warning"
    #: A run cannot begin, or would end badly, until a person has fixed it.
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    #: What, in one word.
    name: str
    state: State
    #: What was found; holds no secret.
    message: str
    #: Who can fix it.
    owner: Owner = Owner.OPS
    #: What to do; empty when nothing is.
    todo: str = ""


def ok(name: str, message: str) -> Check:
    """All is well."""
    return Check(name=name, state=State.OK, message=message)


def warning(name: str, message: str, todo: str) -> Check:
    """It works, but not as it should."""
    return Check(name=name, state=State.WARNING, message=message, todo=todo)


def wrong(name: str, message: str, todo: str, *, owner: Owner = Owner.OPS) -> Check:
    """It does not work."""
    return Check(name=name, state=State.WRONG, message=message, todo=todo, owner=owner)


def verdict(checks: Sequence[Check]) -> ExitCode:
    """0, or 7 when anything is wrong; a warning stops nobody."""
    return ExitCode.CONFIG if any(check.state is State.WRONG for check in checks) else ExitCode.OK


def print_checks(checks: Sequence[Check], *, as_json: bool) -> None:
    """One line for each check, what to do below it, and a last line for whoever reads only that."""
    out = sys.stdout.write
    if as_json:
        content = {
            "well": verdict(checks) is ExitCode.OK,
            "checks": [asdict(check) for check in checks],
        }
        print_json(content)
        return
    state_width = max(len(state) for state in State)
    name_width = max(len(check.name) for check in checks)
    for check in checks:
        out(f"{check.state:<{state_width}}  {check.name:<{name_width}}  {check.message}\n")
        if check.todo:
            out(f"{'':{state_width}}  {'':{name_width}}  -> {check.owner}: {check.todo}\n")
    counts = [
        f"{count} {state}"
        for state in (State.WRONG, State.WARNING)
        if (count := sum(check.state is state for check in checks))
    ]
    out(f"{', '.join(counts) or 'all is well'}\n")
