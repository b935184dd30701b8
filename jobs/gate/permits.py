"""What the permit script answers: leave to submit one job, a wait, or nothing to submit."""

from dataclasses import dataclass
from typing import Any, Literal

from jobs.errors import LedgerLostError
from jobs.ledger.codec import decode_job, decode_latency
from jobs.records import Job, Latency, RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Leave to submit one job, once, at `go_ms` on Redis' clock."""

    job: Job
    #: Fences everybody else off the job.
    claim: str
    go_ms: int
    now_ms: int
    #: This submit tries whether an open breaker may close.
    probe: bool
    latency: Latency | None

    @property
    def request_id(self) -> RequestId:
        """The job's id."""
        return self.job.request_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """No permit now."""

    #: paused | throttled | slots | rate | budget, or the breaker's reason.
    reason: str
    ms: int
    detail: str


class Empty:
    """Nothing waits to be submitted."""


#: What the begin script answers.
Begin = Literal["go", "closed", "fenced"]


def read_permit(reply: list[Any], token: str) -> Permit | Wait | Empty:
    """A reply of permit.lua. Raises LedgerLostError."""
    kind = reply[0]
    if kind == "granted":
        flat = reply[5]
        job = decode_job(reply[1], dict(zip(flat[::2], flat[1::2], strict=True)))
        return Permit(
            job=job,
            claim=token,
            go_ms=int(reply[2]),
            now_ms=int(reply[3]),
            probe=str(reply[4]) == "1",
            latency=decode_latency(reply[6]),
        )
    if kind == "wait":
        return Wait(reason=reply[1], ms=max(1, int(reply[2])), detail=reply[3])
    if kind == "empty":
        return Empty()
    raise LedgerLostError("the ledger is gone or another one: nothing is submitted")
