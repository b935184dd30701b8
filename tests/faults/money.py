"""The bill beside the vendor's own books, and a person who settles what stayed unknown by them."""

import csv
import io
import json
import random
from functools import partial
from pathlib import Path
from typing import Any

from jobs.records import BatchId, JobState
from tests.faults.batch_runs import Rules, struck, unknowable
from tests.faults.outcome import Outcome, scenario
from tests.faults.rig import Rig, Setup
from tests.faults.verdict import judge

SEEDS = range(1, 11)
#: What may happen to a submit, and to a task; each tells another story of its money.
SUBMITS: tuple[dict[str, Any], ...] = (
    {"do": "reset-before"},
    {"do": "reset-after"},
    {"do": "status-before", "status": 502},
    {"do": "status-after", "status": 502},
    {"do": "html", "status": 502, "created": False},
    {"do": "truncated"},
    {"do": "no-result"},
    {"do": "429", "retry_after": 0.2},
    {"do": "code", "code": 2004, "message": "Billing is unavailable"},
    {"do": "code", "code": 1051, "message": "Invalid picture"},
)
TASKS: tuple[dict[str, Any], ...] = ({"do": "failed"}, {"do": "moderated"}, {"do": "nothing", "status": 1004})


def rules_of(seed: int, jobs: int) -> Rules:
    """Faults of a seed: every fourth submit and every fifth task at most; two unclear answers never follow each other."""
    dice = random.Random(seed)
    submits = [
        {"at": "submit", **dice.choice(SUBMITS), "when": {"ordinals": [ordinal]}}
        for ordinal in range(3, jobs, 4)
    ]
    tasks = [
        {"at": "task", **dice.choice(TASKS), "when": {"ordinals": [ordinal]}} for ordinal in range(4, jobs, 5)
    ]
    return submits + tasks


def settled_run(folder: Path, *, seed: int, jobs: int = 40) -> Outcome:
    """A batch under faults, its bill, what a person settles by the vendor's books, and the bill then."""
    with Rig(folder, Setup()) as rig:
        rig.simulator.set_faults(rules_of(seed, jobs))
        batch = rig.enqueue("batch", range(jobs))
        rig.finish(batch)
        faults, unclear = sum(struck(rig).values()), unknowable(rig)
        broken = _beside_the_books(rig, "before")
        rig.simulator.set_faults([])
        unknown, bought = _settle(rig, batch)
        broken += [] if unknown <= unclear else [f"{unknown} unknown after {unclear} unclear answers"]
        rig.until(lambda: rig.status(batch).complete, "what was settled has ended")
        rig.finish(batch)
        broken += _beside_the_books(rig, "after", settled=True)
        verdict = judge(rig, batch)
        return Outcome(
            verdict=verdict,
            faults=faults,
            broken=broken,
            note=f"{unknown} unknown, settled by the books: {bought} bought, {unknown - bought} not",
        )


def _beside_the_books(rig: Rig, when: str, *, settled: bool = False) -> list[str]:
    """Charged for sure is never above what the books say, with perhaps charged never below; settled, all three agree."""
    bill = json.loads(rig.vton("bill", "batch", "--json").stdout)
    sure, perhaps = (bill["totals"][word]["pictures"] for word in ("charged_for_sure", "perhaps_charged"))
    books = rig.simulator.totals()["charges"]
    status = rig.status(BatchId("batch"))
    listed = tuple(
        bill["totals"][word]["orders"] for word in ("ordered", "charged_for_sure", "perhaps_charged")
    )
    broken = []
    if not sure <= books <= sure + perhaps or (settled and (sure, perhaps) != (books, 0)):
        broken.append(f"{when}: {sure} for sure, {perhaps} perhaps, but the books have {books}")
    if listed != (status.ordered, status.charged_for_sure, status.perhaps_charged):
        broken.append(f"{when}: the bill lists {listed}, the batch counts {status.money}")
    if bill["not_in_ledger"]["orders"]:
        broken.append(f"{when}: {bill['not_in_ledger']} are counted and not listed")
    named = {order["task_id"] for order in bill["orders"] if order["task_id"]}
    if strangers := named - {task["task_id"] for task in rig.simulator.tasks()}:
        broken.append(f"{when}: the bill has tasks of nobody's: {sorted(strangers)[:3]}")
    if any(not order["posted_at"] for order in bill["orders"]):
        broken.append(f"{when}: orders without a time")
    return broken


def _settle(rig: Rig, batch: BatchId) -> tuple[int, int]:
    """A person fills in the template by the vendor's list, twice; returns rows and those that were bought."""
    known = {job.task_id for job in rig.jobs(batch).values()}
    known |= {task for job in rig.jobs(batch).values() for task in job.past_task_ids}
    theirs = {
        one["request_id"]: one["task_id"] for one in rig.simulator.tasks() if one["task_id"] not in known
    }
    rows = list(csv.DictReader(io.StringIO(rig.vton("settle", batch, "--template").stdout)))
    for row in rows:
        row["task_id"] = theirs.get(row["request_id"], "")
        row["outcome"] = "bought" if row["task_id"] else "not bought"
    table = rig.folder / "unknown.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ("row", "sku", "request_id", "posted_at", "outcome", "task_id"))
        writer.writeheader()
        writer.writerows(rows)
    assert len(rows) == sum(job.state is JobState.UNKNOWN for job in rig.jobs(batch).values())
    rig.vton("settle", batch, "--csv", str(table), "--by", "ann", "--yes")
    again = rig.vton("settle", batch, "--csv", str(table), "--by", "ben", "--yes").stdout
    assert not rows or f"{len(rows)} settled so before" in again
    return len(rows), sum(bool(row["task_id"]) for row in rows)


for _seed in SEEDS:
    scenario("the bill", f"the bill beside the books, what is unknown settled by them: seed {_seed}")(
        partial(settled_run, seed=_seed)
    )
