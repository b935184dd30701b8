"""Pictures that cannot be had for longer than we wait, and a Redis that is away while an answer is in hand."""

import time
from functools import partial
from pathlib import Path

from jobs.cli import control
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
from tests.faults.stage import Stage
from tests.faults.verdict import judge

AREA = "pictures and answers that wait"


def cdn_away(folder: Path, *, away_s: float = 960, jobs: int = 40, by_hand: bool = False) -> Outcome:
    """Downloads fail for 16 minutes; then the manifest is run again, as the next evening.

    by_hand: the end of every task is dated back by 16 minutes, so that `away_s` may be short.
    """
    with Stage(folder, against_double(in_flight=10)) as stage:
        double = double_of(stage)
        double.set_faults([rule("download", "status", status=503, when={"tasks": 10})])
        batch = stage.enqueue("night", range(jobs))
        stage.until(lambda: struck(stage), "downloads fail")
        began = time.time()
        if by_hand:
            stage.until(lambda: len(_collecting(stage, batch)) >= 5, "pictures wait")
            _date_back(stage, batch, minutes=16)
        told = ""

        def over() -> bool:
            nonlocal told
            told = gate_words(stage) or told
            return time.time() > began + away_s

        stage.until(over, "the pictures are back", within_s=away_s + 60, step_s=0.5)
        double.set_faults([])
        faults, lost = struck(stage), kinds(stage, batch)
        control.resume(stage.ledger)
        back = time.time()
        other = stage.enqueue("later", range(jobs))
        stage.finish(batch, other, within_s=240)
        return Outcome(
            verdict=judge(stage, batch, other),
            faults=faults,
            recovery_s=time.time() - back,
            ending=f"{told or 'gate open'}; then {ending(stage, other)}",
            broken=expect(stage, other, succeeded=jobs) + tasks_made(stage, jobs),
            note=f"given up meanwhile: {lost}; recovery: until the next run's batch was complete",
        )


def _collecting(stage: Stage, batch: BatchId) -> list[str]:
    """Jobs whose task has ended and whose picture is not there yet."""
    return [
        rid
        for rid, job in stage.jobs(batch).items()
        if job.state is JobState.SUBMITTED and job.ended_ms is not None
    ]


def _date_back(stage: Stage, batch: BatchId, *, minutes: int) -> None:
    """Lets time pass for pictures that wait."""
    for request_id in _collecting(stage, batch):
        key = stage.ledger.key("job", request_id)
        stage.ledger.client.hincrby(key, "ended_ms", -minutes * 60_000)


scenario(AREA, "the pictures' servers away for 16 minutes", idle_s=960)(cdn_away)


def hosts_wrong(folder: Path, *, wrong_s: float = 930, jobs: int = 30, by_hand: bool = False) -> Outcome:
    """Every picture's address is refused for 15 minutes; then the setting is right, and the first download fails."""
    with (
        Stage(folder, against_double(in_flight=5, started=False)) as stage,
        Proxy(stage.simulator.port) as proxy,
    ):
        double = double_of(stage)
        double.set_faults([rule("download", "status", status=503, when={"each": 1})])
        # Only the base url's own host and port may be on the loopback: seen through a proxy, the pictures' are not.
        wrong = {
            "VTON_HIDREAM__IMAGE_HOSTS": '["elsewhere.example"]',
            "VTON_HIDREAM__BASE_URL": f"http://127.0.0.1:{proxy.port}",
        }
        for worker in stage.crew.workers:
            worker.start(**(wrong if worker in stage.crew.of("collect") else {}))
        stage.until(stage.ready, "the workers are ready")
        batch = stage.enqueue("night", range(jobs))
        stage.until(lambda: stage.ledger.gate_fields().get("paused"), "buying pauses", within_s=180)
        told = gate_words(stage)
        began = time.time()
        if by_hand:
            stage.until(lambda: _collecting(stage, batch), "pictures wait")
            _date_back(stage, batch, minutes=16)
        stage.until(
            lambda: time.time() > began + wrong_s,
            "the setting is fixed",
            within_s=wrong_s + 60,
            step_s=0.5,
        )
        for worker in stage.crew.of("collect"):
            worker.kill()
            worker.start()
        stage.until(stage.ready, "the workers are ready")
        back = time.time()
        stage.vton("resume")
        stage.finish(batch, within_s=240)
        return Outcome(
            verdict=judge(stage, batch),
            faults=1 + struck(stage),
            recovery_s=time.time() - back,
            ending=f"{told}; then {ending(stage, batch)}",
            broken=expect(stage, batch, succeeded=jobs) + tasks_made(stage, jobs),
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
    with Stage(folder, setup) as stage:
        double = double_of(stage)
        batch = stage.enqueue("night", range(jobs))
        stage.until(lambda: len(double.tasks()) >= 16, "tasks are made", step_s=0.02)
        stage.redis.kill()
        away = time.monotonic()
        stage.until(lambda: len(double.told()) == len(double.tasks()), "all answers are there", within_s=120)
        told = double.told()
        in_hand = len(told - _asked_for(stage))
        pause(patience_s + 3)
        if killed:
            for worker in stage.crew.of("submit"):
                worker.restarted = False
                worker.kill()
        pause(max(0.0, away_s - (time.monotonic() - away)))
        stage.redis.start()
        back = time.time()
        if killed:
            for worker in stage.crew.of("submit"):
                worker.restarted = True
                worker.start()
        going = stage.going_again(back, within_s=180)
        stage.finish(batch, within_s=300)
        return Outcome(
            verdict=judge(stage, batch),
            faults=1 + killed,
            recovery_s=going,
            ending=ending(stage, batch),
            broken=expect(stage, batch, succeeded=jobs) + tasks_made(stage, jobs),
            note=f"{in_hand} of {len(told)} answers told by then were in hand, or their tasks not yet asked for",
        )


def _asked_for(stage: Stage) -> set[str]:
    """Tasks that were asked for: surely recorded before Redis went."""
    return {one["task_id"] for one in double_of(stage).polls()}


scenario(AREA, "Redis away longer than redis.patience_s with accepted answers in hand")(
    partial(answer_in_hand, killed=False)
)
scenario(AREA, "the same, and the workers killed before it is back")(partial(answer_in_hand, killed=True))
