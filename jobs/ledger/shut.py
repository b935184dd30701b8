"""What shuts the account's gate, in a word."""

import time

from jobs.ledger.records import GateState

#: How long a try may take before HiDream counts as reached again, ms.
TRY_MS = 10_000
#: How a pause begins that ends by itself, when every process has brought in its orders; see begin_recovery in prelude.lua.
RECOVERING = "recovering: "
#: Every answer of `shut_kind` but the empty one.
SHUT_KINDS = ("paused", "token", "credits", "module", "vendor", "not_reached", "replicas_behind", "throttled")

#: What nobody has to end, since it is tried again and again: nothing could be sent, or replicas did not confirm intents.
_BETWEEN_TRIES = {"unsent": "not_reached", "replicas": "replicas_behind"}


def shut_kind(gate: GateState, now_ms: float | None = None) -> str:
    """What shuts the gate in a word: paused, the breaker's reason, or one of the last three; empty when it is open.

    `now_ms`: the ledger's time; without one this machine's clock is asked.
    """
    if gate.paused is not None:
        return "paused"
    if gate.breaker is not None:
        return gate.breaker
    shut_ms = gate.closed_until - (time.time() * 1000 if now_ms is None else now_ms)
    tried = _BETWEEN_TRIES.get(gate.closed_by)
    if tried and gate.last_accept <= gate.closed_at:
        # Nothing has been accepted since. Between two tries it is open for a moment, which is no news.
        return tried if shut_ms > -TRY_MS else ""
    if shut_ms <= 0:
        return ""
    return "replicas_behind" if tried == "replicas_behind" else "throttled"
