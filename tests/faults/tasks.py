"""Tasks that were paid for and are not told of: polls that fail for all, statuses nobody knows, tasks that outlast us."""

import time
from functools import partial
from pathlib import Path

from jobs.cli import control
from jobs.records import PAID_LOSSES, BatchId, JobState
from tests.faults.doubles import (
    against_double,
    double_of,
    ending,
    expect,
    gate_words,
    id_of,
    kinds,
    of,
    rule,
    struck,
    tasks_made,
)
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.stage import Stage
from tests.faults.verdict import judge

AREA = "paid tasks that are not told of"


def poll_storm(folder: Path, *, status: int, for_s: float, jobs: int = 60) -> Outcome:
    """Every poll fails alike for a while, and tasks older than `tasks.lost_after_s` are among them."""
    setup = against_double(in_flight=10, latency_s=3, env={"VTON_TASKS__LOST_AFTER_S": "2"})
    with Stage(folder, setup) as stage:
        double = double_of(stage)
        when = {"tasks": min(20, jobs // 2), "for_s": for_s}
        double.set_faults([rule("poll", "status", status=status, when=when)])
        batch = stage.enqueue("night", range(jobs))
        stage.until(lambda: struck(stage), "the storm begins")
        began = time.time()
        told = ""

        def over() -> bool:
            nonlocal told
            told = told or gate_words(stage)
            return time.time() > began + for_s

        stage.until(over, "the storm ends", within_s=for_s + 60, step_s=0.5)
        stage.finish(batch, within_s=150)
        return Outcome(
            verdict=judge(stage, batch),
            faults=struck(stage),
            recovery_s=time.time() - began - for_s,
            ending=f"{told or 'gate open'}; then {ending(stage, batch)}",
            broken=expect(stage, batch, succeeded=jobs) + tasks_made(stage, jobs),
            note="recovery: from the end of the storm until the batch was complete",
        )


for _status in (404, 403, 405, 503):
    scenario(AREA, f"all polls {_status} for 40 s", idle_s=40)(partial(poll_storm, status=_status, for_s=40))
    scenario(AREA, f"all polls {_status} for 10 minutes", idle_s=600)(
        partial(poll_storm, status=_status, for_s=600)
    )


@scenario(AREA, "404 on one task, the others answered; then found again", idle_s=15)
def one_missing(folder: Path, *, jobs: int = 40) -> Outcome:
    """It is given up as lost with its id; another batch asks for it again and gets its picture."""
    with Stage(folder, against_double(in_flight=5, env={"VTON_TASKS__LOST_AFTER_S": "3"})) as stage:
        double = double_of(stage)
        double.set_faults([rule("poll", "status", status=404, body="envelope", when=of(2))])
        batch = stage.enqueue("night", range(jobs))
        stage.finish(batch, within_s=240)
        broken = expect(stage, batch, succeeded=jobs - 1, failed=1)
        lost = stage.jobs(batch)[id_of(stage, 2)]
        if lost.failure is None or lost.failure.kind not in PAID_LOSSES or lost.task_id is None:
            broken.append(f"the missing one is {lost.state.value} with {lost.failure}")
        faults = struck(stage)
        double.set_faults([])
        other = stage.enqueue("later", range(jobs))
        stage.finish(batch, other, within_s=180)
        broken += expect(stage, other, succeeded=jobs) + tasks_made(stage, jobs)
        return Outcome(
            verdict=judge(stage, batch, other), faults=faults, ending=ending(stage, other), broken=broken
        )


@scenario(AREA, "statuses 5 and 6 for 1.5 s")
def odd_for_a_moment(folder: Path, *, jobs: int = 60) -> Outcome:
    """A status that nobody has documented is no end."""
    with Stage(folder, against_double(in_flight=10)) as stage:
        when = {"tasks": jobs // 4, "for_s": 1.5}
        double_of(stage).set_faults(
            [
                rule("poll", "task_status", task_status=5, when=when | {"match": "1.jpg"}),
                rule("poll", "task_status", task_status=6, when=when),
            ]
        )
        batch = stage.enqueue("night", range(jobs))
        stage.until(lambda: struck(stage), "it begins")
        pauses = _finish_resumed(stage, batch)
        return Outcome(
            verdict=judge(stage, batch),
            faults=struck(stage),
            ending=ending(stage, batch),
            broken=expect(stage, batch, succeeded=jobs) + tasks_made(stage, jobs),
            note=f"buying paused {len(pauses)} times",
        )


def _finish_resumed(stage: Stage, *batches: BatchId, within_s: float = 240) -> list[str]:
    """Waits for the end; a person resumes what was paused. Returns the reasons told."""
    pauses: list[str] = []

    def over() -> bool:
        why = stage.ledger.gate_fields().get("paused")
        if why:
            pauses.append(why)
            control.resume(stage.ledger)
        return all(map(stage.complete, batches))

    stage.until(over, "every row ended", within_s=within_s, step_s=0.2)
    return pauses


@scenario(AREA, "statuses 5 and 6 for ever on three tasks; then fixed, and asked again", idle_s=30)
def odd_for_ever(folder: Path, *, jobs: int = 40, give_up_s: int = 10) -> Outcome:
    """They are asked for until `give_up_s`, told, and kept; the next batch asks the same tasks."""
    with Stage(folder, against_double(in_flight=5, env={"VTON_TASKS__GIVE_UP_S": str(give_up_s)})) as stage:
        double = double_of(stage)
        odd = [(2, 5), (3, 6), (4, 5)]
        double.set_faults([rule("poll", "task_status", task_status=status, when=of(n)) for n, status in odd])
        batch = stage.enqueue("night", range(jobs))
        pauses = _finish_resumed(stage, batch)
        broken = expect(stage, batch, succeeded=jobs - 3, failed=3)
        for number, _ in odd:
            job = stage.jobs(batch)[id_of(stage, number)]
            if job.state is JobState.FAILED and (job.failure is None or job.failure.kind not in PAID_LOSSES):
                broken.append(f"{number} failed with {job.failure}")
            asked_s = [one["at"] for one in double.polls(job.task_id)]
            if job.task_id and max(asked_s) - min(asked_s) < give_up_s * 0.6:
                broken.append(f"asked for only {max(asked_s) - min(asked_s):.1f} s")
        told, faults = ending(stage, batch), struck(stage)
        double.set_faults([])
        other = stage.enqueue("later", range(jobs))
        stage.finish(batch, other)
        broken += expect(stage, other, succeeded=jobs) + tasks_made(stage, jobs)
        return Outcome(
            verdict=judge(stage, batch, other),
            faults=faults,
            ending=told,
            broken=broken,
            note=f"buying paused {len(pauses)} times: {pauses[-1] if pauses else ''}",
        )


@scenario(
    AREA, "tasks slower than give_up_s: the same manifest, another batch, retry, retry --lost", idle_s=90
)
def outlasting(folder: Path, *, jobs: int = 20, task_s: float = 60, give_up_s: int = 10) -> Outcome:
    """The old task is asked each time; bought again only when a person says `retry --lost --yes`."""
    setup = against_double(in_flight=5, env={"VTON_TASKS__GIVE_UP_S": str(give_up_s)})
    with Stage(folder, setup) as stage:
        double = double_of(stage)
        slow = [rule("task", "made", latency_s=task_s, when=of(number)) for number in (2, 4)]
        double.set_faults([*slow, rule("task", "made", latency_s=1e9, when=of(3))])
        night = stage.enqueue("night", range(jobs))
        began = time.time()
        pauses = _finish_resumed(stage, night)
        broken = expect(stage, night, succeeded=jobs - 3, failed=3)
        broken += [] if set(kinds(stage, night)) <= PAID_LOSSES else [f"failed as {kinds(stage, night)}"]
        stage.enqueue("night", range(jobs))
        pauses += _finish_resumed(stage, night)
        broken += [f"by the same manifest: {one}" for one in tasks_made(stage, jobs)]
        pause(max(0.0, began + task_s + 2 - time.time()))
        other = stage.enqueue("other", range(jobs))
        pauses += _finish_resumed(stage, night, other)
        broken += expect(stage, other, succeeded=jobs - 1, failed=1)
        broken += [f"by another batch: {one}" for one in tasks_made(stage, jobs)]
        stage.vton("retry", "night")
        pauses += _finish_resumed(stage, night, other)
        broken += [f"by retry: {one}" for one in tasks_made(stage, jobs)]
        stage.vton("retry", "night", "--lost", check=False)
        pauses += _finish_resumed(stage, night, other)
        broken += [f"by retry --lost without --yes: {one}" for one in tasks_made(stage, jobs)]
        told = ending(stage, other)
        double.set_faults([])
        done = stage.vton("retry", "night", "--lost", "--yes", check=False)
        if done.returncode:
            broken.append(f"retry --lost --yes: exit {done.returncode}: {done.stderr.strip()[-80:]}")
        pauses += _finish_resumed(stage, night, other)
        broken += expect(stage, night, succeeded=jobs)
        broken += [f"by retry --lost --yes: {one}" for one in tasks_made(stage, jobs + 1)]
        return Outcome(
            verdict=judge(stage, night, other, by_person=[id_of(stage, 3)], may_fail=bool(broken)),
            faults=3,
            ending=told,
            broken=broken,
            note=f"{done.stdout.strip()[:120]}; buying paused {len(pauses)} times",
        )


@scenario(AREA, "each fourth poll brings another task's result")
def mixed_up(folder: Path, *, jobs: int = 60) -> Outcome:
    """Every job gets its own picture, or none yet."""
    with Stage(folder, against_double(in_flight=10)) as stage:
        double_of(stage).set_faults([rule("poll", "other", when={"every": 4})])
        batch = stage.enqueue("night", range(jobs))
        stage.finish(batch, within_s=240)
        return Outcome(
            verdict=judge(stage, batch),
            faults=struck(stage),
            ending=ending(stage, batch),
            broken=expect(stage, batch, succeeded=jobs) + tasks_made(stage, jobs),
        )


@scenario(AREA, "half a character in descriptions and in picture addresses")
def half_characters(folder: Path, *, jobs: int = 40) -> Outcome:
    """No task loops, no slot is kept; what cannot be fetched is told with its task id."""
    setup = against_double(in_flight=3, env={"VTON_TASKS__GIVE_UP_S": "15"})
    with Stage(folder, setup) as stage:
        places = {2: "description", 4: "description", 3: "image", 7: "image"}
        double_of(stage).set_faults(
            [rule("poll", "surrogate", place=place, when=of(number)) for number, place in places.items()]
        )
        batch = stage.enqueue("night", range(jobs))
        pauses = _finish_resumed(stage, batch, within_s=180)
        counts = stage.status(batch).counts
        broken = tasks_made(stage, jobs)
        if counts.get("succeeded", 0) < jobs - 2:
            broken.append(f"ended with {dict(counts)}")
        unkept = [
            job.request_id
            for job in stage.jobs(batch).values()
            if job.state is JobState.FAILED
            and (job.failure is None or job.failure.kind not in PAID_LOSSES or job.task_id is None)
        ]
        broken += [f"{len(unkept)} failed without being kept: {kinds(stage, batch)}"] if unkept else []
        return Outcome(
            verdict=judge(stage, batch, may_fail=True),
            faults=struck(stage),
            ending=ending(stage, batch),
            broken=broken,
            note=f"{kinds(stage, batch)}; buying paused {len(pauses)} times",
        )


@scenario(AREA, "a result lists fewer sub-tasks than the answer to the submit")
def fewer(folder: Path, *, jobs: int = 30) -> Outcome:
    """Not waited for until the time-out, and not bought again by the next batch."""
    with Stage(folder, against_double(in_flight=5)) as stage:
        double = double_of(stage)
        few = [of(number) for number in (2, 3, 4)]
        rules = [rule("task", "made", subs=2, when=when) for when in few]
        double.set_faults(rules + [rule("poll", "fewer", when=when) for when in few])
        batch = stage.enqueue("night", range(jobs))
        pauses = _finish_resumed(stage, batch, within_s=180)
        other = stage.enqueue("later", range(jobs))
        pauses += _finish_resumed(stage, batch, other, within_s=180)
        return Outcome(
            verdict=judge(stage, batch, other, may_fail=True),
            faults=struck(stage),
            ending=ending(stage, batch),
            broken=tasks_made(stage, jobs),
            note=f"{kinds(stage, batch)}; buying paused {len(pauses)} times",
        )
