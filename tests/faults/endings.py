"""How `vton run` ends, and does not: signals, closed streams, a pair that is always turned away, a gateway that fails."""

import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from jobs.records import BatchId
from tests.faults.doubles import against_double, ending, rule, struck, tasks_made
from tests.faults.machine import Machine
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.rig import Rig
from tests.faults.scene import VTON, Setup, StuckError
from tests.faults.verdict import counted, judge

SIGNALS = "signals and streams"
RUNS = "runs that must end, or wait"
BATCH = BatchId("batch")
#: Ctrl-C while a manifest is read: 5 s and the POSTs under way are wanted; a busy machine takes longer.
ENDED_S = 30


def interrupted(folder: Path, *, sent: signal.Signals, jobs: int = 200) -> Outcome:
    """A signal under load: POSTs under way are recorded, files written; the same command completes it."""
    with Machine(folder, Setup(in_flight=5, submit_delay_s=0.3)) as machine:
        run = machine.start("batch", range(jobs))
        machine.until(lambda: machine.arrived(jobs // 3), "submits have begun")
        run.process.send_signal(sent)
        began = time.monotonic()
        first = machine.wait(run)
        took, reported = time.monotonic() - began, run.ending
        broken = [] if first in {128 + sent, 130} else [f"ended with {first}"]
        broken += [] if machine.summary(BATCH) else ["no files were written"]
        with machine.reading():
            unknown = counted(machine).unknown
        broken += [f"{unknown} POSTs under way became unknown"] if unknown else []
        code = machine.run("batch", range(jobs))
        broken += [f"the same command ended with {code}"] if code else []
        broken += tasks_made(machine, jobs)
        with machine.reading():
            verdict = judge(machine, BATCH)
        return Outcome(
            verdict=verdict, faults=1, ending=reported, broken=broken, note=f"ended {took:.1f} s after it"
        )


for _sent in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
    scenario(SIGNALS, f"{_sent.name} to `vton run` under load")(partial(interrupted, sent=_sent))


@scenario(SIGNALS, "SIGTERM to every process of a run at once")
def all_at_once(folder: Path, *, jobs: int = 200) -> Outcome:
    """As a machine that goes down does it."""
    with Machine(folder, Setup(in_flight=5, submit_delay_s=0.3)) as machine:
        run = machine.start("batch", range(jobs))
        machine.until(lambda: machine.arrived(jobs // 3), "submits have begun")
        doubles = str(machine.simulator.folder)
        for process in machine.living():
            if doubles not in process.cmdline():
                process.terminate()
        began = time.monotonic()
        machine.wait(run)
        took, reported = time.monotonic() - began, run.ending
        code = machine.run("batch", range(jobs))
        broken = [f"the same command ended with {code}: {machine.runs[-1].last_words}"] if code else []
        broken += tasks_made(machine, jobs)
        with machine.reading():
            verdict = judge(machine, BATCH)
        return Outcome(
            verdict=verdict, faults=1, ending=reported, broken=broken, note=f"ended {took:.1f} s after it"
        )


@scenario(SIGNALS, "the machine is suspended for 20 s and wakes")
def suspended(folder: Path, *, jobs: int = 40, for_s: float = 20) -> Outcome:
    """Answers lie in the sockets meanwhile: every POST under way is recorded."""
    with Machine(folder, Setup(in_flight=5, submit_delay_s=0.5, submit_timeout_s=60)) as machine:
        run = machine.start("batch", range(jobs))
        machine.until(lambda: machine.arrived(jobs // 3), "submits have begun")
        doubles = str(machine.simulator.folder)
        asleep = [one for one in machine.living() if doubles not in one.cmdline()]
        asleep += machine.embedded()
        for process in asleep:
            process.suspend()
        pause(for_s)
        for process in asleep:
            process.resume()
        code = machine.wait(run)
        broken = [f"ended with {code}: {run.last_words}"] if code else []
        broken += tasks_made(machine, jobs)
        with machine.reading():
            verdict = judge(machine, BATCH)
        return Outcome(verdict=verdict, faults=1, ending=run.ending, broken=broken)


@scenario(SIGNALS, "standard output and error are closed by their reader")
def closed_streams(folder: Path, *, jobs: int = 60) -> Outcome:
    """The work goes on, its words are dropped."""
    with Machine(folder, Setup(in_flight=5, env={"VTON_LOGS__LEVEL": "debug"})) as machine:
        path = machine.manifest("batch", range(jobs))
        piped = subprocess.Popen(
            [sys.executable, "-c", VTON, "run", str(path), "--batch", "batch"],
            env=machine.env,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert piped.stdout is not None
        piped.stdout.readline()
        piped.stdout.close()
        machine.until(lambda: piped.poll() is not None, "it ends", within_s=240)
        broken = [f"ended with {piped.returncode}"] if piped.returncode else []
        broken += tasks_made(machine, jobs)
        if machine.succeeded(BATCH) != jobs:
            broken.append(f"{machine.succeeded(BATCH)} of {jobs} rows have their picture")
        with machine.reading():
            verdict = counted(machine)
        return Outcome(verdict=verdict, faults=1, ending=f"exit {piped.returncode}", broken=broken)


def while_reading(folder: Path, *, rows: int = 900_000, sent: signal.Signals | None = None) -> Outcome:
    """A signal, or the deadline, while a long manifest is still read: it ends, and takes no further row."""
    with Machine(folder, Setup(in_flight=5)) as machine:
        words = () if sent else ("--deadline", "6s")
        run = machine.start("batch", range(rows), *words)
        machine.until(lambda: machine.arrived(1), "submits have begun", within_s=180)
        began = time.monotonic()
        if sent:
            run.process.send_signal(sent)
        code = machine.wait(run, within_s=240)
        took = time.monotonic() - began
        wanted = {128 + sent, 130} if sent else {10}
        broken = [] if code in wanted else [f"ended with {code}"]
        broken += [f"ended only {took:.0f} s after it"] if took > ENDED_S else []
        with machine.reading() as ledger:
            admitted = ledger.status(BATCH).rows
            verdict = counted(machine)
        return Outcome(
            verdict=verdict,
            faults=1,
            ending=run.ending,
            broken=broken,
            note=f"ended {took:.1f} s after {sent.name if sent else 'its first submit'}, {admitted} rows admitted",
        )


scenario(SIGNALS, "Ctrl-C while 900,000 rows are read")(partial(while_reading, sent=signal.SIGINT))
scenario(SIGNALS, "SIGTERM while 900,000 rows are read")(partial(while_reading, sent=signal.SIGTERM))
scenario(SIGNALS, "`--deadline 6s` while 900,000 rows are read")(while_reading)


def mid_line(folder: Path, *, rounds: int = 25) -> Outcome:
    """SIGTERM again and again to workers that log as much as they can: every one ends."""
    setup = against_double(
        submit=2,
        threads=8,
        in_flight=40,
        per_minute=60000,
        latency_s=0.05,
        submit_delay_s=0.0,
        env={"VTON_LOGS__LEVEL": "debug"},
    )
    dice = random.Random(1)
    with Rig(folder, setup) as rig:
        # More than will be needed; what is left is cancelled.
        batch = rig.enqueue("batch", range(rounds * 1200))
        hung = 0
        for number in range(rounds):
            victim = rig.processes.of("submit")[number % 2]
            rig.until(partial(rig.arrived, len(rig.simulator.arrivals()) + 5), "submits go on", step_s=0.01)
            pause(dice.uniform(0, 0.3))
            victim.restarted = False
            victim.signal(signal.SIGTERM, group=False)
            if victim.wait(60) is None:
                hung += 1
                victim.kill()
            victim.restarted = True
            rig.processes.poll()
            rig.until(rig.ready, "the workers are ready")
        left = rig.ledger.queued_total()
        rig.vton("cancel", "batch")
        rig.finish(batch, within_s=240)
        broken = [f"{hung} of {rounds} workers hung for 60 s"] if hung else []
        return Outcome(
            verdict=judge(rig, batch),
            faults=rounds,
            ending=ending(rig, batch),
            broken=[*broken, *([] if left else ["there was not enough work"])],
        )


scenario(SIGNALS, "SIGTERM in the middle of a log line, 25 times")(mid_line)


def poison(folder: Path, *, jobs: int = 40, within_s: float = 300, **how: object) -> Outcome:
    """One pair is never answered well. The others get their pictures, the run ends, and says whose the one is."""
    with Machine(folder, Setup(in_flight=5)) as machine:
        when = {"match": "garments/7.jpg"}
        machine.simulator.set_faults([rule("submit", str(how.pop("do")), when=when, **how)])
        run = machine.start("batch", range(jobs))
        broken = []
        try:
            code = machine.wait(run, within_s=within_s)
            broken += [f"ended with {code}: {run.last_words}"] if code not in {5, 6} else []
        except StuckError:
            broken.append(f"runs on after {within_s:g} s")
            run.process.send_signal(signal.SIGTERM)
            machine.wait(run)
        reported = run.ending
        if machine.succeeded(BATCH) != jobs - 1:
            broken.append(f"{machine.succeeded(BATCH)} of {jobs - 1} others have their picture")
        with machine.reading():
            verdict = counted(machine)
        gaps = machine.summary(BATCH).get("gaps_by_class")
        return Outcome(
            verdict=verdict, faults=struck(machine), ending=reported, broken=broken, note=f"gaps: {gaps}"
        )


scenario(RUNS, "one pair is always answered 503")(partial(poison, do="status", status=503))
scenario(RUNS, "one pair is always answered 503 in the vendor's envelope")(
    partial(poison, do="status", status=503, body="envelope")
)
scenario(RUNS, "one pair is always answered 2004")(partial(poison, do="code", code=2004))
scenario(RUNS, "one pair is always reset after its task was made")(partial(poison, do="reset", after=True))
scenario(RUNS, "one pair is always reset before")(partial(poison, do="reset"))


def submit_storm(folder: Path, *, status: int, for_s: float = 25, jobs: int = 80) -> Outcome:
    """A gateway answers every submit with its own page for a while: waited out, not ended with 7."""
    with Machine(folder, Setup(in_flight=3)) as machine:
        when = {"tasks": 10, "for_s": for_s}
        machine.simulator.set_faults([rule("submit", "status", status=status, when=when)])
        run = machine.start("batch", range(jobs))
        code = machine.wait(run, within_s=for_s + 300)
        reported = run.ending
        broken = [] if code in {0, 5} else [f"ended with {code}: {run.last_words}"]
        faults = struck(machine)
        with machine.reading():
            verdict = counted(machine)
            states = ledger_counts(machine)
        if sum(states.values()) != jobs or set(states) - {"succeeded", "unknown"}:
            broken.append(f"rows: {states}")
        if verdict.unknown > faults:
            broken.append(f"{verdict.unknown} unknown after {faults} such answers")
        return Outcome(verdict=verdict, faults=faults, ending=reported, broken=broken, note=f"rows: {states}")


def ledger_counts(machine: Machine) -> dict[str, int]:
    """Rows of the batch by status."""
    return dict(machine.ledger.status(BATCH).counts)


for _status in (302, 403, 404, 405, 502):
    scenario(RUNS, f"all submits {_status} for 25 s", idle_s=30)(partial(submit_storm, status=_status))


@scenario(RUNS, "all polls 404 for 40 s under `vton run`", idle_s=50)
def polls_missing(folder: Path, *, for_s: float = 40, jobs: int = 40) -> Outcome:
    """The storm is the vendor's outage: the run waits, and completes."""
    setup = Setup(in_flight=5, latency_s=3, env={"VTON_TASKS__LOST_AFTER_S": "2"})
    with Machine(folder, setup) as machine:
        machine.simulator.set_faults([rule("poll", "status", status=404, when={"tasks": 10, "for_s": for_s})])
        run = machine.start("batch", range(jobs))
        code = machine.wait(run, within_s=for_s + 300)
        broken = [f"ended with {code}: {run.last_words}"] if code else []
        broken += tasks_made(machine, jobs)
        with machine.reading():
            verdict = judge(machine, BATCH)
        return Outcome(verdict=verdict, faults=struck(machine), ending=run.ending, broken=broken)
