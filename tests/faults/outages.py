"""Redis away, wiped, full, slow, cut off, its replies lost."""

import time
from functools import partial
from pathlib import Path

from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.rig import Rig, Setup
from tests.faults.verdict import Verdict, judge


def redis_down(folder: Path, *, down_s: float, jobs: int = 0, collect: int = 2) -> Outcome:
    """Redis is killed under load and comes back with its files after a while."""
    jobs = jobs or int(240 + 6 * down_s)
    with Rig(folder, Setup(collect=collect, in_flight=20)) as rig:
        batch = rig.enqueue("batch", range(jobs))
        rig.until(lambda: rig.arrived(jobs // 4), "submits have begun", step_s=0.01)
        open_intents = len(rig.submitting())
        rig.redis.kill()
        pause(down_s)
        rig.redis.start()
        back = time.time()
        going = rig.going_again(back, within_s=60)
        rig.finish(batch, within_s=240)
        verdict = judge(rig, batch, unknown_at_most=setup_threads(rig))
        return Outcome(
            verdict=verdict,
            faults=1,
            recovery_s=going,
            broken=[] if going <= 30 else [f"went on only after {going:.0f} s"],
            note=f"{open_intents} POSTs under way when it died",
        )


def setup_threads(rig: Rig) -> int:
    """POSTs that can be under way at once: what may be unknown after one outage."""
    return rig.setup.submit * rig.setup.threads


for _down in (1, 5, 20):
    scenario("Redis down", f"Redis killed, back after {_down} s")(partial(redis_down, down_s=_down))


@scenario("Redis down", "Redis killed and restarted ten times")
def _redis_flaps(folder: Path) -> Outcome:
    with Rig(folder, Setup(collect=2, in_flight=20)) as rig:
        batch = rig.enqueue("batch", range(300))
        for round_ in range(10):
            rig.until(partial(rig.arrived, 20 * round_ + 5), "submits go on", step_s=0.01)
            rig.redis.kill()
            pause(0.5)
            rig.redis.start()
        going = rig.going_again(time.time())
        rig.finish(batch, within_s=240)
        return Outcome(
            verdict=judge(rig, batch, unknown_at_most=10 * setup_threads(rig)),
            faults=10,
            recovery_s=going,
        )


@scenario("Redis wiped", "Redis wiped mid-run, workers restarted, manifest sent again")
def _wiped(folder: Path) -> Outcome:
    """Nothing may be bought again before a person has said so."""
    with Rig(folder, Setup(in_flight=20)) as rig:
        rig.enqueue("batch", range(120))
        rig.until(lambda: rig.arrived(40), "submits have begun", step_s=0.01)
        rig.ledger.client.flushall()
        wiped = time.time()
        broken = []
        pause(3)
        for worker in rig.processes.of("submit"):
            worker.kill()
            worker.start()
        rig.until(rig.ready, "the workers are back")
        done = rig.vton("enqueue", str(rig.manifest("batch", range(120))), "--batch", "batch", check=False)
        pause(6)
        late = [at for at in rig.simulator.arrivals() if at > wiped + 1]
        twice = len(rig.simulator.totals()["bought_twice"])
        if done.returncode == 0:
            broken.append("the same manifest is taken again by an empty ledger, without a word")
        if late or twice:
            broken.append(f"{len(late)} submits after the wipe, {twice} pairs bought twice")
        # The books of the simulator are all there is now.
        verdict = Verdict(jobs=rig.simulator.totals()["tasks"], bought_twice=twice)
        return Outcome(
            verdict=verdict,
            faults=1,
            broken=broken,
            note=f"`vton enqueue` ends with {done.returncode} and says why",
        )


@scenario("Redis ill", "Redis out of memory for 5 s")
def _out_of_memory(folder: Path) -> Outcome:
    with Rig(folder, Setup(collect=2, in_flight=20)) as rig:
        batch = rig.enqueue("batch", range(150))
        rig.until(lambda: rig.arrived(40), "submits have begun", step_s=0.01)
        rig.ledger.client.config_set("maxmemory", "1mb")
        pause(5)
        rig.ledger.client.config_set("maxmemory", "0")
        going = rig.going_again(time.time(), within_s=60)
        rig.finish(batch, within_s=240)
        return Outcome(
            verdict=judge(rig, batch, unknown_at_most=setup_threads(rig)), faults=1, recovery_s=going
        )


@scenario("Redis ill", "Redis read-only for 5 s")
def _read_only(folder: Path) -> Outcome:
    with Rig(folder, Setup(collect=2, in_flight=20)) as rig:
        batch = rig.enqueue("batch", range(150))
        rig.until(lambda: rig.arrived(40), "submits have begun", step_s=0.01)
        rig.ledger.client.replicaof("127.0.0.1", "1")
        pause(5)
        rig.ledger.client.replicaof("NO", "ONE")
        going = rig.going_again(time.time(), within_s=60)
        rig.finish(batch, within_s=240)
        return Outcome(
            verdict=judge(rig, batch, unknown_at_most=setup_threads(rig)), faults=1, recovery_s=going
        )


@scenario("Redis ill", "200 ms between the workers and Redis")
def _slow(folder: Path) -> Outcome:
    with Rig(folder, Setup(redis_proxy=True, collect=2, in_flight=20)) as rig:
        rig.redis_proxy.delay_s = 0.1
        batch = rig.enqueue("batch", range(80))
        took = rig.finish(batch, within_s=240)
        return Outcome(verdict=judge(rig, batch), faults=1, note=f"80 jobs in {took:.0f} s")


@scenario("Redis ill", "every connection to Redis reset, 40 times")
def _resets(folder: Path) -> Outcome:
    with Rig(folder, Setup(redis_proxy=True, collect=2, in_flight=20)) as rig:
        batch = rig.enqueue("batch", range(240))
        for _ in range(40):
            pause(0.25)
            rig.processes.poll()
            rig.redis_proxy.reset_all()
        rig.finish(batch, within_s=240)
        return Outcome(verdict=judge(rig, batch), faults=rig.redis_proxy.resets, note="connections reset")


def lost_replies(folder: Path, *, jobs: int, every: int, submit: int = 2) -> Outcome:
    """The command has run, its reply is lost and the connection with it."""
    with Rig(folder, Setup(submit=submit, redis_proxy=True, collect=1, threads=2, in_flight=20)) as rig:
        rig.redis_proxy.lose_every = every
        batch = rig.enqueue("batch", range(jobs))
        rig.finish(batch, within_s=300)
        rig.redis_proxy.lose_every = 0
        return Outcome(verdict=judge(rig, batch), faults=rig.redis_proxy.lost, note="replies lost")


scenario("Redis ill", "every 15th reply of Redis lost after the command ran")(
    partial(lost_replies, jobs=240, every=15)
)
