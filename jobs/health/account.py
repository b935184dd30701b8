"""The account's gate in words: open, or why nothing goes out and what ends it; for whoever waits and for whoever asks."""

from collections.abc import Mapping
from typing import Final

from jobs.config.advice import command
from jobs.config.settings import LimitSettings
from jobs.ledger import Ledger
from jobs.ledger.budgets import budgets
from jobs.ledger.records import GateState
from jobs.ledger.shut import RECOVERING, shut_kind
from jobs.records import BatchId

#: What a person does about a breaker that only a person closes; then comes `vton resume`.
ADVICE: Final[Mapping[str, str]] = {
    "token": "a new token (HIDREAM_TOKEN)",
    "credits": "buy credits",
    "module": "look at hidream.submit_path and the account's module",
}
#: What a person does about a ledger that is not the one of last time.
LOST_ACTION: Final = "restore it, or accept that by --accept-new-ledger at the next run"


def is_recovering(gate: GateState) -> bool:
    """Whether a server has taken over, and orders that it may lack are awaited."""
    return (gate.paused or "").startswith(RECOVERING)


def shut_words(gate: GateState, *, simulated: bool, now_ms: float | None = None) -> str:
    """Why the gate is shut and what opens it; empty when it is open. `now_ms`: as `shut_kind` has it."""
    resume, doctor = command("resume", simulated=simulated), command("doctor", simulated=False)
    match shut_kind(gate, now_ms):
        case "":
            return ""
        case "paused":
            opens = "it opens by itself" if is_recovering(gate) else resume
            return f"paused: {gate.paused} ({opens})"
        case "throttled":
            return f"throttled: {gate.closed_why}"
        case "not_reached":
            look = (
                "the simulator's log"
                if simulated
                else f"operations: DNS, network, hidream.base_url; {doctor}"
            )
            return f"not reached: {gate.closed_why} ({look})"
        case "replicas_behind":
            return f"replicas behind: {gate.closed_why} (operations: Redis' replicas; {doctor})"
        case breaker:
            return f"waiting, {breaker}: {gate.breaker_why} (tried again by itself; at once: {resume})"


def budget_reached(ledger: Ledger, limits: LimitSettings, batch_id: BatchId | None = None) -> str:
    """Which budget keeps jobs waiting: the batch's own, if one is named, or the day's; empty when none does."""
    return next((one.reached_words for one in budgets(ledger, limits, batch_id) if one.reached), "")
