"""Processes that die, stop or are asked to end."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from jobs.failpoints import ARMED_BY, NAMES
from jobs.records import BatchId
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.processes import Worker
from tests.faults.rig import Rig, Setup
from tests.faults.verdict import judge

#: Only between the intent and the record nobody can know whether it was bought.
UNKNOWABLE = NAMES[NAMES.index("intent_written") : NAMES.index("replied")]
COLLECTING = NAMES[NAMES.index("polling") :]
#: Places that a small batch does not pass four times.
NTH = {"exporting": 2, "results_appended": 1, "results_replaced": 1}


def at_failpoint(
    folder: Path, *, name: str, jobs: int = 24, hurry: bool = False, double: bool = False
) -> Outcome:
    """One process dies once at a named place; with `hurry` its deadlines are passed by hand."""
    setup = Setup(
        submit=1 if hurry else 2,
        collect=1,
        threads=1,
        started=False,
        latency_s=0.3,
        double={} if double else None,
    )
    with Rig(folder, setup) as rig:
        victim = rig.processes.of("collect" if name in COLLECTING else "submit")[0]
        victim.start(**{ARMED_BY: f"{name}:{NTH.get(name, 4)}"})
        rig.processes.start()
        batch = rig.enqueue("batch", range(jobs))
        rig.until(lambda: victim.starts > 1, f"a process dies at {name}", step_s=0.02)
        died = time.monotonic()
        if hurry:
            hurry_on(rig, batch)
        rig.finish(batch, within_s=240)
        verdict = judge(rig, batch, unknown_at_most=int(name in UNKNOWABLE))
        broken = []
        if name in UNKNOWABLE and verdict.unknown != 1:
            broken.append(f"the job that died at {name} is not held: {dict(verdict.states)}")
        return Outcome(
            verdict=verdict,
            faults=1,
            recovery_s=None if hurry else time.monotonic() - died,
            broken=broken,
            note="until the batch was complete",
        )


def hurry_on(rig: Rig, batch: BatchId) -> None:
    """Lets the deadlines of the dead pass by hand whenever the living have nothing to do, until the batch is complete."""

    def over() -> bool:
        if not rig.complete(batch) and quiet(rig, batch):
            rig.pass_time()
        return rig.complete(batch)

    rig.until(over, "only the deadlines of the dead were waited for", within_s=90)


def quiet(rig: Rig, batch: BatchId) -> bool:
    """Whether the live workers have nothing left to do but wait for deadlines of the dead."""
    if not rig.ready() or rig.ledger.queued_total():
        return False
    before = rig.status(batch).counts, rig.standing()
    pause(0.6)
    return before == (rig.status(batch).counts, rig.standing())


for _name in NAMES:
    scenario("kill -9 at a failpoint", f"kill at {_name}")(partial(at_failpoint, name=_name))
scenario("kill -9 at a failpoint", "kill at replied, told by the double's books")(
    partial(at_failpoint, name="replied", double=True)
)


def sigterm(folder: Path, *, jobs: int = 240, collect: int = 2) -> Outcome:
    """Every worker is asked to end under load, and others begin."""
    with Rig(
        folder, Setup(submit=2, collect=collect, in_flight=20, submit_delay_s=0.3, latency_s=0.5)
    ) as rig:
        batch = rig.enqueue("batch", range(jobs))
        rig.until(lambda: rig.arrived(10), "submits have begun", step_s=0.02)
        began = time.monotonic()
        for worker in rig.processes.workers:
            worker.restarted = False
            worker.signal(signal.SIGTERM, group=False)
        codes = [worker.wait(30) for worker in rig.processes.workers]
        took = time.monotonic() - began
        waiting = len(rig.submitting())
        since = time.time()
        for worker in rig.processes.workers:
            worker.start()
        going = rig.going_again(since)
        rig.finish(batch)
        broken = [f"ended with {codes}"] if any(codes) else []
        if waiting:
            broken.append(f"{waiting} intents were left behind")
        return Outcome(
            verdict=judge(rig, batch),
            faults=len(codes),
            recovery_s=going,
            broken=broken,
            note=f"all had ended {took:.1f} s after SIGTERM",
        )


scenario("SIGTERM, SIGSTOP, death", "SIGTERM to all workers under load")(sigterm)


@scenario("SIGTERM, SIGSTOP, death", "a submit worker dies, another idles")
def _dead_submitter(folder: Path) -> Outcome:
    """The job that the dead one had been handed goes to the idle one."""
    with Rig(folder, Setup(threads=1, started=False)) as rig:
        victim, other = rig.processes.of("submit")
        victim.restarted = False
        victim.start(**{ARMED_BY: "claimed:1"})
        rig.until(lambda: victim.ready, "the victim is ready")
        batch = rig.enqueue("batch", range(1))
        rig.until(lambda: not victim.alive, "the victim dies")
        since = time.time()
        for worker in (other, *rig.processes.of("collect")):
            worker.start()
        going = rig.going_again(since, within_s=90)
        rig.finish(batch)
        return Outcome(
            verdict=judge(rig, batch),
            faults=1,
            recovery_s=going,
            note="until its job was submitted",
            broken=[] if going <= 60 else [f"re-driven only after {going:.0f} s"],
        )


@scenario("SIGTERM, SIGSTOP, death", "a collect worker dies, another idles")
def _dead_collector(folder: Path) -> Outcome:
    with Rig(folder, Setup(collect=2, latency_s=2)) as rig:
        victim = rig.processes.of("collect")[0]
        batch = rig.enqueue("batch", range(10))
        rig.until(lambda: rig.arrived(10), "all are submitted")
        victim.restarted = False
        victim.kill()
        since = time.monotonic()
        rig.finish(batch, within_s=200)
        going = time.monotonic() - since
        return Outcome(
            verdict=judge(rig, batch),
            faults=1,
            recovery_s=going,
            note="until the batch was complete",
            broken=[] if going <= 60 else [f"complete only after {going:.0f} s"],
        )


@contextmanager
def stopped(workers: list[Worker]) -> Iterator[None]:
    """SIGSTOP, then SIGCONT."""
    for worker in workers:
        worker.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for worker in workers:
            worker.signal(signal.SIGCONT)


@scenario("SIGTERM, SIGSTOP, death", "SIGSTOP mid-POST until its job is unknown, then SIGCONT")
def _stopped(folder: Path) -> Outcome:
    setup = Setup(
        submit=2, threads=2, submit_delay_s=0.8, submit_timeout_s=120, env={"VTON_TASKS__LATENCY_S": "0.4"}
    )
    # The reply lies in the socket while nobody reads it; time is passed by hand, since the POST may last 120 s.
    with Rig(folder, setup) as rig:
        victim = rig.processes.of("submit")[0]
        batch = rig.enqueue("batch", range(20))
        rig.until(lambda: len(rig.submitting()) == 4, "every thread is in a POST", step_s=0.01)
        with stopped([victim]):
            rig.until(lambda: _only_left(rig, batch), "the others have done the rest")
            rig.pass_time()
            rig.until(lambda: rig.status(batch).counts.get("unknown"), "its jobs are unknown")
            unknown = rig.status(batch).counts["unknown"]
        rig.until(
            lambda: not rig.status(batch).counts.get("unknown"), "the late records are adopted", within_s=20
        )
        rig.finish(batch)
        return Outcome(
            verdict=judge(rig, batch),
            faults=1,
            note=f"{unknown} were unknown meanwhile, all adopted by the late record",
        )


def _only_left(rig: Rig, batch: BatchId) -> bool:
    counts = rig.status(batch).counts
    return counts.get("succeeded", 0) + counts.get("submitting", 0) == rig.status(batch).rows


@scenario("SIGTERM, SIGSTOP, death", "SIGSTOP past the POST's time-out, then SIGCONT")
def _stopped_long(folder: Path) -> Outcome:
    with Rig(folder, Setup(submit=2, threads=2, submit_delay_s=0.6, submit_timeout_s=2)) as rig:
        victim = rig.processes.of("submit")[0]
        batch = rig.enqueue("batch", range(20))
        rig.until(lambda: len(rig.submitting()) == 4, "every thread is in a POST", step_s=0.01)
        with stopped([victim]):
            rig.until(lambda: rig.status(batch).counts.get("unknown"), "its jobs are unknown", within_s=60)
            unknown = rig.status(batch).counts["unknown"]
        rig.finish(batch)
        return Outcome(
            verdict=judge(rig, batch, unknown_at_most=unknown),
            faults=1,
            note=f"stopped for more than 24 s, {unknown} unknown meanwhile",
        )
