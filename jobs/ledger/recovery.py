"""What a results file still knows of a job that its ledger has lost."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from uuid import uuid4

from jobs.ledger.script import Call, script
from jobs.records import JobState, RequestId, TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One job as a results file knows it."""

    request_id: RequestId
    #: succeeded, failed or rejected; unknown; or submitted: its task is known, and is asked for again.
    state: JobState
    #: None only for an unknown one.
    task_id: TaskId | None
    #: As the ledger keeps it, see jobs.ledger.codec.
    pair: str
    #: The rest of the job's hash, see job_fields; empty texts leave nothing.
    fields: Mapping[str, str]


class Brought(IntEnum):
    """What became of a finding."""

    #: The ledger knows as much or more.
    KNOWN = 0
    #: The job is as the file knows it.
    IN = 1
    #: Its task id is another job's in this ledger.
    CLASH = 2


def bring_in(finding: Finding) -> Call[Brought]:
    """Brings a job in; nothing is bought by it, now or later, that the file knows to be bought."""
    flat = [text for pair in finding.fields.items() if pair[1] for text in pair]
    args = (
        finding.request_id,
        uuid4().hex,
        uuid4().hex,
        finding.state.value,
        finding.task_id or "",
        finding.pair,
        *flat,
    )
    return Call(script("jobs.ledger", "recover"), args, Brought)
