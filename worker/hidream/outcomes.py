"""What HiDream's answers mean, as values: six ends of a submit, three of a poll, four ways a sub-task fails.

```
SubmitOutcome                                     PollOutcome
├── Accepted  bought, a task runs                 ├── Pending     ask again later
├── Refused   nothing bought, this job has failed    ├── Ended       every sub-task is final
├── Busy      nothing bought, come back later     └── PollFailed  no usable answer, ask again later
├── Paused    nothing bought, no job of the account is taken: the breaker opens
├── NotSent   nothing bought, try again
└── Unknown   it may have been bought
```
"""

from dataclasses import dataclass, field
from enum import StrEnum

from jobs.records import Failure, PauseReason, TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An answer to a submit, as it was judged."""

    #: The status of the answer; None when there was none. No part of what was judged.
    http_status: int | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted(Judged):
    """HiDream took the job: it is bought, and a task runs."""

    task_id: TaskId
    #: One per picture; may be empty when the reply leaves them out.
    sub_task_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Judged):
    """HiDream will not do this job; nothing was bought."""

    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy(Judged):
    """HiDream has no room now; nothing was bought."""

    reason: str
    #: Seconds from the reply, 0 to 3,600; None when HiDream names none.
    retry_after_s: float | None = None
    #: True for 429: the account's own rate was too high.
    throttled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Judged):
    """HiDream takes no job of this account; nothing was bought, and the job is as good as before."""

    reason: PauseReason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent(Judged):
    """HiDream cannot have had the whole request, so nothing was bought."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(Judged):
    """The whole request went out and no answer proves anything: it may have been bought."""

    reason: str
    #: It answers another request: its connection is not to be used again.
    mixed: bool = False
    #: An answer that no application of HiDream has written: a gateway's, which the next job will get too.
    bare: bool = False
    #: HTTP 429 all the same: everybody waits, and the account's rate was too high.
    throttled: bool = False
    #: Seconds from the reply, 0 to 3,600; None when it names none.
    retry_after_s: float | None = None


SubmitOutcome = Accepted | Refused | Busy | Paused | NotSent | Unknown


class SubFailureKind(StrEnum):
    """How a sub-task ends without a picture."""

    #: Status 3; may be a passing congestion.
    FAILED = "failed"
    #: Status 4.
    MODERATED = "moderated"
    #: Status 1004 to 1006: the algorithm found nothing to make.
    NOTHING = "nothing"
    #: The reply to the submit named it, the result does not list it.
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubFailure:
    """One sub-task that is final and has no picture."""

    kind: SubFailureKind
    #: As HiDream wrote it, cut to 40 characters.
    status: str
    #: HiDream's own words, cleaned; may be empty.
    message: str = ""
    sub_task_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Every sub-task is final. Pictures and failures side by side are normal."""

    #: Addresses, or bare ids to be joined with the configured prefix.
    pictures: tuple[str, ...] = ()
    failures: tuple[SubFailure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """The task is under way."""

    #: Mean of its sub-tasks, 0 to 1; None when HiDream names none.
    progress: float | None = None
    #: No sub-task has begun.
    queued: bool = False
    #: A status that nobody has documented, as HiDream wrote it, cut to 40 characters: it says nothing of the end.
    odd: str = ""
    #: What its final sub-tasks have brought so far; None when none is final.
    so_far: Ended | None = None
    #: Every sub-task that is listed is final, but fewer are listed than the submit reply named.
    incomplete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PollFailed:
    """No usable answer about a task; the task itself may be fine."""

    reason: str
    #: HTTP 404: HiDream does not know the task, or not yet.
    missing: bool = False
    #: Seconds, 0 to 3,600; None when HiDream names none.
    retry_after_s: float | None = None
    #: The token was refused, a renewed one too.
    auth: bool = False
    #: It answers about another task: its connection is not to be used again.
    mixed: bool = False


PollOutcome = Pending | Ended | PollFailed
