"""The shop's own side: disks, budgets, producers, batches that share pairs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.producing import control
from jobs.records import BatchId
from tests.faults.outcome import Outcome, SkippedError, scenario
from tests.faults.pause import pause
from tests.faults.rig import Rig, Setup
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
    with small_disk(folder / "data") as disk, Rig(folder, Setup(in_flight=5)) as rig:
        batch = rig.enqueue("batch", range(80))
        rig.until(lambda: rig.arrived(20), "submits have begun", step_s=0.01)
        filler = fill(disk)
        rig.until(lambda: rig.ledger.gate().paused, "buying pauses", within_s=30)
        pause(2)
        paused_at = len(rig.simulator.arrivals())
        pause(8)
        more = len(rig.simulator.arrivals()) - paused_at
        filler.unlink()
        took = rig.finish(batch, within_s=200)
        return Outcome(
            verdict=judge(rig, batch),
            faults=1,
            recovery_s=took,
            broken=[f"{more} were bought while the disk was full"] if more else [],
            note="recovery: until the batch was complete",
        )


@scenario("disk full", "no room for results for 6 s")
def _no_room_for_results(folder: Path) -> Outcome:
    with small_disk(folder / "out") as disk, Rig(folder, Setup(in_flight=5)) as rig:
        batch = rig.enqueue("batch", range(80))
        rig.until(lambda: rig.arrived(20), "submits have begun", step_s=0.01)
        filler = fill(disk)
        pause(6)
        filler.unlink()
        took = rig.finish(batch, within_s=200)
        return Outcome(
            verdict=judge(rig, batch),
            faults=1,
            recovery_s=took,
            note="recovery: until the batch was complete",
        )


@scenario("budget", "the batch's budget in the middle, workers killed meanwhile")
def _budget(folder: Path) -> Outcome:
    with Rig(folder, Setup(env={"VTON_LIMITS__MAX_IMAGES_PER_BATCH": "35"}, submit_timeout_s=1)) as rig:
        batch = rig.enqueue("batch", range(80))
        rig.until(lambda: rig.arrived(10), "submits have begun", step_s=0.01)
        rig.processes.of("submit")[0].kill()
        rig.until(lambda: rig.ledger.batch(batch).spent >= 35, "the budget is spent")
        rig.until(
            lambda: not any(n for kind, n in rig.standing().items() if kind != "queued"),
            "nothing is under way",
        )
        pause(1)
        unknown = rig.status(batch).counts.get("unknown", 0)
        rig.vton("cancel", "batch")
        rig.finish(batch)
        bought = rig.simulator.totals()["charges"]
        verdict = judge(rig, batch, budget=35, unknown_at_most=rig.setup.threads)
        broken = [] if 35 - unknown <= bought <= 35 else [f"{bought} ordered, {unknown} unknown, budget 35"]
        return Outcome(
            verdict=verdict, faults=1, broken=broken, note=f"budget 35: {bought} ordered, {unknown} unknown"
        )


@scenario("budget", "the day's budget in the middle of two batches")
def _day_budget(folder: Path) -> Outcome:
    with Rig(folder, Setup(env={"VTON_LIMITS__MAX_IMAGES_PER_DAY": "50"})) as rig:
        one, two = rig.enqueue("one", range(40)), rig.enqueue("two", range(40, 80))
        rig.until(lambda: rig.ledger.spent_today() >= 50, "the budget is spent")
        rig.until(
            lambda: not any(n for kind, n in rig.standing().items() if kind != "queued"),
            "nothing is under way",
        )
        pause(1)
        rig.vton("cancel", "one")
        rig.vton("cancel", "two")
        rig.finish(one, two)
        bought = rig.simulator.totals()["charges"]
        return Outcome(
            verdict=judge(rig, one, two, budget=50),
            faults=1,
            broken=[] if bought == 50 else [f"{bought} ordered"],
            note=f"budget 50: {bought} ordered",
        )


@scenario("producers", "the same manifest by two producers at once, and once more after")
def _two_producers(folder: Path) -> Outcome:
    with Rig(folder, Setup(in_flight=20, latency_s=0.2)) as rig:
        path = rig.manifest("batch", range(150))
        argv = [
            sys.executable,
            "-c",
            "from jobs.cli import main; main()",
            "enqueue",
            str(path),
            "--batch",
            "batch",
        ]
        both = [
            subprocess.Popen(
                argv, env=rig.env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            for _ in "ab"
        ]
        codes = [one.wait(60) for one in both]
        batch = BatchId("batch")
        rig.finish(batch)
        rig.vton("enqueue", str(path), "--batch", "batch")
        rig.finish(batch)
        return Outcome(
            verdict=judge(rig, batch),
            faults=2,
            broken=[f"exit {codes}"] if any(codes) else [],
            note=f"{rig.simulator.totals()['tasks']} tasks for 150 pairs",
        )


@scenario("producers", "the producer killed half-way, then repeated")
def _killed_producer(folder: Path) -> Outcome:
    rows = 1500
    with Rig(
        folder,
        Setup(
            submit=2, collect=2, threads=8, in_flight=60, latency_s=0.1, submit_delay_s=0, per_minute=60000
        ),
    ) as rig:
        path = rig.manifest("batch", range(rows))
        argv = [
            sys.executable,
            "-c",
            "from jobs.cli import main; main()",
            "enqueue",
            str(path),
            "--batch",
            "batch",
        ]
        producer = subprocess.Popen(
            argv, env=rig.env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        key = rig.ledger.key("batch", "batch")
        rig.until(
            lambda: int(rig.ledger.client.hget(key, "rows") or 0) >= 500, "a part is admitted", step_s=0.001
        )
        producer.kill()
        producer.wait()
        before = rig.ledger.batch(BatchId("batch"))
        batch = rig.enqueue("batch", range(rows))
        rig.finish(batch, within_s=300)
        return Outcome(
            verdict=judge(rig, batch),
            faults=1,
            broken=["it was over before the kill"] if before.sealed else [],
            note=f"{before.rows} rows at the kill; {rig.simulator.totals()['tasks']} tasks for {rows} pairs",
        )


@scenario("producers", "the next night: all pairs again, one of them changed")
def _next_batch(folder: Path) -> Outcome:
    with Rig(folder, Setup(in_flight=20, latency_s=0.2)) as rig:
        one = rig.enqueue("monday", range(60))
        rig.finish(one)
        two = rig.enqueue("tuesday", range(1, 61))
        rig.finish(two)
        tasks = rig.simulator.totals()["tasks"]
        return Outcome(
            verdict=judge(rig, one, two),
            faults=1,
            broken=[] if tasks == 61 else [f"{tasks} tasks for 61 pairs"],
            note="61 tasks for 120 rows of 61 pairs",
        )


@scenario("producers", "two batches share pairs, one of them is cancelled")
def _shared(folder: Path) -> Outcome:
    with Rig(folder, Setup(in_flight=5)) as rig:
        one, two = rig.enqueue("one", range(240)), rig.enqueue("two", range(120, 360))
        rig.until(lambda: rig.arrived(15), "submits have begun", step_s=0.01)
        control.pause(rig.ledger, "somebody cancels")
        rig.vton("cancel", "one")
        rig.vton("resume")
        rig.finish(one, two)
        verdict = judge(rig, one, two)
        other = rig.status(two).counts
        broken = [] if other == {"succeeded": 240} else [f"the other batch has {dict(other)}"]
        if not rig.status(one).counts.get("cancelled"):
            broken.append("the cancel came too late to matter")
        return Outcome(
            verdict=verdict,
            faults=1,
            broken=broken,
            note=f"cancelled: {dict(rig.status(one).counts)}; the other: {dict(other)}",
        )
