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
from typing import Any

from pydantic import SecretStr

from jobs.config.settings import RedisSettings
from jobs.ledger import Ledger
from jobs.redis.client import connect
from tests.faults.doubles import against_double
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.rig import Rig
from tests.faults.scene import Setup
from tests.faults.servers import RedisServer
from tests.faults.standby import Standby, cut_off, follow, newest_server
from tests.faults.verdict import judge

AREA = "Redis fails over"
#: From the promotion to the first submit after it, s.
GOING_S = 15
#: The same where nobody waits for replicas: whoever may have begun just before has time to say that it lives.
UNWAITED_GOING_S = 30


class StandbyRig(Rig):
    """A rig whose Redis is a primary with two replicas and three sentinels."""

    def __init__(self, folder: Path, setup: Setup, standby: Standby, **more: Any) -> None:
        super().__init__(folder, setup, **more)
        self.standby = standby
        # The rig starts and kills the first; which of them is the primary changes.
        self.redis = standby.servers[0]
        # It runs: the rig must not start it a second time.
        self.redis.start = lambda: None  # type: ignore[method-assign]
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
        with (
            Standby(beside, f"redis-canary-{os.urandom(12).hex()}", program=newest_server()) as standby,
            StandbyRig(folder, setup, standby) as rig,
        ):
            yield rig
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def fail_over(
    folder: Path,
    *,
    harm: Callable[[StandbyRig], float],
    jobs: int,
    replicas: int = 1,
    submit: int = 2,
    going_s: float = GOING_S,
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
        unconfirmed, adopted = rig.logged("submit.unconfirmed"), rig.logged("order.adopted")
        back = "" if former is rig.standby.primary else "another one is the primary now; "
        return Outcome(
            verdict=verdict,
            faults=1,
            recovery_s=going,
            broken=[] if going <= going_s else [f"went on only {going:.0f} s after the promotion"],
            note=f"{under_way} POSTs under way at it; {back}{unconfirmed} intents were not confirmed and not sent;"
            f" {adopted} orders were brought in from journals",
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


def ahead_and_a_worker(rig: StandbyRig, *, lag_s: float) -> float:
    """The same, and a submit worker dies with the primary."""
    promoted = lagging(rig, lag_s=lag_s)
    rig.processes.of("submit")[0].kill()
    return promoted


for _harm, _name in (
    (lagging, "the primary is killed 2 s ahead of its replicas, which nobody waits for (redis.replicas 0)"),
    (ahead_and_a_worker, "the same, and a submit worker is killed with it"),
):
    scenario(AREA, _name)(
        partial(fail_over, harm=partial(_harm, lag_s=2), jobs=JOBS, replicas=0, going_s=UNWAITED_GOING_S)
    )


@scenario(AREA, "all are led back to the old primary, which still takes itself for one")
def second_master(folder: Path, *, jobs: int = JOBS, back_s: float = 20) -> Outcome:
    """One is promoted by hand and the way leads there; later it leads to the old one for a while, which never stopped."""
    setup = against_double(submit=2, in_flight=20, redis_proxy=True)
    with Rig(folder, setup) as rig:
        password = rig.canaries["redis"]
        with contextlib.ExitStack() as stack:
            config = f"masterauth {password}\n"
            other = RedisServer(folder / "other", password, config=config)
            stack.callback(other.kill)
            other.start()
            follow(other, rig.redis, password)
            old, new = rig.redis, other
            batch = rig.enqueue("batch", range(jobs))
            rig.until(lambda: rig.arrived(jobs // 4), "submits have begun", step_s=0.01)
            with new.client(0) as client:
                client.replicaof("NO", "ONE")
            _lead(rig, new)
            promoted = time.time()
            going = rig.going_again(promoted)
            rig.until(lambda: rig.arrived(jobs // 2), "submits go on", step_s=0.01)
            before = _counted(old)
            _lead(rig, old)
            back = time.time()
            pause(back_s)
            rig.processes.poll()
            after, fenced = _counted(old), rig.logged("redis.fenced")
            _lead(rig, new)
            ahead = rig.going_again(time.time())
            rig.finish(batch, within_s=600)
            verdict = judge(rig, batch, unknown_at_most=rig.setup.submit * rig.setup.threads)
            sent = sum(back + 1 < at < back + back_s for at in rig.simulator.arrivals())
            broken = [] if before == after else [f"the old primary has taken writes: {before}, then {after}"]
            broken += [] if fenced else ["nobody says that it is fenced"]
            broken += [] if not sent else [f"{sent} submits while only the old primary was there"]
            return Outcome(
                verdict=verdict,
                faults=2,
                recovery_s=max(going, ahead),
                broken=broken,
                note=f"{fenced} processes said so; {sent} submits meanwhile",
            )


def _lead(rig: Rig, server: RedisServer) -> None:
    """The way to Redis ends there; whoever had another connection gets a new one."""
    rig.redis_proxy.target_port = server.port
    rig.redis_proxy.reset_all()
    client = server.client(1)
    rig.ledger = Ledger(client, rig.ledger.prefix)


def _counted(server: RedisServer) -> tuple[str, ...]:
    """What scripts count there: orders, jobs under way, the number of jobs that have ended."""
    with server.client(1) as client:
        counts = client.hgetall("vton:batch:batch")
        orders = client.hget("vton:meta", "orders")
        return f"orders={orders}", *(f"{name}={count}" for name, count in sorted(counts.items()))
