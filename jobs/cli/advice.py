"""Commands that are advised: for a simulated shop each carries `--simulate`, or it would act on the real account."""

from jobs.config.advice import command
from jobs.ledger import Ledger

__all__ = ["SIMULATED", "command", "is_simulated"]

#: Simulated jobs live apart from real ones: a drawn picture must never be taken for a bought one.
SIMULATED = "simulated"


def is_simulated(ledger: Ledger) -> bool:
    """Whether a ledger is a simulated shop's."""
    return ledger.prefix.endswith(f"-{SIMULATED}")
