"""The money rule as a table: what each outcome proves, and whether a machine may send the pair again by itself.

> A task id that HiDream gave us is never forgotten by a machine. Whatever may have been bought is never sent again by a
> machine. Only proof that nothing was bought lets a pair be sent again by itself; only a person decides the rest.

`docs/architecture.md` shows the same table. A test goes over every outcome there is, fails when one has no place here, and
holds the ledger and the gate to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from jobs.records import PAID_LOSSES
from worker.hidream.outcomes import (
    Accepted,
    Busy,
    Ended,
    NotSent,
    Paused,
    Pending,
    PollFailed,
    Refused,
    SubFailureKind,
    Unknown,
)


class Proof(StrEnum):
    """What is known of the money."""

    NOT_BOUGHT = "not bought"
    BOUGHT = "bought"
    #: HiDream says itself that the task it took is over and has made nothing.
    NOTHING_MADE = "nothing made"
    NONE = "no proof"


class Again(StrEnum):
    """Who may send the pair again."""

    MACHINE = "by itself"
    #: A new order of the same pair, or `vton retry`: the job has ended, and nothing was bought.
    NEXT_RUN = "by the next run"
    #: Only `vton retry` by a person who sees what it costs.
    PERSON = "by a person only"


class Death(StrEnum):
    """A worker ends without having recorded an outcome."""

    BEFORE_INTENT = "its worker died before the intent was written"
    AFTER_INTENT = "its worker died after the intent was written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One line of the table."""

    proof: Proof
    again: Again
    #: What was seen, in a few words.
    seen: str


def _line(proof: Proof, again: Again, seen: str) -> Verdict:
    return Verdict(proof=proof, again=again, seen=seen)


#: Outcomes of a submit by their class.
SUBMITS: Final[Mapping[type, Verdict]] = MappingProxyType(
    {
        Accepted: _line(Proof.BOUGHT, Again.PERSON, "an answer of any status and code that names a task"),
        Refused: _line(
            Proof.NOT_BOUGHT, Again.NEXT_RUN, "HiDream's own refusal of this job: its envelope, its code"
        ),
        Busy: _line(
            Proof.NOT_BOUGHT,
            Again.MACHINE,
            "429 in HiDream's envelope or with Retry-After; a code of busy_codes; a status of safe_statuses",
        ),
        Paused: _line(
            Proof.NOT_BOUGHT, Again.MACHINE, "HiDream's own refusal of the account; 401, whoever wrote it"
        ),
        NotSent: _line(Proof.NOT_BOUGHT, Again.MACHINE, "the request never left whole"),
        Unknown: _line(Proof.NONE, Again.PERSON, "any other answer, or none"),
    }
)

#: Deaths of workers; a death after the POST is one after the intent.
DEATHS: Final[Mapping[Death, Verdict]] = MappingProxyType(
    {
        Death.BEFORE_INTENT: _line(Proof.NOT_BOUGHT, Again.MACHINE, str(Death.BEFORE_INTENT)),
        Death.AFTER_INTENT: _line(Proof.NONE, Again.PERSON, str(Death.AFTER_INTENT)),
    }
)

#: Outcomes of a poll by their class; an end without any picture is judged by `FAILURES`.
POLLS: Final[Mapping[type, Verdict]] = MappingProxyType(
    {
        Pending: _line(
            Proof.BOUGHT, Again.PERSON, "the task is under way, or has a status that nobody has documented"
        ),
        Ended: _line(Proof.BOUGHT, Again.PERSON, "the task has a picture"),
        PollFailed: _line(Proof.BOUGHT, Again.PERSON, "no usable answer about the task"),
    }
)

#: How a task ends without a picture, by what HiDream says of its sub-tasks.
FAILURES: Final[Mapping[SubFailureKind, Verdict]] = MappingProxyType(
    {
        SubFailureKind.FAILED: _line(
            Proof.NOTHING_MADE, Again.MACHINE, "status 3: up to limits.max_attempts tasks"
        ),
        SubFailureKind.NOTHING: _line(
            Proof.NOTHING_MADE, Again.MACHINE, "status 1004 to 1006: one more task"
        ),
        SubFailureKind.MODERATED: _line(Proof.NOTHING_MADE, Again.PERSON, "status 4: moderation"),
        SubFailureKind.MISSING: _line(
            Proof.BOUGHT, Again.PERSON, "not listed, though the reply to the submit named it"
        ),
    }
)

#: Paid tasks that were given up, by the kind of the job's failure: the old task is asked again, never a new one bought.
LOSSES: Final[Mapping[str, Verdict]] = MappingProxyType(
    {
        kind: _line(Proof.BOUGHT, Again.PERSON, f"{kind}: the next run asks the old task")
        for kind in sorted(PAID_LOSSES)
    }
)
