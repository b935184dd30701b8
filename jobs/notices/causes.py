"""What of the account and of the open batches deserves a notice: decided from facts, without a clock or a connection."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from jobs.config.advice import command
from jobs.config.exit_codes import ExitCode
from jobs.health.assessment import Health
from jobs.health.facts import Facts
from jobs.health.flow import in_time, margins, reopened
from jobs.health.liveness import missing_role
from jobs.health.rules import Assessment, State
from jobs.notices.notice import ONCE_S, Event, Notice
from jobs.records import BatchId
from jobs.units import duration

#: Rules of `vton status` that are said in its own words, and as what. The gate, deadlines and unknown jobs have notices of
#: their own, which do not wait; a rule that is not here only says what somebody should look at in the morning.
SAID: Final[Mapping[str, Event]] = {
    "nobody": Event.WORKERS,
    "nobodys": Event.WORKERS,
    "unsent": Event.WORKERS,
    "host_silent": Event.WORKERS,
    "dying": Event.WORKERS,
    "ledger_lost": Event.WRONG,
    "not_written": Event.WRONG,
    "tried_again": Event.WRONG,
    "budget": Event.WRONG,
    "unread": Event.WRONG,
    "unended": Event.WRONG,
    "broken": Event.WRONG,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OldUnknown:
    """Unknown jobs of a batch that are so for long."""

    batch_id: BatchId
    jobs: int
    #: Since when the first of them is, on the ledger's clock.
    since_ms: int


def of_gate(facts: Facts) -> Iterator[Notice]:
    """The breaker is open, or somebody or something has paused the account."""
    gate = facts.gate
    if gate.paused is not None:
        yield Notice(
            event=Event.PAUSED,
            severity="warning",
            title=f"nothing is bought: the account is paused: {gate.paused}",
            todo=reopened(facts),
            cause=gate.paused,
            facts={"why": gate.paused, "queued": facts.queued},
        )
    if gate.breaker is not None:
        passing = gate.breaker == "vendor"
        yield Notice(
            event=Event.BREAKER,
            severity="warning" if passing else "critical",
            title=f"nothing is bought: {gate.breaker}: {gate.breaker_why}",
            todo=reopened(replace(facts, gate=replace(gate, paused=None))),
            cause=gate.breaker,
            facts={"reason": gate.breaker, "why": gate.breaker_why, "queued": facts.queued},
        )


def of_deadlines(facts: Facts) -> Iterator[Notice]:
    """Batches that will not be over by their deadline."""
    for margin in margins(facts):
        if margin.batch is None or margin.spare_s >= 0:
            continue
        batch, late_s = margin.batch, -margin.spare_s
        yield Notice(
            event=Event.DEADLINE,
            severity="warning",
            title=f"{batch.batch_id}: {batch.open} rows are open, about {duration(late_s)} more than the deadline leaves",
            todo=in_time(facts, batch.batch_id),
            batch=batch.batch_id,
            facts={"open": batch.open, "late_s": round(late_s), "rows": dict(batch.counts)},
        )


def of_unknown(old: OldUnknown, facts: Facts) -> Notice:
    """Rows of a batch that nobody has looked at."""
    return Notice(
        event=Event.UNKNOWN,
        severity="critical",
        title=f"{old.batch_id}: {old.jobs} jobs are unknown,"
        f" the first for {duration((facts.read_ms - old.since_ms) / 1000)}: HiDream may have charged them",
        todo="look for those times on HiDream's bill, then say what became of them:"
        f" {command(f'settle {old.batch_id}', simulated=facts.simulated)}",
        batch=old.batch_id,
        facts={"unknown": old.jobs, "since_ms": old.since_ms},
        quiet_s=ONCE_S,
    )


def judged(facts: Facts, health: Health) -> Mapping[str, Assessment]:
    """Judgements that are said when they last, by their names."""
    each = {"flow": health.flow, "execution": health.execution, "liveness": health.liveness}
    # What has ended altogether, however badly, is said by the end of its batch.
    found = {
        name: one
        for name, one in each.items()
        if one.rule in SAID and (one.code or one.state is not State.WRONG)
    }
    # Whoever has to open the gate first needs no submit worker before.
    if (
        health.flow.rule in {"shut", "tried_again", "budget"}
        and missing_role(facts) == "submit"
        and not facts.tasks
    ):
        found.pop("liveness", None)
    return found


def of_judgement(name: str, found: Assessment, facts: Facts) -> Notice:
    """One of them, in the words of `vton status`."""
    return Notice(
        event=SAID[found.rule],
        # A budget is somebody's own will.
        severity="critical"
        if found.state is State.WRONG and found.code is not ExitCode.BUDGET
        else "warning",
        title=f"{name}: {found.evidence}",
        todo=f"{found.owner}: {found.action}",
        # Its numbers change while it is the same trouble.
        cause=f"{name} {found.rule}",
        facts={"judgement": name, "rule": found.rule, "queued": facts.queued, **found.figures},
    )
