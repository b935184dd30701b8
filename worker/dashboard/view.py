"""A look as the parts of the page: what is said where, in words and numbers. Pure; the templates escape every text."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from jobs.health.account import shut_words
from jobs.health.facts import Facts
from jobs.health.flow import figures
from jobs.health.rules import alive
from jobs.records import BatchStatus
from jobs.units import counted, duration
from worker.dashboard.look import Look
from worker.site.answers import templates

PACKAGE: Final = "worker.dashboard"
#: The parts by their ids, each of a template of its name.
PARTS: Final = (
    "account", "verdict", "numbers", "batches", "unknown", "pictures", "failures", "processes", "acts",
)  # fmt: skip
#: Batches in the list: all that are open, and the newest of the others.
_BATCHES_SHOWN: Final = 12
#: In what order statuses stand in a bar, and what counts as which.
_BAR: Final[Mapping[str, Sequence[str]]] = {
    "succeeded": ("succeeded",),
    "failed": ("failed",),
    "rejected": ("rejected",),
    "unknown": ("unknown",),
    "invalid": ("invalid",),
    "cancelled": ("cancelled",),
    "under way": ("submitting", "submitted"),
    "queued": ("queued",),
}
_BAR_WIDTH: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Something that was done from this page."""

    at_ms: int
    words: str


def draw(look: Look, done: Iterable[Done], *, acting: bool) -> dict[str, str]:
    """The parts of the page as HTML. `acting`: the viewer may act."""
    given = {
        **_context(look),
        "look": look,
        "acting": acting,
        "done": list(done),
        "clock": clock,
        "quoted": lambda text: quote(str(text), safe=""),
        "counted": counted,
        "quoted_path": quote,
    }
    found = templates(PACKAGE)
    return {part: found.get_template(f"part_{part}.html").render(given) for part in PARTS}


def clock(ms: float | None) -> str:
    """A moment, short: `27 Nov 21:14:05`."""
    if ms is None:
        return "at an unknown time"
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%d %b %H:%M:%S}"


def _context(look: Look) -> dict[str, Any]:
    facts = look.facts
    if facts is None:
        empty: dict[str, Any] = dict.fromkeys(("shut", "closed", "read_at", "slots", "pace", "left"), "")
        return empty | {"batches": [], "more": 0, "groups": [], "ends": 0, "processes": []}
    shut = shut_words(facts.gate, simulated=facts.simulated, now_ms=facts.read_ms).rpartition(" (")[0]
    listed = _listed(facts)
    return {
        "shut": shut or facts.budget,
        "closed": bool(shut),
        "read_at": clock(facts.read_ms),
        **_numbers(facts),
        "batches": [_batch(each) for each in listed],
        "more": len(facts.batches) - len(listed),
        "groups": _groups(facts),
        "ends": len(facts.ends),
        "processes": _processes(facts),
    }


def _numbers(facts: Facts) -> dict[str, Any]:
    found = figures(facts)
    pace, allowed = found["per_minute"], found["per_minute_allowed"] or 0.0
    left: dict[str, str] = {"eta": "", "deadline": ""}
    if facts.open_batches:
        left["eta"] = duration(found["eta_s"] or 0)
    if (deadline_s := found["deadline_s"]) is not None:
        when = f"in {duration(deadline_s)}" if deadline_s >= 0 else f"{duration(-deadline_s)} ago"
        left["deadline"] = f"deadline {when}"
    return {
        "slots": {
            "used": facts.slots,
            "limit": facts.in_flight,
            "width": _share(facts.slots, facts.in_flight),
        },
        "pace": {
            "now": None if pace is None else f"{pace:.1f}",
            "allowed": f"{allowed:,.1f}".removesuffix(".0"),
            "width": _share(pace or 0, allowed),
        },
        "left": left,
    }


def _share(part: float, whole: float) -> int:
    return round(min(1.0, part / whole) * _BAR_WIDTH) if whole else 0


def _listed(facts: Facts) -> list[BatchStatus]:
    ended = [each for each in facts.batches if each.complete]
    kept = {each.batch_id for each in ended[: max(0, _BATCHES_SHOWN - len(facts.open_batches))]}
    return [each for each in facts.batches if not each.complete or each.batch_id in kept]


def _batch(status: BatchStatus) -> dict[str, Any]:
    counts = {name: sum(status.counts.get(state, 0) for state in states) for name, states in _BAR.items()}
    bar, at = [], 0.0
    for name, count in counts.items():
        width = _BAR_WIDTH * count / max(1, status.rows)
        if count:
            bar.append((name.replace(" ", "-"), f"{at:.1f}", f"{width:.1f}"))
        at += width
    state = "complete" if status.complete else f"{status.open} open" if status.sealed else "being read"
    return {
        "id": status.batch_id,
        "since": clock(status.created_ms),
        "state": state,
        "complete": status.complete,
        "rows": status.rows,
        "done": counts["succeeded"],
        "counts": {name: count for name, count in counts.items() if count and name != "succeeded"},
        "bar": bar,
        "ordered": status.ordered,
        "perhaps": status.perhaps_charged,
    }


def _groups(facts: Facts) -> list[dict[str, Any]]:
    """Failures among the newest ends by reason and owner, the most frequent first."""
    found = Counter((end.kind or str(end.state), str(end.owner)) for end in facts.ends if end.bad)
    newest = {(end.kind or str(end.state), str(end.owner)): end.at_ms for end in reversed(facts.ends)}
    return [
        {"kind": kind, "owner": owner, "count": count, "last": clock(newest[kind, owner])}
        for (kind, owner), count in found.most_common()
    ]


def _processes(facts: Facts) -> list[dict[str, Any]]:
    """Those that were heard, the silent ones first."""
    living = alive(facts)
    found = [
        {
            "alive": each in living,
            "role": each.role,
            "host": each.host,
            "pid": each.pid,
            "version": each.version,
            "up": duration(each.up_ms / 1000),
            "act": "nothing yet" if each.idle_ms is None else f"{duration(each.idle_ms / 1000)} ago",
            "silent": duration(max(0, facts.read_ms - each.at_ms) / 1000),
        }
        for each in facts.processes
    ]
    return sorted(found, key=lambda each: bool(each["alive"]))
