"""How soon `vton status` says that workers were killed, the token revoked, Redis gone; and nothing while all is well."""

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from jobs.config.settings import LimitSettings, Settings
from jobs.health.assessment import Health, assess
from jobs.health.reading import read_facts
from jobs.health.rules import State
from jobs.notices.looking import Looking
from jobs.notices.sender import Notices
from tests.faults.doubles import against_double, double_of, expect, tasks_made
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.rig import Rig, Setup
from tests.faults.scene import StuckError
from tests.faults.verdict import judge

AREA = "seen from outside"
#: What was promised, s; the assessment itself is made at once.
PROMISED_S = 15
#: Between two looks at a long run of which nothing is wrong, s.
_LOOK_S = 5
#: Looks while all is well before anything is broken, s.
_WELL_S = 10


def _health(rig: Rig) -> Health:
    limits = LimitSettings(in_flight=rig.setup.in_flight, images_per_minute=rig.setup.per_minute)
    return assess(read_facts(rig.ledger, limits, latency_s=rig.setup.latency_s))


def _alarms(rig: Rig, seconds: float) -> list[str]:
    """What is said to be wrong or unknown while nothing is."""
    found, ends = [], time.monotonic() + seconds
    while time.monotonic() < ends:
        health = _health(rig)
        found += [
            f"false alarm: {each.evidence}"
            for each in (health.flow, health.execution, health.liveness)
            if each.state in {State.WRONG, State.UNKNOWN}
        ]
        pause(0.5)
    return found


def _seen(says: Callable[[], bool]) -> float:
    """Seconds until it is said. Unlike a rig's own waiting it starts no worker again."""
    began = time.monotonic()
    while not says():
        if time.monotonic() - began > 10 * PROMISED_S:
            raise StuckError("nobody ever said what was wrong")
        pause(0.1)
    return time.monotonic() - began


def _played(
    folder: Path, strike: Callable[[Rig], Callable[[], bool]], heal: Callable[[Rig], object]
) -> Outcome:
    """`strike` breaks something and returns what must be said of it; `heal` puts it right."""
    with Rig(folder, against_double(in_flight=2, latency_s=4, submit=1)) as rig:
        batch = rig.enqueue("batch", range(12))
        rig.until(lambda: rig.arrived(2), "submits have begun")
        broken = _alarms(rig, _WELL_S)
        rig.until(lambda: not rig.submitting(), "no request is open", step_s=0.01)
        seen_s = _seen(strike(rig))
        heal(rig)
        rig.finish(batch)
        if seen_s > PROMISED_S:
            broken.append(f"it was said after {seen_s:.1f} s")
        broken += expect(rig, batch, succeeded=12) + tasks_made(rig, 12)
        return Outcome(
            verdict=judge(rig, batch),
            faults=1,
            broken=broken,
            note=f"said after {seen_s:.1f} s of {PROMISED_S}",
        )


@scenario(AREA, "every worker is killed")
def _killed(folder: Path) -> Outcome:
    def strike(rig: Rig) -> Callable[[], bool]:
        for worker in rig.processes.workers:
            worker.kill()
        return lambda: _health(rig).liveness.state is State.WRONG

    return _played(folder, strike, lambda rig: rig.processes.poll())


@scenario(AREA, "the token is revoked")
def _revoked(folder: Path) -> Outcome:
    def strike(rig: Rig) -> Callable[[], bool]:
        double_of(rig).set_account(tokens=["another"])
        return lambda: "without a token" in _health(rig).liveness.evidence

    def heal(rig: Rig) -> None:
        double_of(rig).set_account(tokens=[rig.canaries["token"]])
        rig.vton("resume")

    return _played(folder, strike, heal)


@scenario(AREA, "Redis is gone")
def _gone(folder: Path) -> Outcome:
    def strike(rig: Rig) -> Callable[[], bool]:
        rig.redis.kill()
        return lambda: "liveness   wrong" in rig.vton("status", check=False).stdout

    return _played(folder, strike, lambda rig: rig.redis.start())


def well(folder: Path, minutes: float) -> Outcome:
    """So many minutes of one batch after the other, with idle times between and workers that are replaced in order.

    Every few seconds `vton status` is asked, and what deserved a notice; all that is said is a false alarm.
    """
    # A busy machine's slow answers are no fault either.
    setup = Setup(submit=2, collect=2, in_flight=10, per_minute=300, latency_s=2, submit_timeout_s=60)
    dice, ends = random.Random(1), time.monotonic() + minutes * 60
    with Rig(folder, setup) as rig:
        said = _Said(rig)
        batches = []
        while time.monotonic() < ends:
            first = 60 * len(batches)
            batches.append(rig.enqueue(f"batch-{len(batches)}", range(first, first + 60)))
            while not rig.complete(batches[-1]) and time.monotonic() < ends:
                said.look()
            one = dice.choice(rig.processes.workers)
            one.signal(signal.SIGTERM, group=False)
            one.wait()
            rig.until(rig.ready, "the worker is there again")
            pause_ends = time.monotonic() + dice.uniform(0, 20)
            while time.monotonic() < min(pause_ends, ends):
                said.look()
        rig.finish(*batches)
        return Outcome(
            verdict=judge(rig, *batches),
            faults=0,
            broken=said.alarms,
            note=f"{len(said.alarms)} false alarms in {said.looks} looks of {minutes:g} min, {len(batches)} batches",
        )


class _Said:
    """What was said although nothing is wrong."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        settings = Settings(
            limits=LimitSettings(in_flight=rig.setup.in_flight, images_per_minute=rig.setup.per_minute)
        )
        self._looking = Looking(rig.ledger, settings, Notices(rig.ledger, settings.notify))
        self.looks = 0
        self.alarms: list[str] = []

    def look(self) -> None:
        """One look, and the time until the next."""
        began = time.monotonic()
        self.looks += 1
        health = json.loads(self._rig.vton("status", "--json", check=False).stdout)["health"]
        found = {name: health[name] for name in ("flow", "execution", "liveness")}
        self.alarms += [
            f"{name} {one['state']}: {one['evidence']}"
            for name, one in found.items()
            if one["state"] != State.OK
        ]
        self.alarms += [f"{notice.event}: {notice.title}" for notice in self._looking.due()]
        while time.monotonic() - began < _LOOK_S:
            self._rig.processes.poll()
            pause(0.1)
