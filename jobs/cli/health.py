"""The health of a whole shop as a command finds it."""

from jobs.cli.advice import is_simulated
from jobs.cli.deadline import read_deadline
from jobs.cli.ledger_identity import lost_action
from jobs.cli.session import Session
from jobs.health import reading
from jobs.health.assessment import Health
from jobs.health.facts import Facts
from jobs.records import BatchId


def read_health(
    opened: Session, lost: str, *, only: BatchId | None = None, deadline: str = ""
) -> tuple[Facts, Health]:
    """Reads and assesses. Raises RedisDownError, UsageError.

    `lost`: why the ledger cannot be the one of last time, or empty; `deadline`: as a person says it, or empty.
    """
    return reading.read_health(
        opened.ledger,
        opened.settings,
        lost=lost,
        lost_action=lost_action(opened, lost),
        simulated=is_simulated(opened.ledger),
        only=only,
        deadline_ms=round(read_deadline(deadline).timestamp() * 1000) if deadline else None,
    )
