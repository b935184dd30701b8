"""Tasks that were paid for and get no answer: polls that fail for all, statuses nobody knows, tasks that outlast us."""

import time
from functools import partial
from pathlib import Path

from jobs.producing import control
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
from tests.faults.rig import Rig
from tests.faults.verdict import judge

AREA = "paid tasks that are not told of"


def poll_storm(folder: Path, *, status: int, for_s: float, jobs: int = 60) -> Outcome:
    """Every poll fails alike for a while, and tasks older than `tasks.lost_after_s` are among them."""
    setup = against_double(in_flight=10, latency_s=3, env={"VTON_TASKS__LOST_AFTER_S": "2"})
    with Rig(folder, setup) as rig:
        double = double_of(rig)
        when = {"tasks": min(20, jobs // 2), "for_s": for_s}
        double.set_faults([rule("poll", "status", status=status, when=when)])
        batch = rig.enqueue("batch", range(jobs))
        rig.until(lambda: struck(rig), "the storm begins")
        began = time.time()
        reported = ""

        def over() -> bool:
            nonlocal reported
            reported = reported or gate_words(rig)
            return time.time() > began + for_s

        rig.until(over, "the storm ends", within_s=for_s + 60, step_s=0.5)
        rig.finish(batch, within_s=150)
        return Outcome(
            verdict=judge(rig, batch),
            faults=struck(rig),
            recovery_s=time.time() - began - for_s,
            ending=f"{reported or 'gate open'}; then {ending(rig, batch)}",
            broken=expect(rig, batch, succeeded=jobs) + tasks_made(rig, jobs),
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
    with Rig(folder, against_double(in_flight=5, env={"VTON_TASKS__LOST_AFTER_S": "3"})) as rig:
        double = double_of(rig)
        double.set_faults([rule("poll", "status", status=404, body="envelope", when=of(2))])
        batch = rig.enqueue("batch", range(jobs))
        rig.finish(batch, within_s=240)
        broken = expect(rig, batch, succeeded=jobs - 1, failed=1)
        lost = rig.jobs(batch)[id_of(rig, 2)]
        if lost.failure is None or lost.failure.kind not in PAID_LOSSES or lost.task_id is None:
            broken.append(f"the missing one is {lost.state.value} with {lost.failure}")
        faults = struck(rig)
        double.set_faults([])
        other = rig.enqueue("later", range(jobs))
        rig.finish(batch, other, within_s=180)
        broken += expect(rig, other, succeeded=jobs) + tasks_made(rig, jobs)
        return Outcome(
            verdict=judge(rig, batch, other), faults=faults, ending=ending(rig, other), broken=broken
        )


@scenario(AREA, "statuses 5 and 6 for 1.5 s")
def odd_for_a_moment(folder: Path, *, jobs: int = 60) -> Outcome:
    """A status that nobody has documented is no end."""
    with Rig(folder, against_double(in_flight=10)) as rig:
        when = {"tasks": jobs // 4, "for_s": 1.5}
        double_of(rig).set_faults(
            [
                rule("poll", "task_status", task_status=5, when=when | {"match": "1.jpg"}),
                rule("poll", "task_status", task_status=6, when=when),
            ]
        )
        batch = rig.enqueue("batch", range(jobs))
        rig.until(lambda: struck(rig), "it begins")
        pauses = _finish_resumed(rig, batch)
        return Outcome(
            verdict=judge(rig, batch),
            faults=struck(rig),
            ending=ending(rig, batch),
            broken=expect(rig, batch, succeeded=jobs) + tasks_made(rig, jobs),
            note=f"buying paused {len(pauses)} times",
        )


def _finish_resumed(rig: Rig, *batches: BatchId, within_s: float = 240) -> list[str]:
    """Waits for the end; a person resumes what was paused. Returns the reasons reported."""
    pauses: list[str] = []

    def over() -> bool:
        why = rig.ledger.gate().paused
        if why:
            pauses.append(why)
            control.resume(rig.ledger)
        return all(map(rig.complete, batches))

    rig.until(over, "every row ended", within_s=within_s, step_s=0.2)
    return pauses


@scenario(AREA, "statuses 5 and 6 for ever on three tasks; then fixed, and asked again", idle_s=30)
def odd_for_ever(folder: Path, *, jobs: int = 40, give_up_s: int = 10) -> Outcome:
    """They are asked for until `give_up_s`, reported, and kept; the next batch asks the same tasks."""
    with Rig(folder, against_double(in_flight=5, env={"VTON_TASKS__GIVE_UP_S": str(give_up_s)})) as rig:
        double = double_of(rig)
        odd = [(2, 5), (3, 6), (4, 5)]
        double.set_faults([rule("poll", "task_status", task_status=status, when=of(n)) for n, status in odd])
        batch = rig.enqueue("batch", range(jobs))
        pauses = _finish_resumed(rig, batch)
        broken = expect(rig, batch, succeeded=jobs - 3, failed=3)
        for number, _ in odd:
            job = rig.jobs(batch)[id_of(rig, number)]
            if job.state is JobState.FAILED and (job.failure is None or job.failure.kind not in PAID_LOSSES):
                broken.append(f"{number} failed with {job.failure}")
            asked_s = [one["at"] for one in double.polls(job.task_id)]
            if job.task_id and max(asked_s) - min(asked_s) < give_up_s * 0.6:
                broken.append(f"asked for only {max(asked_s) - min(asked_s):.1f} s")
        reported, faults = ending(rig, batch), struck(rig)
        double.set_faults([])
        other = rig.enqueue("later", range(jobs))
        rig.finish(batch, other)
        broken += expect(rig, other, succeeded=jobs) + tasks_made(rig, jobs)
        return Outcome(
            verdict=judge(rig, batch, other),
            faults=faults,
            ending=reported,
            broken=broken,
            note=f"buying paused {len(pauses)} times: {pauses[-1] if pauses else ''}",
        )


@scenario(
    AREA, "tasks slower than give_up_s: the same manifest, another batch, retry, retry --lost", idle_s=90
)
def outlasting(folder: Path, *, jobs: int = 20, task_s: float = 60, give_up_s: int = 10) -> Outcome:
    """The old task is asked each time; bought again only when a person says `retry --lost --yes`."""
    setup = against_double(in_flight=5, env={"VTON_TASKS__GIVE_UP_S": str(give_up_s)})
    with Rig(folder, setup) as rig:
        double = double_of(rig)
        slow = [rule("task", "made", latency_s=task_s, when=of(number)) for number in (2, 4)]
        double.set_faults([*slow, rule("task", "made", latency_s=1e9, when=of(3))])
        batch = rig.enqueue("batch", range(jobs))
        began = time.time()
        pauses = _finish_resumed(rig, batch)
        broken = expect(rig, batch, succeeded=jobs - 3, failed=3)
        broken += [] if set(kinds(rig, batch)) <= PAID_LOSSES else [f"failed as {kinds(rig, batch)}"]
        rig.enqueue("batch", range(jobs))
        pauses += _finish_resumed(rig, batch)
        broken += [f"by the same manifest: {one}" for one in tasks_made(rig, jobs)]
        pause(max(0.0, began + task_s + 2 - time.time()))
        other = rig.enqueue("other", range(jobs))
        pauses += _finish_resumed(rig, batch, other)
        broken += expect(rig, other, succeeded=jobs - 1, failed=1)
        broken += [f"by another batch: {one}" for one in tasks_made(rig, jobs)]
        rig.vton("retry", "batch")
        pauses += _finish_resumed(rig, batch, other)
        broken += [f"by retry: {one}" for one in tasks_made(rig, jobs)]
        rig.vton("retry", "batch", "--lost", check=False)
        pauses += _finish_resumed(rig, batch, other)
        broken += [f"by retry --lost without --yes: {one}" for one in tasks_made(rig, jobs)]
        reported = ending(rig, other)
        double.set_faults([])
        done = rig.vton("retry", "batch", "--lost", "--yes", check=False)
        if done.returncode:
            broken.append(f"retry --lost --yes: exit {done.returncode}: {done.stderr.strip()[-80:]}")
        pauses += _finish_resumed(rig, batch, other)
        broken += expect(rig, batch, succeeded=jobs)
        broken += [f"by retry --lost --yes: {one}" for one in tasks_made(rig, jobs + 1)]
        return Outcome(
            verdict=judge(rig, batch, other, by_person=[id_of(rig, 3)], may_fail=bool(broken)),
            faults=3,
            ending=reported,
            broken=broken,
            note=f"{done.stdout.strip()[:120]}; buying paused {len(pauses)} times",
        )


@scenario(AREA, "each fourth poll brings another task's result")
def mixed_up(folder: Path, *, jobs: int = 60) -> Outcome:
    """Every job gets its own picture, or none yet."""
    with Rig(folder, against_double(in_flight=10)) as rig:
        double_of(rig).set_faults([rule("poll", "other", when={"every": 4})])
        batch = rig.enqueue("batch", range(jobs))
        rig.finish(batch, within_s=240)
        return Outcome(
            verdict=judge(rig, batch),
            faults=struck(rig),
            ending=ending(rig, batch),
            broken=expect(rig, batch, succeeded=jobs) + tasks_made(rig, jobs),
        )


@scenario(AREA, "half a character in descriptions and in picture addresses")
def half_characters(folder: Path, *, jobs: int = 40) -> Outcome:
    """No task loops, no slot is kept; what cannot be fetched is reported with its task id."""
    setup = against_double(in_flight=3, env={"VTON_TASKS__GIVE_UP_S": "15"})
    with Rig(folder, setup) as rig:
        places = {2: "description", 4: "description", 3: "image", 7: "image"}
        double_of(rig).set_faults(
            [rule("poll", "surrogate", place=place, when=of(number)) for number, place in places.items()]
        )
        batch = rig.enqueue("batch", range(jobs))
        pauses = _finish_resumed(rig, batch, within_s=180)
        counts = rig.status(batch).counts
        broken = tasks_made(rig, jobs)
        if counts.get("succeeded", 0) < jobs - 2:
            broken.append(f"ended with {dict(counts)}")
        unkept = [
            job.request_id
            for job in rig.jobs(batch).values()
            if job.state is JobState.FAILED
            and (job.failure is None or job.failure.kind not in PAID_LOSSES or job.task_id is None)
        ]
        broken += [f"{len(unkept)} failed without being kept: {kinds(rig, batch)}"] if unkept else []
        return Outcome(
            verdict=judge(rig, batch, may_fail=True),
            faults=struck(rig),
            ending=ending(rig, batch),
            broken=broken,
            note=f"{kinds(rig, batch)}; buying paused {len(pauses)} times",
        )


@scenario(AREA, "a result lists fewer sub-tasks than the answer to the submit")
def fewer(folder: Path, *, jobs: int = 30) -> Outcome:
    """Not waited for until the time-out, and not bought again by the next batch."""
    with Rig(folder, against_double(in_flight=5)) as rig:
        double = double_of(rig)
        few = [of(number) for number in (2, 3, 4)]
        rules = [rule("task", "made", subs=2, when=when) for when in few]
        double.set_faults(rules + [rule("poll", "fewer", when=when) for when in few])
        batch = rig.enqueue("batch", range(jobs))
        pauses = _finish_resumed(rig, batch, within_s=180)
        other = rig.enqueue("later", range(jobs))
        pauses += _finish_resumed(rig, batch, other, within_s=180)
        return Outcome(
            verdict=judge(rig, batch, other, may_fail=True),
            faults=struck(rig),
            ending=ending(rig, batch),
            broken=tasks_made(rig, jobs),
            note=f"{kinds(rig, batch)}; buying paused {len(pauses)} times",
        )
