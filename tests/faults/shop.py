"""The shop's own side: disks, budgets, producers, batches that share pairs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.cli import control
from jobs.records import BatchId
from tests.faults.outcome import Outcome, SkippedError, scenario
from tests.faults.pause import pause
from tests.faults.stage import Setup, Stage
from tests.faults.verdict import judge

#: More than the room at which the product takes back a pause for a full disk.
DISK_MB = 260


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own (tmpfs) at a folder; only root can make one."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        raise SkippedError("mounting a tmpfs needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(folder: Path) -> Path:
    """Takes all the room that is left."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        block = bytes(1 << 20)
        try:
            while True:
                os.write(file.fileno(), block)
        except OSError:
            pass
    return filler


@scenario("disk full", "no room for pictures for 10 s")
def _no_room_for_pictures(folder: Path) -> Outcome:
    with small_disk(folder / "data") as disk, Stage(folder, Setup(in_flight=5)) as stage:
        batch = stage.enqueue("night", range(80))
        stage.until(lambda: stage.arrived(20), "submits have begun", step_s=0.01)
        filler = fill(disk)
        stage.until(lambda: stage.ledger.gate_fields().get("paused"), "buying pauses", within_s=30)
        pause(2)
        paused_at = len(stage.simulator.arrivals())
        pause(8)
        more = len(stage.simulator.arrivals()) - paused_at
        filler.unlink()
        took = stage.finish(batch, within_s=200)
        return Outcome(
            verdict=judge(stage, batch),
            faults=1,
            recovery_s=took,
            broken=[f"{more} were bought while the disk was full"] if more else [],
            note="recovery: until the batch was complete",
        )


@scenario("disk full", "no room for results for 6 s")
def _no_room_for_results(folder: Path) -> Outcome:
    with small_disk(folder / "out") as disk, Stage(folder, Setup(in_flight=5)) as stage:
        batch = stage.enqueue("night", range(80))
        stage.until(lambda: stage.arrived(20), "submits have begun", step_s=0.01)
        filler = fill(disk)
        pause(6)
        filler.unlink()
        took = stage.finish(batch, within_s=200)
        return Outcome(
            verdict=judge(stage, batch),
            faults=1,
            recovery_s=took,
            note="recovery: until the batch was complete",
        )


@scenario("budget", "the batch's budget in the middle, workers killed meanwhile")
def _budget(folder: Path) -> Outcome:
    with Stage(folder, Setup(env={"VTON_LIMITS__MAX_IMAGES_PER_BATCH": "35"}, submit_timeout_s=1)) as stage:
        batch = stage.enqueue("night", range(80))
        stage.until(lambda: stage.arrived(10), "submits have begun", step_s=0.01)
        stage.crew.of("submit")[0].kill()
        stage.until(
            lambda: int(stage.ledger.batch_fields(batch).get("spent", 0)) >= 35, "the budget is spent"
        )
        stage.until(
            lambda: not any(n for kind, n in stage.standing().items() if kind != "queued"),
            "nothing is under way",
        )
        pause(1)
        unknown = stage.status(batch).counts.get("unknown", 0)
        stage.vton("cancel", "night")
        stage.finish(batch)
        bought = stage.simulator.totals()["charges"]
        verdict = judge(stage, batch, budget=35, unknown_at_most=stage.setup.threads)
        broken = [] if 35 - unknown <= bought <= 35 else [f"{bought} ordered, {unknown} unknown, budget 35"]
        return Outcome(
            verdict=verdict, faults=1, broken=broken, note=f"budget 35: {bought} ordered, {unknown} unknown"
        )


@scenario("budget", "the day's budget in the middle of two batches")
def _day_budget(folder: Path) -> Outcome:
    with Stage(folder, Setup(env={"VTON_LIMITS__MAX_IMAGES_PER_DAY": "50"})) as stage:
        one, two = stage.enqueue("one", range(40)), stage.enqueue("two", range(40, 80))
        stage.until(lambda: stage.ledger.spent_today() >= 50, "the budget is spent")
        stage.until(
            lambda: not any(n for kind, n in stage.standing().items() if kind != "queued"),
            "nothing is under way",
        )
        pause(1)
        stage.vton("cancel", "one")
        stage.vton("cancel", "two")
        stage.finish(one, two)
        bought = stage.simulator.totals()["charges"]
        return Outcome(
            verdict=judge(stage, one, two, budget=50),
            faults=1,
            broken=[] if bought == 50 else [f"{bought} ordered"],
            note=f"budget 50: {bought} ordered",
        )


@scenario("producers", "the same manifest by two producers at once, and once more after")
def _two_producers(folder: Path) -> Outcome:
    with Stage(folder, Setup(in_flight=20, latency_s=0.2)) as stage:
        path = stage.manifest("night", range(150))
        argv = [
            sys.executable,
            "-c",
            "from jobs.cli import main; main()",
            "enqueue",
            str(path),
            "--batch",
            "night",
        ]
        both = [
            subprocess.Popen(
                argv, env=stage.env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            for _ in "ab"
        ]
        codes = [one.wait(60) for one in both]
        batch = BatchId("night")
        stage.finish(batch)
        stage.vton("enqueue", str(path), "--batch", "night")
        stage.finish(batch)
        return Outcome(
            verdict=judge(stage, batch),
            faults=2,
            broken=[f"exit {codes}"] if any(codes) else [],
            note=f"{stage.simulator.totals()['tasks']} tasks for 150 pairs",
        )


@scenario("producers", "the producer killed half-way, then repeated")
def _killed_producer(folder: Path) -> Outcome:
    rows = 1500
    with Stage(
        folder,
        Setup(
            submit=2, collect=2, threads=8, in_flight=60, latency_s=0.1, submit_delay_s=0, per_minute=60000
        ),
    ) as stage:
        path = stage.manifest("night", range(rows))
        argv = [
            sys.executable,
            "-c",
            "from jobs.cli import main; main()",
            "enqueue",
            str(path),
            "--batch",
            "night",
        ]
        producer = subprocess.Popen(
            argv, env=stage.env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        key = stage.ledger.key("batch", "night")
        stage.until(
            lambda: int(stage.ledger.client.hget(key, "rows") or 0) >= 500, "a part is admitted", step_s=0.001
        )
        producer.kill()
        producer.wait()
        before = stage.ledger.batch_fields(BatchId("night"))
        batch = stage.enqueue("night", range(rows))
        stage.finish(batch, within_s=300)
        return Outcome(
            verdict=judge(stage, batch),
            faults=1,
            broken=["it was over before the kill"] if "sealed" in before else [],
            note=f"{before['rows']} rows at the kill;"
            f" {stage.simulator.totals()['tasks']} tasks for {rows} pairs",
        )


@scenario("producers", "the next night: all pairs again, one of them changed")
def _next_night(folder: Path) -> Outcome:
    with Stage(folder, Setup(in_flight=20, latency_s=0.2)) as stage:
        one = stage.enqueue("monday", range(60))
        stage.finish(one)
        two = stage.enqueue("tuesday", range(1, 61))
        stage.finish(two)
        tasks = stage.simulator.totals()["tasks"]
        return Outcome(
            verdict=judge(stage, one, two),
            faults=1,
            broken=[] if tasks == 61 else [f"{tasks} tasks for 61 pairs"],
            note="61 tasks for 120 rows of 61 pairs",
        )


@scenario("producers", "two batches share pairs, one of them is cancelled")
def _shared(folder: Path) -> Outcome:
    with Stage(folder, Setup(in_flight=5)) as stage:
        one, two = stage.enqueue("one", range(240)), stage.enqueue("two", range(120, 360))
        stage.until(lambda: stage.arrived(15), "submits have begun", step_s=0.01)
        control.pause(stage.ledger, "somebody cancels")
        stage.vton("cancel", "one")
        stage.vton("resume")
        stage.finish(one, two)
        verdict = judge(stage, one, two)
        other = stage.status(two).counts
        broken = [] if other == {"succeeded": 240} else [f"the other batch has {dict(other)}"]
        if not stage.status(one).counts.get("cancelled"):
            broken.append("the cancel came too late to matter")
        return Outcome(
            verdict=verdict,
            faults=1,
            broken=broken,
            note=f"cancelled: {dict(stage.status(one).counts)}; the other: {dict(other)}",
        )
