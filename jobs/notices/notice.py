"""A notice: what happened, to which batch, and what to do; as a value, and as the JSON that leaves the house."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from jobs.logging.redaction import redaction

#: For so long a cause must have gone before it is news again, s; and so long is kept what is said but once.
QUIET_S, ONCE_S = 3600, 30 * 86400


class Event(StrEnum):
    """Of what there are notices; docs/notices.md says when each is sent."""

    #: Every row has its picture.
    ENDED = "batch.ended"
    #: Every row has ended, and some have none.
    GAPS = "batch.gaps"
    #: A run ended before its rows had.
    STOPPED = "batch.stopped"
    #: At its pace the batch will not be over by its deadline.
    DEADLINE = "deadline.danger"
    BREAKER = "breaker.opened"
    PAUSED = "gate.paused"
    #: Rows are unknown for long: they may have been bought.
    UNKNOWN = "unknown.waiting"
    #: Something is to be done and nobody does it, or a host or several processes are gone.
    WORKERS = "workers.missing"
    #: A judgement of `vton status` that has no notice of its own.
    WRONG = "health.wrong"
    #: Somebody tries whether notices arrive.
    TEST = "notice.test"


Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to be said."""

    event: Event
    severity: Severity
    #: One line for people.
    title: str
    #: What to do; empty when nothing is.
    todo: str = ""
    #: None: it is about the account.
    batch: str | None = None
    #: What tells it from another notice of the same event and batch.
    cause: str = ""
    #: Its numbers; of a batch that has ended those of summary.json.
    facts: Mapping[str, Any] = field(default_factory=dict)
    #: For so long it is not said again, from the last time that somebody has seen its cause.
    quiet_s: int = QUIET_S

    def key(self, ledger: str) -> str:
        """What every process calls this notice. `ledger`: prefix of its keys."""
        named = "\n".join((ledger, self.event, self.batch or "", self.cause))
        return hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()[:32]

    def content(self, ledger: str, now: datetime | None = None) -> dict[str, Any]:
        """What is sent: without secrets, whatever words a vendor's answer has brought in. `now`: with its time zone."""
        at = (now or datetime.now(UTC)).astimezone(UTC)
        said = {
            "id": self.key(ledger),
            "event": self.event.value,
            "severity": self.severity,
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "shop": ledger,
            "host": platform.node(),
            "batch": self.batch,
            "title": self.title,
            "todo": self.todo,
            "text": "\n".join(line for line in (self.title, self.todo) if line),
            "facts": dict(self.facts),
        }
        return dict(redaction(None, "", said))


def encoded(content: Mapping[str, Any]) -> bytes:
    """The content as the bytes that are sent and signed."""
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
