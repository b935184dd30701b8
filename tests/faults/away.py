"""Pictures that cannot be had for longer than we wait, and a Redis that is away while an answer is in hand."""

import time
from functools import partial
from pathlib import Path

from jobs.producing import control
from jobs.records import BatchId, JobState
from tests.faults.doubles import (
    against_double,
    double_of,
    ending,
    expect,
    gate_words,
    kinds,
    rule,
    struck,
    tasks_made,
)
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.proxy import Proxy
from tests.faults.rig import Rig
from tests.faults.verdict import judge

AREA = "pictures and answers that wait"


def cdn_away(folder: Path, *, away_s: float = 960, jobs: int = 40, by_hand: bool = False) -> Outcome:
    """Downloads fail for 16 minutes; then the manifest is run again, as the next evening.

    by_hand: the end of every task is dated back by 16 minutes, so that `away_s` may be short.
    """
    with Rig(folder, against_double(in_flight=10)) as rig:
        double = double_of(rig)
        double.set_faults([rule("download", "status", status=503, when={"tasks": 10})])
        batch = rig.enqueue("batch", range(jobs))
        rig.until(lambda: struck(rig), "downloads fail")
        began = time.time()
        if by_hand:
            rig.until(lambda: len(_collecting(rig, batch)) >= 5, "pictures wait")
            _date_back(rig, batch, minutes=16)
        reported = ""

        def over() -> bool:
            nonlocal reported
            reported = gate_words(rig) or reported
            return time.time() > began + away_s

        rig.until(over, "the pictures are back", within_s=away_s + 60, step_s=0.5)
        double.set_faults([])
        faults, lost = struck(rig), kinds(rig, batch)
        control.resume(rig.ledger)
        back = time.time()
        other = rig.enqueue("later", range(jobs))
        rig.finish(batch, other, within_s=240)
        return Outcome(
            verdict=judge(rig, batch, other),
            faults=faults,
            recovery_s=time.time() - back,
            ending=f"{reported or 'gate open'}; then {ending(rig, other)}",
            broken=expect(rig, other, succeeded=jobs) + tasks_made(rig, jobs),
            note=f"given up meanwhile: {lost}; recovery: until the next run's batch was complete",
        )


def _collecting(rig: Rig, batch: BatchId) -> list[str]:
    """Jobs whose task has ended and whose picture is not there yet."""
    return [
        rid
        for rid, job in rig.jobs(batch).items()
        if job.state is JobState.SUBMITTED and job.ended_ms is not None
    ]


def _date_back(rig: Rig, batch: BatchId, *, minutes: int) -> None:
    """Lets time pass for pictures that wait."""
    for request_id in _collecting(rig, batch):
        key = rig.ledger.key("job", request_id)
        rig.ledger.client.hincrby(key, "ended_ms", -minutes * 60_000)


scenario(AREA, "the pictures' servers away for 16 minutes", idle_s=960)(cdn_away)


def hosts_wrong(folder: Path, *, wrong_s: float = 930, jobs: int = 30, by_hand: bool = False) -> Outcome:
    """Every picture's address is refused for 15 minutes; then the setting is right, and the first download fails."""
    with (
        Rig(folder, against_double(in_flight=5, started=False)) as rig,
        Proxy(rig.simulator.port) as proxy,
    ):
        double = double_of(rig)
        double.set_faults([rule("download", "status", status=503, when={"each": 1})])
        # Only the base url's own host and port may be on the loopback: seen through a proxy, the pictures' are not.
        wrong = {
            "VTON_HIDREAM__IMAGE_HOSTS": '["elsewhere.example"]',
            "VTON_HIDREAM__BASE_URL": f"http://127.0.0.1:{proxy.port}",
        }
        for worker in rig.processes.workers:
            worker.start(**(wrong if worker in rig.processes.of("collect") else {}))
        rig.until(rig.ready, "the workers are ready")
        batch = rig.enqueue("batch", range(jobs))
        rig.until(lambda: rig.ledger.gate().paused, "buying pauses", within_s=180)
        reported = gate_words(rig)
        began = time.time()
        if by_hand:
            rig.until(lambda: _collecting(rig, batch), "pictures wait")
            _date_back(rig, batch, minutes=16)
        rig.until(
            lambda: time.time() > began + wrong_s,
            "the setting is fixed",
            within_s=wrong_s + 60,
            step_s=0.5,
        )
        for worker in rig.processes.of("collect"):
            worker.kill()
            worker.start()
        rig.until(rig.ready, "the workers are ready")
        back = time.time()
        rig.vton("resume")
        rig.finish(batch, within_s=240)
        return Outcome(
            verdict=judge(rig, batch),
            faults=1 + struck(rig),
            recovery_s=time.time() - back,
            ending=f"{reported}; then {ending(rig, batch)}",
            broken=expect(rig, batch, succeeded=jobs) + tasks_made(rig, jobs),
            note="recovery: from the fixed setting until the batch was complete",
        )


scenario(AREA, "image_hosts wrong for 15 minutes, then right", idle_s=930)(hosts_wrong)


def answer_in_hand(
    folder: Path, *, killed: bool, away_s: float = 25, patience_s: int = 5, jobs: int = 60
) -> Outcome:
    """Redis is away longer than the workers' patience while accepted answers come; they are kept until it is back.

    killed: the workers die by kill -9 before it is back; what they had in hand lies on the disk.
    """
    setup = against_double(
        in_flight=20,
        latency_s=1,
        submit_delay_s=3,
        submit_timeout_s=30,
        env={"VTON_REDIS__PATIENCE_S": str(patience_s)},
    )
    with Rig(folder, setup) as rig:
        double = double_of(rig)
        batch = rig.enqueue("batch", range(jobs))
        rig.until(lambda: len(double.tasks()) >= 16, "tasks are made", step_s=0.02)
        rig.redis.kill()
        away = time.monotonic()
        rig.until(lambda: len(double.named()) == len(double.tasks()), "all answers are there", within_s=120)
        reported = double.named()
        in_hand = len(reported - _asked_for(rig))
        pause(patience_s + 3)
        if killed:
            for worker in rig.processes.of("submit"):
                worker.restarted = False
                worker.kill()
        pause(max(0.0, away_s - (time.monotonic() - away)))
        rig.redis.start()
        back = time.time()
        if killed:
            for worker in rig.processes.of("submit"):
                worker.restarted = True
                worker.start()
        going = rig.going_again(back, within_s=180)
        rig.finish(batch, within_s=300)
        return Outcome(
            verdict=judge(rig, batch),
            faults=1 + killed,
            recovery_s=going,
            ending=ending(rig, batch),
            broken=expect(rig, batch, succeeded=jobs) + tasks_made(rig, jobs),
            note=f"{in_hand} of {len(reported)} answers reported by then were in hand, or their tasks not yet asked for",
        )


def _asked_for(rig: Rig) -> set[str]:
    """Tasks that were asked for: surely recorded before Redis went."""
    return {one["task_id"] for one in double_of(rig).polls()}


scenario(AREA, "Redis away longer than redis.patience_s with accepted answers in hand")(
    partial(answer_in_hand, killed=False)
)
scenario(AREA, "the same, and the workers killed before it is back")(partial(answer_in_hand, killed=True))
