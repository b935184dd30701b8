"""The account's gate in words: open, or why nothing goes out and what ends it; for whoever waits and for whoever asks."""

import time
from collections.abc import Mapping

from jobs.ledger import Ledger
from jobs.records import BatchId
from jobs.settings import LimitSettings


def shut_kind(gate: Mapping[str, str]) -> str:
    """What shuts the gate in a word: paused, the breaker's reason, not_reached or throttled; empty when it is open."""
    if "paused" in gate:
        return "paused"
    if "breaker" in gate:
        return gate["breaker"]
    if float(gate.get("closed_until", 0)) / 1000 > time.time():
        return "not_reached" if not_reached(gate) else "throttled"
    return ""


def shut_words(gate: Mapping[str, str]) -> str:
    """Why the gate is shut; empty when it is open. `gate`: its hash."""
    if "paused" in gate:
        return f"paused: {gate['paused']} (vton resume)"
    if "breaker" in gate:
        return f"waiting, {gate['breaker']}: {gate.get('breaker_why', '')} (tried again by itself; at once: vton resume)"
    if float(gate.get("closed_until", 0)) / 1000 > time.time():
        return closed_words(gate)
    return ""


def closed_words(gate: Mapping[str, str]) -> str:
    """Why everybody waits for a moment: HiDream has said so, or it was not reached at all."""
    why = gate.get("closed_why", "")
    if not_reached(gate):
        return f"not reached: {why} (operations: DNS, network, hidream.base_url; vton doctor)"
    return f"throttled: {why}"


def not_reached(gate: Mapping[str, str]) -> bool:
    """Whether the gate was last closed because nothing could be sent."""
    return gate.get("closed_by") == "unsent"


def budget_reached(ledger: Ledger, limits: LimitSettings, batch_id: BatchId | None = None) -> str:
    """Which budget keeps jobs waiting: the batch's own, if one is named, or the day's; empty when none does."""
    of_batch, of_day = limits.max_images_per_batch, limits.max_images_per_day
    if of_batch and batch_id and ledger.spent_by(batch_id) >= of_batch:
        return f"the batch's budget of {of_batch} pictures is reached (limits.max_images_per_batch)"
    if of_day and ledger.spent_today() >= of_day:
        return f"the day's budget of {of_day} pictures is reached (limits.max_images_per_day)"
    return ""
