"""The invariants I1 to I6, judged from the ledger, the simulator's books, the files and the bytes on disk."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from jobs.records import ENDED_STATES, BatchId, Job, JobState
from tests.double import account
from tests.double.process import Double
from tests.faults.pause import pause
from tests.faults.scene import PRODUCT, ROOT, Scene

WINDOW_S = 60.0
#: `workers.downloads`: pictures that one process has under way at most.
DOWNLOADS = 8


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What a scenario has come to."""

    #: Distinct jobs, and rows that want them.
    jobs: int = 0
    rows: int = 0
    #: Rows without an end or a line, and pictures paid for that nobody has and nobody lists.
    lost: int = 0
    bought_twice: int = 0
    #: Tasks of the vendor's that nobody here knows of; None: its books do not say.
    forgotten: int | None = None
    unknown: int = 0
    #: 60 s windows with more arrivals than the limit.
    over_windows: int = 0
    #: Submits that the simulator refused because too many tasks were under way or too many came.
    refused: int = 0
    states: Counter[str] = field(default_factory=Counter)
    #: Sentences, one for each invariant that does not hold.
    broken: list[str] = field(default_factory=list)


def judge(
    rig: Scene,
    *batches: BatchId,
    unknown_at_most: int = 0,
    may_fail: bool = False,
    budget: int = 0,
    by_person: Collection[str] = (),
) -> Verdict:
    """Judges a rig whose batches have ended.

    Args:
        rig: still open; its workers are ended.
        batches: all that were enqueued.
        unknown_at_most: jobs that may stand at `unknown`.
        may_fail: the faults end jobs whose picture was paid for (a task the vendor never ends, a lost picture).
        budget: pictures that may be bought; 0: as many as wanted.
        by_person: ids of jobs that a person has sent again, knowing that they may be bought a second time.
    """
    # A cancelled batch's line is emptied by whoever asks for a permit next.
    for _ in range(100):
        if not any(n for kind, n in rig.standing().items() if kind != "leases"):
            break
        pause(0.1)
    # Ended in order, nobody writes a file any more, and what a worker says last is judged too.
    rig.processes.stop()
    verdict = Verdict()
    jobs: dict[str, Job] = {}
    for batch in batches:
        found = rig.jobs(batch)
        jobs |= found
        _nothing_lost(rig, batch, found, verdict)
    verdict.jobs = len(jobs)
    verdict.states = Counter(job.state.value for job in jobs.values())
    verdict.unknown = verdict.states["unknown"]
    if verdict.unknown > unknown_at_most:
        verdict.broken.append(f"unknown: {verdict.unknown}, at most {unknown_at_most} are accounted for")
    totals, tasks = rig.simulator.totals(), rig.simulator.tasks()
    totals["bought_twice"] = [one for one in totals["bought_twice"] if one not in by_person]
    _bought_once(jobs, totals, tasks, verdict, may_fail=may_fail)
    if isinstance(rig.simulator, Double):
        _not_forgotten(rig.simulator, known_tasks(rig, jobs), jobs, verdict, by_person)
    _within_limits(rig, totals, verdict)
    _pictures(rig, jobs, verdict)
    _nothing_left(rig, verdict)
    _no_canary(rig, verdict)
    _within_budget(rig, batches, jobs, verdict, tasks=tasks, totals=totals, budget=budget)
    return verdict


def _nothing_lost(rig: Scene, batch: BatchId, jobs: dict[str, Job], verdict: Verdict) -> None:
    """I1: every row has ended, says so once in the file, and the counters agree."""
    status = rig.status(batch)
    verdict.rows += status.rows
    lines = result_lines(rig.folder / "out" / batch / "results.jsonl")
    last = {line["row"]: line for line in lines}
    missing = set(range(1, status.rows + 1)) - last.keys()
    open_jobs = [job.request_id for job in jobs.values() if job.state not in ENDED_STATES]
    verdict.lost += len(missing) + len(open_jobs)
    if missing or open_jobs:
        verdict.broken.append(
            f"I1: {batch}: {len(missing)} rows without a line, {len(open_jobs)} jobs without an end"
        )
    left = rig.ledger.left_rows(batch)
    for row, line in last.items():
        job = jobs.get(line["request_id"] or "")
        if job is not None and row not in left and line["status"] != job.state.value:
            verdict.broken.append(
                f"I1: {batch}: row {row} is reported {line['status']}, the ledger says {job.state.value}"
            )
    reported = Counter((line["row"], line["status"], line["task_id"]) for line in lines)
    if reported and max(reported.values()) > 1:
        verdict.broken.append(f"I1: {batch}: {sum(n > 1 for n in reported.values())} rows are reported twice")
    if sum(status.counts.values()) != status.rows or status.open:
        verdict.broken.append(
            f"I1: {batch}: counters {dict(status.counts)} do not add up to {status.rows} rows"
        )


def result_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of results.jsonl; a torn one raises ValueError. An older version's checkpoints in it are passed over."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return lines if PRODUCT == ROOT else [line for line in lines if "row" in line]


def _bought_once(
    jobs: dict[str, Job],
    totals: dict[str, Any],
    tasks: list[dict[str, Any]],
    verdict: Verdict,
    *,
    may_fail: bool,
) -> None:
    """I2, and that what was paid for is held, listed as unknown, or failed for a reason that the scenario wants."""
    verdict.bought_twice = len(totals["bought_twice"])
    if verdict.bought_twice:
        verdict.broken.append(f"I2: bought twice: {totals['bought_twice'][:5]}")
    paid = {task["request_id"] for task in tasks if task["bought"] > 0}
    strangers = paid - jobs.keys()
    if strangers:
        verdict.broken.append(f"I2: {len(strangers)} tasks of nobody's job")
    held = {JobState.SUCCEEDED, JobState.UNKNOWN}
    dropped = [one for one in paid & jobs.keys() if jobs[one].state not in held]
    if dropped and not may_fail:
        verdict.lost += len(dropped)
        verdict.broken.append(
            f"I1: {len(dropped)} pictures paid for and dropped: {[jobs[d].state.value for d in dropped][:5]}"
        )
    unpaid = [
        one.request_id
        for one in jobs.values()
        if one.state is JobState.SUCCEEDED and one.request_id not in paid
    ]
    if unpaid:
        verdict.broken.append(f"I4: {len(unpaid)} jobs succeeded without a task that was paid for")


def known_tasks(rig: Scene, jobs: dict[str, Job]) -> set[str]:
    """Every task id that the ledger has."""
    past = {task_id for job in jobs.values() for task_id in (*job.past_task_ids, job.task_id) if task_id}
    return past | set(rig.ledger.client.hkeys(rig.ledger.key("tasks")))


def _not_forgotten(
    double: Double, known: set[str], jobs: dict[str, Job], verdict: Verdict, by_person: Collection[str]
) -> None:
    """Every task made for us is known by its id, or its job is listed as unknown with the time of its POST."""
    reported = double.named()
    gone = []
    for task in double.tasks():
        task_id, job = task["task_id"], jobs.get(task["request_id"])
        listed = job is not None and job.state is JobState.UNKNOWN and job.posted_ms is not None
        decided = task_id not in reported and task["request_id"] in by_person
        if task_id not in known and not listed and not decided:
            gone.append(task_id)
    verdict.forgotten = len(gone)
    if gone:
        verdict.broken.append(
            f"I1: {len(gone)} tasks are forgotten, {len(reported.intersection(gone))} of them were reported to us"
        )


def _within_limits(rig: Scene, totals: dict[str, Any], verdict: Verdict) -> None:
    """I3, counted here again: the simulator's own count is not believed alone."""
    arrivals = sorted(rig.simulator.arrivals())
    first = 0
    for last, at in enumerate(arrivals):
        while arrivals[first] <= at - WINDOW_S:
            first += 1
        verdict.over_windows += last - first + 1 > rig.setup.per_minute
    if verdict.over_windows or totals["over_limit_windows"]:
        verdict.broken.append(f"I3: {verdict.over_windows} windows over the limit")
    if totals["max_in_flight_seen"] > rig.setup.in_flight:
        verdict.broken.append(f"I3: {totals['max_in_flight_seen']} tasks under way at once")
    verdict.refused = sum(totals["refused"].get(kind, 0) for kind in ("parallel", "rate"))
    if verdict.refused and not verdict.unknown:
        verdict.broken.append(
            f"I3: {verdict.refused} submits came over the account's limits: {totals['refused']}"
        )


def _pictures(rig: Scene, jobs: dict[str, Job], verdict: Verdict) -> None:
    """I4: each succeeded job has whole pictures of the recorded hash, and the store has no others."""
    store = rig.data / "pictures"
    named = set()
    for job in jobs.values():
        if job.state is not JobState.SUCCEEDED:
            continue
        if not job.pictures:
            verdict.broken.append(f"I4: {job.request_id} succeeded without a picture")
        for picture in job.pictures:
            named.add(picture.name)
            path = store / picture.name[:2] / picture.name
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != picture.sha256:
                verdict.broken.append(f"I4: {picture.name} is missing or another one")
                continue
            with Image.open(path) as image:
                image.load()
    if isinstance(rig.simulator, Double):
        _own_pictures(rig.simulator, jobs, verdict)
    kept = {path.name for path in store.glob("??/*") if path.is_file()}
    strangers = kept - named
    if strangers and not verdict.states["failed"]:
        verdict.broken.append(f"I4: {len(strangers)} pictures of no record")
    for batch in (rig.folder / "out").glob("*"):
        if (batch / "results.jsonl").is_file():
            for line in result_lines(batch / "results.jsonl"):
                for image in line["images"]:
                    content = (batch / image["path"]).read_bytes()
                    if hashlib.sha256(content).hexdigest() != image["sha256"]:
                        verdict.broken.append(f"I4: {batch.name}/{image['path']} is another picture")


def _own_pictures(double: Double, jobs: dict[str, Job], verdict: Verdict) -> None:
    """A job's picture is one that was made for it, and not another job's."""
    made = {
        hashlib.sha256(account.picture(name)).hexdigest(): task["request_id"]
        for task in double.tasks()
        for name in task["sub_task_ids"]
    }
    others = [
        job.request_id
        for job in jobs.values()
        if job.state is JobState.SUCCEEDED
        and any(made.get(one.sha256) != job.request_id for one in job.pictures)
    ]
    if others:
        verdict.broken.append(f"I4: {len(others)} jobs have another job's picture")


def _nothing_left(rig: Scene, verdict: Verdict) -> None:
    """No slot, hold or line stays behind, and no temporary file that the next start would not sweep."""
    standing = {name: n for name, n in rig.standing().items() if n}
    # A job that may have been bought keeps its slot for as long as its task may take.
    if standing.get("leases", 0) <= verdict.unknown:
        standing.pop("leases", None)
    if standing:
        verdict.broken.append(f"I1: left behind in the ledger: {standing}")
    # Thumbnails and measures are made beside the work and dropped at its end, whatever they have half written: it is swept.
    temporary = [*(rig.data / "pictures").rglob(".tmp/*"), *(rig.folder / "out").rglob("*.tmp*")]
    # Who has not ended in its time after SIGTERM cuts itself off, which is a death too.
    killed = sum(
        worker.starts - 1 + worker.said().count(b"worker.cut") for worker in rig.processes.of("collect")
    )
    # One death may interrupt as many downloads as a process has under way; the next day's start sweeps them.
    if len(temporary) > killed * DOWNLOADS:
        verdict.broken.append(f"I4: {len(temporary)} temporary files after {killed} deaths")


def _no_canary(rig: Scene, verdict: Verdict) -> None:
    """I5: in no log, no file, and in nothing that Redis was ever asked to write."""
    canary = re.compile("|".join(map(re.escape, rig.canaries.values())).encode())
    for path in rig.folder.rglob("*"):
        if (
            path.is_file()
            and not path.is_relative_to(rig.folder / "vendor")
            and canary.search(path.read_bytes())
        ):
            verdict.broken.append(f"I5: a secret stands in {path.relative_to(rig.folder)}")


def _within_budget(
    rig: Scene,
    batches: tuple[BatchId, ...],
    jobs: dict[str, Job],
    verdict: Verdict,
    *,
    tasks: list[dict[str, Any]],
    totals: dict[str, Any],
    budget: int,
) -> None:
    """I6: what is counted as spent is what was ordered, and `unknown` counts as ordered."""
    spent = sum(rig.ledger.batch(batch).spent for batch in batches)
    ordered = Counter(task["request_id"] for task in tasks)
    # Of an unknown job every task but the last had failed: what is missing is its last POST's.
    never = sum(
        job.state is JobState.UNKNOWN and ordered[job.request_id] <= job.task_failures
        for job in jobs.values()
    )
    if spent != len(tasks) + never:
        verdict.broken.append(
            f"I6: {spent} counted as spent; {len(tasks)} tasks were made, {never} unknown were not"
        )
    if budget and totals["charges"] > budget:
        verdict.broken.append(f"I6: {totals['charges']} pictures ordered with a budget of {budget}")


def counted(rig: Scene) -> Verdict:
    """What the double's books say of batches that are not over: bought twice, forgotten, unknown. No more is judged."""
    assert isinstance(rig.simulator, Double)
    tasks = rig.simulator.tasks()
    jobs = rig.ledger.jobs(task["request_id"] for task in tasks)
    verdict = Verdict(jobs=len(jobs), rows=len(jobs), bought_twice=len(rig.simulator.bought_twice()))
    verdict.states = Counter(job.state.value for job in jobs.values())
    verdict.unknown = verdict.states["unknown"]
    if verdict.bought_twice:
        verdict.broken.append(f"I2: {verdict.bought_twice} pairs bought twice")
    _not_forgotten(rig.simulator, known_tasks(rig, jobs), jobs, verdict, ())
    return verdict
