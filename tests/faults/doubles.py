"""What the scenarios with the double share: its rules, how a batch stands, and what became of it."""

from collections.abc import Mapping
from typing import Any

from jobs.records import BatchId
from tests.double.process import Double
from tests.faults.rig import Rig
from tests.faults.scene import Scene, Setup

Rule = dict[str, Any]


def rule(at: str, do: str, *, when: Mapping[str, Any] | None = None, **more: Any) -> Rule:
    """One rule of the double's script, see tests/double/account.py."""
    return {"at": at, "do": do, "when": dict(when or {}), **more}


def of(number: int) -> dict[str, Any]:
    """When it is about the pair of this number."""
    return {"match": f"garments/{number}.jpg"}


def against_double(**more: Any) -> Setup:
    """A setup whose vendor is the double."""
    return Setup(**({"double": {}} | more))


def double_of(scene: Scene) -> Double:
    """The vendor of a scene, which is the double."""
    assert isinstance(scene.simulator, Double)
    return scene.simulator


def id_of(scene: Scene, number: int) -> str:
    """The request id under which the pair of a number was sent."""
    (found,) = {
        task["request_id"] for task in double_of(scene).tasks() if f"garments/{number}.jpg " in task["text"]
    }
    return str(found)


def struck(scene: Scene) -> int:
    """Faults that the double has shown."""
    return sum(double_of(scene).totals()["faults"].values())


def ending(scene: Scene, batch: BatchId) -> str:
    """How a batch ended, or what it waits for as the gate says it."""
    status = scene.status(batch)
    counts = ", ".join(f"{n} {state}" for state, n in sorted(status.counts.items()))
    if status.complete:
        return f"ended: {counts}"
    return f"{gate_words(scene) or 'under way'}: {counts}"


def gate_words(scene: Scene) -> str:
    """Why the account's gate is shut; empty: it is open."""
    gate = scene.ledger.gate()
    if gate.paused:
        return f"paused: {gate.paused}"
    if gate.breaker:
        return f"waits, {gate.breaker}: {gate.breaker_why}"[:120]
    return gate.closed_why[:120]


def kinds(rig: Rig, batch: BatchId) -> dict[str, int]:
    """Failures of a batch's jobs by kind."""
    found: dict[str, int] = {}
    for job in rig.jobs(batch).values():
        if job.failure is not None:
            found[job.failure.kind] = found.get(job.failure.kind, 0) + 1
    return found


def expect(rig: Scene, batch: BatchId, **counts: int) -> list[str]:
    """A sentence when a batch has not ended with these numbers of rows by status."""
    found = dict(rig.status(batch).counts)
    return [] if found == counts else [f"ended with {found}, not {counts}"]


def tasks_made(scene: Scene, wanted: int) -> list[str]:
    """A sentence when the double has made another number of tasks."""
    made = len(double_of(scene).tasks())
    return [] if made == wanted else [f"{made} tasks were made for {wanted} pairs"]
