"""Three assessments of the facts: flow, execution and liveness, each with its evidence and one next action. Pure."""

from typing import Final

from msgspec import Struct

from jobs.config.exit_codes import ExitCode
from jobs.health import execution, flow, liveness
from jobs.health.facts import Facts
from jobs.health.rules import Assessment, State, first
from jobs.units import duration

#: Facts that are older than this say nothing of the present, ms.
STALE_MS: Final = 15_000


class Health(Struct, frozen=True, kw_only=True):
    """The three assessments."""

    #: Whether rows end as fast as the account allows, and when the last one will have.
    flow: Assessment
    #: What fails, whose it is, and whether that gets worse.
    execution: Assessment
    #: Which processes live, and what is nobody's.
    liveness: Assessment

    @property
    def code(self) -> ExitCode:
        """The first that is not 0: who does not live explains why nothing flows."""
        codes = (each.code for each in (self.liveness, self.flow, self.execution))
        return next((code for code in codes if code), ExitCode.OK)


def assess(facts: Facts, now_ms: int | None = None) -> Health:
    """Assesses them as of now, on the ledger's clock; without `now_ms` as of the moment they were read."""
    if now_ms is not None and now_ms - facts.read_ms > STALE_MS:
        return unread(f"what is known is {duration((now_ms - facts.read_ms) / 1000)} old")
    return Health(
        flow=first(flow.RULES, facts),
        execution=first(execution.RULES, facts),
        liveness=first(liveness.RULES, facts),
    )


def unread(why: str) -> Health:
    """What there is to say when the facts cannot be read: nothing is known, and so nothing is fine."""
    lost = Assessment(
        state=State.WRONG,
        evidence=f"{why}: nobody can buy, and nothing can be recorded",
        action="start Redis, or fix redis.url (VTON_REDIS__URL); workers go on by themselves",
        code=ExitCode.CONFIG,
    )
    other = Assessment(state=State.UNKNOWN, evidence=why, action="see liveness", code=ExitCode.ATTENTION)
    return Health(flow=other, execution=other, liveness=lost)
