"""What is said of the account beside permits: pauses, bad answers that open the breaker, paid tasks that were lost."""

from typing import Literal
from uuid import uuid4

from jobs.ledger.script import Call, script

#: What results do not come for, see doubt.lua.
DoubtCause = Literal["odd", "silence", "pictures"]
#: First and longest wait before a probe asks an open breaker's account, ms.
PROBE_MS = (5_000, 300_000)
#: Answers in a row that say nothing good before the breaker opens by itself.
STREAK = 5
#: The same for answers that no application has written: the next job gets such a one too, and each may have been bought.
BARE_STREAK = 2
#: Paid tasks lost without a picture in between before the account is paused.
LOST = 3
#: What the streak script answers when it is not the account's fault.
_OTHERS_ACCEPTED = 2


def count_bad_answer(reason: str, why: str, *, enough: int = STREAK) -> Call[bool]:
    """One more answer that says nothing good; `enough` of them in a row open the breaker. True when it opens with it."""
    return _say("streak", reason, why, enough, *PROBE_MS, "")


def suspect_token(why: str, since_ms: int | None) -> Call[bool]:
    """A poll's token was refused: the breaker opens, unless others have been accepted since.

    `since_ms`: since when this task's polls have been refused; None: this is the first. True: it is the task's own trouble.
    """
    args = (uuid4().hex, "token", why, 1, *PROBE_MS, "" if since_ms is None else since_ms)
    return Call(script("jobs.gate", "streak"), args, lambda reply: reply == _OTHERS_ACCEPTED)


def pause(why: str) -> Call[bool]:
    """Pauses the account; a pause that is there already stays as it is. True when this one is new."""
    return _say("pause", why)


def unpause(why: str) -> Call[bool]:
    """Takes back a pause that was made with this reason; a person's own stays."""
    return _say("unpause", why)


def count_lost(why: str) -> Call[bool]:
    """A paid task is lost; after LOST of them without a picture in between the account is paused: a person must look."""
    return _say("lost", why, LOST)


def doubt(cause: DoubtCause, why: str, request_id: str = "") -> Call[bool]:
    """Results do not come: the breaker opens until they do, see doubt.lua. True when it has just been opened.

    `request_id`: the job that has an undocumented status.
    """
    return _say("doubt", cause, why, *PROBE_MS, request_id)


def _say(name: str, *args: str | int) -> Call[bool]:
    return Call(script("jobs.gate", name), (uuid4().hex, *args), bool)
