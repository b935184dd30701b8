"""A batch run under a fault script of the simulator, and what its faults may leave unknown."""

from pathlib import Path
from typing import Any

from tests.faults.outcome import Outcome
from tests.faults.rig import Rig, Setup
from tests.faults.verdict import judge

Rules = list[dict[str, Any]]

#: Faults at submit after which nobody can know whether it was bought.
UNKNOWABLE = frozenset(
    {
        "reset-before",
        "reset-after",
        "hang-before",
        "hang-after",
        "status-before",
        "status-after",
        "html",
        "truncated",
        "empty",
        "huge",
        "slow-loris",
        "no-result",
        "same-task-id",
    }
)


def struck(rig: Rig) -> dict[str, int]:
    """Faults that the simulator has shown, by `place:fault`."""
    found: dict[str, int] = rig.simulator.totals()["faults"]
    return found


def unknowable(rig: Rig) -> int:
    """How many jobs the submit faults shown may have left unknown; a shared task id holds two."""
    counts = {name.partition(":")[2]: n for name, n in struck(rig).items() if name.startswith("submit:")}
    return sum(n * (2 if name == "same-task-id" else 1) for name, n in counts.items() if name in UNKNOWABLE)


def batch_run(
    folder: Path,
    rules: Rules,
    *,
    jobs: int = 80,
    setup: Setup | None = None,
    may_fail: bool = False,
    within_s: float = 240,
) -> Outcome:
    """One batch under a fault script."""
    with Rig(folder, setup or Setup(in_flight=10)) as rig:
        rig.simulator.set_faults(rules)
        batch = rig.enqueue("batch", range(jobs))
        took = rig.finish(batch, within_s=within_s)
        verdict = judge(rig, batch, unknown_at_most=unknowable(rig), may_fail=may_fail)
        silent = [name for name, n in struck(rig).items() if not n]
        return Outcome(
            verdict=verdict,
            faults=sum(struck(rig).values()),
            broken=[f"never struck: {silent}"] if silent else [],
            note=f"{', '.join(f'{n} {state}' for state, n in sorted(verdict.states.items()))}; {took:.0f} s",
        )


def at(place: str, **faults: dict[str, Any]) -> Rules:
    """`fault=when` as rules; a fault's own words stand in `when` under `with`."""
    rules = []
    for name, when in faults.items():
        more = when.pop("more", {})
        rules.append({"at": place, "do": name.replace("_", "-").lstrip("-"), "when": when, **more})
    return rules


def one(n: int, **more: Any) -> dict[str, Any]:
    return {"ordinals": [n, n + 40], "more": more}
