"""What an assessment is, and how rules make one: the first that applies speaks.

Whatever hides what comes after it stands first: behind a shut gate nobody can say whether workers are slow.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from jobs.config.exit_codes import ExitCode
from jobs.health.facts import Facts
from jobs.ledger.records import Heartbeat
from jobs.records import Owner
from jobs.units import duration

#: A process that has not been heard for so long is dead: two heartbeats and some patience, ms.
SILENT_MS: Final = 13_000


class State(StrEnum):
    """How well it is."""

    OK = "ok"
    #: It goes on, and somebody should look.
    WARNING = "warning"
    #: It does not go on, or not to its end, until somebody acts.
    WRONG = "wrong"
    #: Nobody can say: what is known is too old, or nothing is known.
    UNKNOWN = "unknown"


class Assessment(Struct, frozen=True, kw_only=True):
    """One judgement."""

    state: State
    #: A sentence of what it was seen by.
    evidence: str
    #: The one thing to do next, and whose it is; empty when nothing is.
    action: str = ""
    owner: Owner = Owner.OPS
    #: The exit code of who only asks.
    code: ExitCode = ExitCode.OK
    #: The same evidence in numbers; None where one is not known.
    figures: Mapping[str, float | None] = {}
    #: Which rule has spoken.
    rule: str = ""


#: No numbers.
NONE: Final[Mapping[str, float | None]] = {}

Rule = Callable[[Facts], Assessment | None]


def first(rules: Sequence[Rule], facts: Facts) -> Assessment:
    """The first assessment that a rule makes; the last rule always makes one."""
    found = ((rule, rule(facts)) for rule in rules)
    return next(replace(said, rule=rule.__name__.strip("_")) for rule, said in found if said is not None)


def ok(evidence: str, figures: Mapping[str, float | None] = NONE) -> Assessment:
    """All is well."""
    return Assessment(state=State.OK, evidence=evidence, figures=figures)


def warning(
    evidence: str, action: str, owner: Owner = Owner.OPS, figures: Mapping[str, float | None] = NONE
) -> Assessment:
    """It goes on, and somebody should look."""
    return Assessment(state=State.WARNING, evidence=evidence, action=action, owner=owner, figures=figures)


def wrong(
    evidence: str,
    action: str,
    code: ExitCode = ExitCode.ATTENTION,
    owner: Owner = Owner.OPS,
    figures: Mapping[str, float | None] = NONE,
) -> Assessment:
    """It does not go on."""
    return Assessment(
        state=State.WRONG, evidence=evidence, action=action, owner=owner, code=code, figures=figures
    )


def alive(facts: Facts, *roles: str) -> list[Heartbeat]:
    """The processes that live, of these roles or of any."""
    living = [each for each in facts.processes if facts.read_ms - each.at_ms <= SILENT_MS]
    return [each for each in living if not roles or each.role in roles]


def ago(facts: Facts, then_ms: float) -> str:
    """How long ago that was, in words."""
    return f"{duration(max(0, facts.read_ms - then_ms) / 1000)} ago"
