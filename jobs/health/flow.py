"""Flow: whether rows end as fast as the account allows, and when the last one will have."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from jobs.config.advice import command
from jobs.config.exit_codes import ExitCode
from jobs.health.account import ADVICE, is_recovering, shut_words
from jobs.health.facts import Facts
from jobs.health.liveness import missing_role, start
from jobs.health.rules import Assessment, Rule, alive, ok, warning, wrong
from jobs.ledger.shut import shut_kind
from jobs.records import BatchStatus, Owner
from jobs.units import counted, duration

#: Nothing sent although there is room, and nothing ended although tasks are under way, for at least so long, ms.
UNSENT_MS: Final = 90_000
UNENDED_MS: Final = 180_000
#: The pace is taken from the ends of this time at most, ms, and from so many at least.
PACE_MS: Final = 600_000
FEW_ENDS: Final = 10
#: Below this share of what the account allows rows end slowly.
SLOW: Final = 0.5


def _ledger_lost(facts: Facts) -> Assessment | None:
    if not facts.lost:
        return None
    why, _, itself = facts.lost.partition(": ") if not facts.lost_action else (facts.lost, "", "")
    return wrong(f"nothing is bought: {why}", facts.lost_action or itself, ExitCode.CONFIG)


#: Of what nobody has to end, but somebody should look at.
_LOOK_AT = {"not_reached": "DNS, network and hidream.base_url", "replicas_behind": "Redis' replicas"}


def _all_ended(facts: Facts) -> Assessment | None:
    if facts.open_batches:
        return None
    return ok("every row has ended" if facts.batches else "there is no batch", figures={"rows": 0})


def _tried_again(facts: Facts) -> Assessment | None:
    kind = shut_kind(facts.gate, facts.read_ms)
    if kind not in _LOOK_AT:
        return None
    return wrong(
        _shut_evidence(facts),
        f"look at {_LOOK_AT[kind]} ({command('doctor', simulated=False)}); it is tried again by itself",
    )


def _shut_evidence(facts: Facts) -> str:
    said = shut_words(facts.gate, simulated=facts.simulated, now_ms=facts.read_ms).rpartition(" (")[0]
    return f"{_waiting(facts)}; {said}"


def _shut(facts: Facts) -> Assessment | None:
    evidence = _shut_evidence(facts)
    match shut_kind(facts.gate, facts.read_ms):
        case "":
            return None
        case "throttled":
            left_s = (facts.gate.closed_until - facts.read_ms) / 1000
            return warning(f"{_waiting(facts)}; HiDream said 429", f"nothing: it ends in {duration(left_s)}")
        case "paused" if is_recovering(facts.gate):
            return warning(evidence, reopened(facts))
        case "paused":
            return wrong(evidence, reopened(facts), ExitCode.CONFIG)
        case "vendor":
            return wrong(evidence, reopened(facts), owner=Owner.VENDOR)
        case _:
            return wrong(evidence, reopened(facts), ExitCode.CONFIG)


def reopened(facts: Facts) -> str:
    """What opens a gate that was paused, or whose breaker is open."""
    if is_recovering(facts.gate):
        return "nothing: it opens by itself when every process has brought in its orders"
    resume = command("resume", simulated=facts.simulated)
    if facts.gate.paused is None and facts.gate.breaker == "vendor":
        return f"ask HiDream; it is tried again by itself, at once by {resume}"
    known = "" if facts.gate.paused is not None else facts.gate.breaker or ""
    return f"{ADVICE.get(known, 'look at the reason')}, then {resume}"


def _budget(facts: Facts) -> Assessment | None:
    if not facts.budget:
        return None
    action = "raise it and start the workers again, or wait for the next UTC day"
    return wrong(f"{_waiting(facts)}; {facts.budget}", action, ExitCode.BUDGET)


def _unmanned(facts: Facts) -> Assessment | None:
    missing = missing_role(facts)
    if not missing:
        return None
    return wrong(f"{_waiting(facts)}; no {missing} worker lives", start(facts, missing))


def _late(facts: Facts) -> Assessment | None:
    nearest = _nearest(facts)
    if nearest is None or nearest.spare_s >= 0:
        return None
    left_s, eta_s = nearest.left_s, nearest.eta_s
    when = (
        f"the deadline was {duration(-left_s)} ago"
        if left_s < 0
        else f"the deadline is in {duration(left_s)}"
    )
    evidence = f"{_open(facts, nearest.batch)} open, {duration(eta_s)} to go at this pace; {when}"
    return wrong(evidence, in_time(facts, facts.named), ExitCode.DEADLINE, figures=figures(facts))


def in_time(facts: Facts, named: str) -> str:
    """What may let a batch keep its deadline."""
    cancel = command(f"cancel {named}", simulated=facts.simulated)
    if _allowed(facts) < facts.per_minute * 0.9:
        return f"have HiDream raise the account's parallel tasks, or take out what can wait ({cancel})"
    return f"take out what can wait ({cancel}), or move the deadline"


def _unsent(facts: Facts) -> Assessment | None:
    """Jobs wait, there is room, and nobody sends: a worker that lives and does nothing."""
    patience_ms = UNSENT_MS + 60_000 / facts.per_minute
    gate, worked_ms = facts.gate, _worked_ms(facts, "submit")
    quiet_ms = facts.read_ms - max(gate.last_begun, gate.last_accept, gate.closed_until, gate.tat, worked_ms)
    if not facts.queued or facts.slots >= facts.in_flight or quiet_ms <= patience_ms:
        return None
    evidence = (
        f"{counted(facts.queued, 'job')} waiting, {facts.slots} of {counted(facts.in_flight, 'slot')} in use, and"
        f" nothing was sent for {duration(quiet_ms / 1000)}"
    )
    return wrong(evidence, "read the submit workers' log, then start them again", figures=figures(facts))


def _unended(facts: Facts) -> Assessment | None:
    """Tasks are under way and none ends."""
    patience_ms = max(UNENDED_MS, 10_000 * facts.latency_s)
    last_ms = facts.ends[0].at_ms if facts.ends else 0
    # By the last accepted one too: the first task after a pause has its own time.
    quiet_ms = facts.read_ms - max(last_ms, facts.gate.last_accept, _worked_ms(facts, "collect"))
    if not facts.tasks or quiet_ms <= patience_ms:
        return None
    evidence = (
        f"{counted(facts.tasks, 'task')} under way and none has ended for {duration(quiet_ms / 1000)}; one takes"
        f" {duration(facts.latency_s)}"
    )
    action = "ask HiDream about the newest task ids; if it shows them as ended, read the collect workers' log"
    return wrong(evidence, action, owner=Owner.VENDOR, figures=figures(facts))


def _slow(facts: Facts) -> Assessment | None:
    pace, allowed = _pace(facts), _allowed(facts)
    # What is under way shows the pace before the ends do: after a pause the slots are full at once.
    full = facts.slots >= min(facts.in_flight, facts.per_minute / 60 * facts.latency_s) * SLOW
    if pace is None or not facts.queued or full or pace >= allowed * SLOW:
        return None
    evidence = f"rows end at {pace:.1f} a minute, the account allows {allowed:.1f}"
    action = f"{command('doctor', simulated=False)}: its line `pace` says what is set too low"
    return warning(evidence, action, figures=figures(facts))


def _flows(facts: Facts) -> Assessment:
    pace, until_s, nearest = _pace(facts), eta_s(facts), _nearest(facts)
    reading = "" if all(batch.sealed for batch in facts.open_batches) else ", not all are read yet"
    evidence = f"{_open(facts)} open{reading}, {duration(until_s)} to go"
    evidence += f" at {pace:.1f} a minute" if pace is not None else " at what the account allows"
    if nearest is not None:
        evidence += f", {duration(nearest.spare_s)} before the deadline"
    return ok(evidence, figures=figures(facts))


def _open(facts: Facts, batch: BatchStatus | None = None) -> str:
    """Rows that are open, of a batch or of all; second takes are none of them, and stand for themselves."""
    batches = facts.open_batches if batch is None else (batch,)
    count = facts.open_rows if batch is None else batch.open
    takes = any(each.retakes for each in batches)
    return counted(count, "row or second take", "rows or second takes") if takes else counted(count, "row")


def _waiting(facts: Facts) -> str:
    return f"{_open(facts)} open"


def figures(facts: Facts) -> Mapping[str, float | None]:
    """Flow in numbers, whatever is judged of it."""
    nearest = _nearest(facts)
    return {
        "rows": facts.open_rows,
        "queued": facts.queued,
        "slots": facts.slots,
        "slots_allowed": facts.in_flight,
        "per_minute": _pace(facts),
        "per_minute_allowed": _allowed(facts),
        "eta_s": eta_s(facts),
        "deadline_s": None if nearest is None else nearest.left_s,
    }


def _allowed(facts: Facts) -> float:
    """Rows a minute that the account lets end: by its rate, as far as 429 leaves it, and by its parallel tasks."""
    return min(facts.per_minute * facts.gate.factor, facts.in_flight / facts.latency_s * 60)


def _pace(facts: Facts) -> float | None:
    """Rows that end a minute, by the newest ends; None while there are too few of them."""
    ends = [end.at_ms for end in facts.ends if end.at_ms >= facts.read_ms - PACE_MS]
    if len(ends) < FEW_ENDS:
        return None
    # Since the first of them: what stood still before is no pace, what stands still since is.
    return len(ends) / max(1, facts.read_ms - ends[-1]) * 60_000


def eta_s(facts: Facts, batch: BatchStatus | None = None) -> float:
    """Until the last open row of a batch, or of all, has ended, s: what waits, at the pace there is, and one task's time."""
    pace = _pace(facts) or _allowed(facts)
    ahead = facts.ahead if batch is None else facts.before(facts.waiting.get(batch.batch_id, 0))
    still_open = facts.open_rows if batch is None else batch.open
    return ahead / max(pace, 0.001) * 60 + (facts.latency_s if still_open else 0)


class Margin(Struct, frozen=True, kw_only=True):
    """A deadline, and what is to be done until then."""

    #: None: all that is open, by the deadline of whoever asks.
    batch: BatchStatus | None
    #: Until the deadline, and until the last row will have ended.
    left_s: float
    eta_s: float

    @property
    def spare_s(self) -> float:
        """How long before the deadline it will be over; below 0: after it."""
        return self.left_s - self.eta_s


def margins(facts: Facts) -> list[Margin]:
    """Of every open batch that is to be over by a moment."""
    return [
        Margin(
            batch=batch,
            left_s=(facts.deadlines[batch.batch_id] - facts.read_ms) / 1000,
            eta_s=eta_s(facts, batch),
        )
        for batch in facts.open_batches
        if batch.batch_id in facts.deadlines
    ]


def _nearest(facts: Facts) -> Margin | None:
    """The deadline that is in danger first; None: there is none."""
    if facts.deadline_ms is None:
        return min(margins(facts), key=lambda each: each.spare_s, default=None)
    left_s = (facts.deadline_ms - facts.read_ms) / 1000
    return Margin(batch=None, left_s=left_s, eta_s=eta_s(facts))


def _worked_ms(facts: Facts, role: str) -> float:
    """Since when there has been something to do, and a worker of this role that could do it."""
    up_ms = max((each.up_ms + facts.read_ms - each.at_ms for each in alive(facts, role, "worker")), default=0)
    return max(facts.begun_ms, facts.read_ms - up_ms)


RULES: Final[Sequence[Rule]] = (
    _ledger_lost, _all_ended, _tried_again, _shut, _budget, _unmanned, _late, _unsent, _unended, _slow, _flows,
)  # fmt: skip
