"""Clocks that are wrong: those of the workers all the time, Redis' own stepped in the middle of a run."""

import time
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path

from tests.faults.outcome import Outcome, SkippedError, scenario
from tests.faults.rig import Rig, Setup
from tests.faults.verdict import WINDOW_S, judge

#: How far a clock is off, or steps, s.
STEP_S = 90
#: libfaketime looks at its file so often, s: from then on the step has surely been made.
NOTICED_S = 1


def faketime() -> Path:
    """The library; raises SkippedError without it."""
    for folder in ("/usr/lib", "/usr/lib64", "/usr/local/lib"):
        for found in sorted(Path(folder).glob("**/faketime/libfaketimeMT.so.1")):
            return found
    raise SkippedError("libfaketime is not installed (apt-get install faketime)")


def steppable(file: Path) -> Mapping[str, str]:
    """The environment of a process whose wall clock is off by what stands in a file; its monotonic clock is right."""
    library = faketime()
    step(file, 0)
    return {
        # libc before jemalloc, which asks for the time before libfaketime can give it.
        "LD_PRELOAD": f"{library}:libc.so.6",
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": str(NOTICED_S),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def step(file: Path, seconds: int) -> None:
    """Sets such a clock off by so many seconds against the true one."""
    new = file.with_suffix(".new")
    new.write_text(f"{seconds:+d}\n", encoding="ascii")
    new.replace(file)


@scenario("clocks", "worker clocks 90 s ahead and 90 s behind")
def _skewed(folder: Path) -> Outcome:
    library = str(faketime())
    with Rig(folder, Setup(submit=2, collect=2, in_flight=5, started=False)) as rig:
        for number, worker in enumerate(rig.processes.workers):
            skew = f"{-STEP_S if number % 2 == 0 else STEP_S:+d}"
            worker.start(LD_PRELOAD=library, FAKETIME=skew, FAKETIME_DONT_FAKE_MONOTONIC="1")
        rig.until(rig.ready, "the workers are ready")
        batch = rig.enqueue("batch", range(100))
        took = rig.finish(batch, within_s=240)
        return Outcome(verdict=judge(rig, batch), faults=4, note=f"100 jobs in {took:.0f} s")


def stepped(
    folder: Path, *, seconds: int, submit_timeout_s: float = 3.0, submit_delay_s: float = 0.2
) -> Outcome:
    """Redis' clock steps under load, and nobody else's: every deadline of the ledger is off at once.

    What counts as recovery is the longest time without a submit after the step, while work was waiting.
    """
    file = folder / "clock"
    setup = Setup(
        in_flight=10,
        per_minute=600,
        submit_timeout_s=submit_timeout_s,
        submit_delay_s=submit_delay_s,
        redis_env=steppable(file),
    )
    with Rig(folder, setup) as rig:
        batch = rig.enqueue("batch", range(300))
        rig.until(partial(rig.arrived, 100), "submits have begun", step_s=0.01)
        before = _off_s(rig)
        open_intents = len(rig.submitting())
        step(file, seconds)
        at = time.time()
        rig.until(lambda: abs(_off_s(rig) - before - seconds) < 1, "Redis' clock has stepped", within_s=5)
        unknown = 0

        def over() -> bool:
            nonlocal unknown
            unknown = max(unknown, rig.status(batch).counts.get("unknown", 0))
            return rig.complete(batch)

        rig.until(over, "every row ended and was exported", within_s=300, step_s=0.2)
        arrivals = rig.simulator.arrivals()
        after = [at, *(one for one in arrivals if one > at)]
        stall = max(late - early for early, late in pairwise(after))
        broken = [f"no submit for {stall:.0f} s, more than a rate window"] if stall > WINDOW_S else []
        if len(arrivals) != rig.status(batch).rows:
            broken.append(f"{len(arrivals)} submits for {rig.status(batch).rows} jobs")
        return Outcome(
            verdict=judge(rig, batch, unknown_at_most=open_intents),
            faults=1,
            recovery_s=stall,
            broken=broken,
            note=f"longest time without a submit after the step; {open_intents} POSTs under way at it,"
            f" {unknown} unknown meanwhile, all ended {time.time() - at:.0f} s after it",
        )


def _off_s(rig: Rig) -> float:
    """Redis' clock against ours."""
    seconds, micros = rig.ledger.client.time()
    return float(seconds + micros / 1e6 - time.time())


scenario("clocks", "Redis' clock stepped back by 90 s")(partial(stepped, seconds=-STEP_S))
scenario("clocks", "Redis' clock stepped forward by 90 s")(
    # Long POSTs: their leases and intents are over at once.
    partial(stepped, seconds=STEP_S, submit_delay_s=1.0)
)
scenario("clocks", "Redis' clock stepped forward by 90 s, POSTs may last 60 s")(
    partial(stepped, seconds=STEP_S, submit_timeout_s=60, submit_delay_s=1.0)
)
