"""The primary dies, stands still or runs ahead of its replicas; sentinels promote one of them under workers that stay up."""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from jobs.config.settings import RedisSettings
from jobs.ledger import Ledger
from jobs.redis.client import connect
from tests.faults.doubles import against_double, ending
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.rig import Rig
from tests.faults.scene import Setup
from tests.faults.servers import RedisServer
from tests.faults.standby import Standby, cut_off, newest_server
from tests.faults.verdict import Verdict, judge

AREA = "Redis fails over"
#: From the promotion to the first submit after it, s.
GOING_S = 15
#: How long a paused ledger is watched for submits that must not come, s.
WATCHED_S = 20


class StandbyRig(Rig):
    """A rig whose Redis is a primary with two replicas and three sentinels."""

    def __init__(self, folder: Path, setup: Setup, standby: Standby) -> None:
        super().__init__(folder, setup)
        self.standby = standby
        # The rig starts and kills the first; which of them is the primary changes.
        self.redis = standby.servers[0]
        self.canaries["redis"] = standby.password

    def _settings(self) -> dict[str, str]:
        return super()._settings() | {"VTON_REDIS__URL": self.standby.url}

    def _open(self) -> None:
        super()._open()
        # Whichever is the primary when it is looked at.
        settings = RedisSettings(url=SecretStr(self.standby.url))
        client = connect(settings, db=settings.ledger_db, patience_s=60)
        self._stack.callback(client.close)
        self.ledger = Ledger(client, self.ledger.prefix)


@contextlib.contextmanager
def standing_by(folder: Path, setup: Setup) -> Iterator[StandbyRig]:
    """Opens all of it. What sentinels write holds the password, and lies beside the folder that is judged."""
    beside = Path(tempfile.mkdtemp(prefix="standby-"))
    try:
        with Standby(beside, f"redis-canary-{os.urandom(12).hex()}", program=newest_server()) as standby:
            rig = StandbyRig(folder, setup, standby)
            # It runs: the rig must not start it a second time.
            rig.redis.start = lambda: None  # type: ignore[method-assign]
            with rig:
                yield rig
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def fail_over(
    folder: Path, *, harm: Callable[[StandbyRig], float], jobs: int, replicas: int = 1, submit: int = 2
) -> Outcome:
    """`harm` is done to the primary under load; returns when another one was promoted, epoch s."""
    env = {"VTON_REDIS__REPLICAS": str(replicas)}
    with standing_by(folder, against_double(submit=submit, in_flight=20, env=env)) as rig:
        batch = rig.enqueue("batch", range(jobs))
        rig.until(lambda: rig.arrived(jobs // 4), "submits have begun", step_s=0.01)
        under_way = len(rig.submitting())
        former = rig.standby.primary
        promoted = harm(rig)
        going = rig.going_again(promoted)
        rig.finish(batch, within_s=600)
        most = rig.setup.submit * rig.setup.threads
        verdict = judge(rig, batch, unknown_at_most=most)
        unconfirmed = rig.logged("submit.unconfirmed")
        back = "" if former is rig.standby.primary else "another one is the primary now; "
        return Outcome(
            verdict=verdict,
            faults=1,
            recovery_s=going,
            broken=[] if going <= GOING_S else [f"went on only {going:.0f} s after the promotion"],
            note=f"{under_way} POSTs under way at it; {back}{unconfirmed} intents were not confirmed and not sent",
        )


def _promotion(rig: StandbyRig, former: RedisServer) -> float:
    rig.until(lambda: rig.standby.promoted(former), "another one is promoted")
    return time.time()


def killed(rig: StandbyRig) -> float:
    """The primary dies; it does not come back."""
    former = rig.standby.primary
    former.kill()
    return _promotion(rig, former)


def stalled(rig: StandbyRig, *, stall_s: float) -> float:
    """The primary stands still, then goes on as the primary that it takes itself for, until sentinels tell it otherwise."""
    former = rig.standby.primary
    former.signal(signal.SIGSTOP)
    began = time.monotonic()
    try:
        rig.until(
            lambda: rig.standby.promoted(former) or time.monotonic() - began > stall_s,
            "it was silent for as long",
        )
        promoted = time.time()
        pause(max(0, stall_s - (time.monotonic() - began)))
    finally:
        former.signal(signal.SIGCONT)
    return promoted


def lagging(rig: StandbyRig, *, lag_s: float) -> float:
    """The replicas hear nothing for a while, and the primary dies before they do."""
    former, replicas = rig.standby.primary, rig.standby.replicas()
    cut_off(former, *replicas)
    pause(lag_s)
    former.kill()
    for replica in replicas:
        with replica.client(0) as client:
            client.config_set("masterauth", rig.standby.password)
    return _promotion(rig, former)


JOBS = 2_000
scenario(AREA, "the primary is killed, a replica is promoted")(partial(fail_over, harm=killed, jobs=JOBS))
for _stall in (5, 15, 60):
    scenario(AREA, f"the primary stands still for {_stall} s and comes back as a primary")(
        partial(fail_over, harm=partial(stalled, stall_s=_stall), jobs=JOBS)
    )
scenario(AREA, "the primary is killed 2 s ahead of its replicas")(
    partial(fail_over, harm=partial(lagging, lag_s=2), jobs=JOBS)
)


@scenario(AREA, "the primary is killed 2 s ahead of its replicas, which nobody waits for (redis.replicas 0)")
def unwaited(folder: Path, *, jobs: int = 400, lag_s: float = 2) -> Outcome:
    """What was ordered meanwhile is forgotten: the gate closes, and a person must look. How much is bought twice is said."""
    with standing_by(folder, against_double(in_flight=20)) as rig:
        batch = rig.enqueue("batch", range(jobs))
        rig.until(lambda: rig.arrived(jobs // 4), "submits have begun", step_s=0.01)
        promoted = lagging(rig, lag_s=lag_s)
        pause(WATCHED_S)
        twice = len(rig.simulator.totals()["bought_twice"])
        late = sum(at > promoted for at in rig.simulator.arrivals())
        said = ending(rig, batch)
        rig.processes.stop()
        return Outcome(
            verdict=Verdict(jobs=jobs, rows=jobs, bought_twice=twice),
            faults=1,
            ending=said,
            broken=[]
            if "ledger" in said or "succeeded" in said
            else [f"nobody says that it is behind: {said}"],
            note=f"{twice} pairs bought twice; {late} submits after the promotion",
        )
