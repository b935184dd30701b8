"""The account's gate in words: open, or why nothing goes out and what ends it; for whoever waits and for whoever asks."""

import time

from jobs.cli.advice import command
from jobs.config.settings import LimitSettings
from jobs.ledger import Ledger
from jobs.ledger.records import GateState
from jobs.records import BatchId

#: How long a try may take before HiDream counts as reached again, ms.
TRY_MS = 10_000


def shut_kind(gate: GateState) -> str:
    """What shuts the gate in a word: paused, the breaker's reason, not_reached or throttled; empty when it is open."""
    if gate.paused is not None:
        return "paused"
    if gate.breaker is not None:
        return gate.breaker
    shut_ms = gate.closed_until - time.time() * 1000
    if _not_reached(gate):
        # Between two tries it is open for a moment, which is no news.
        return "not_reached" if shut_ms > -TRY_MS else ""
    return "throttled" if shut_ms > 0 else ""


def shut_words(gate: GateState, *, simulated: bool) -> str:
    """Why the gate is shut and what opens it; empty when it is open."""
    resume = command("resume", simulated=simulated)
    match shut_kind(gate):
        case "":
            return ""
        case "paused":
            return f"paused: {gate.paused} ({resume})"
        case "throttled":
            return f"throttled: {gate.closed_why}"
        case "not_reached":
            look = (
                "the simulator's log"
                if simulated
                else "operations: DNS, network, hidream.base_url; vton doctor"
            )
            return f"not reached: {gate.closed_why} ({look})"
        case breaker:
            return f"waiting, {breaker}: {gate.breaker_why} (tried again by itself; at once: {resume})"


def _not_reached(gate: GateState) -> bool:
    """Whether the gate was last closed because nothing could be sent, and nothing has been accepted since."""
    return gate.closed_by == "unsent" and gate.last_accept <= gate.closed_at


def budget_reached(ledger: Ledger, limits: LimitSettings, batch_id: BatchId | None = None) -> str:
    """Which budget keeps jobs waiting: the batch's own, if one is named, or the day's; empty when none does."""
    of_batch, of_day = limits.max_images_per_batch, limits.max_images_per_day
    if of_batch and batch_id and ledger.spent_by(batch_id) >= of_batch:
        return f"the batch's budget of {of_batch} pictures is reached (limits.max_images_per_batch)"
    if of_day and ledger.spent_today() >= of_day:
        return f"the day's budget of {of_day} pictures is reached (limits.max_images_per_day)"
    return ""
