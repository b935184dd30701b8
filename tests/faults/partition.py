"""The network parts: the primary and a submit host stand on one side, the other hosts on the other, the vendor between."""

import time
from itertools import product
from pathlib import Path
from typing import Final

from tests.faults.composed import SENTINELS, SERVERS, composing
from tests.faults.failover import UNWAITED_GOING_S, StandbyRig
from tests.faults.hosts import AREA, ManyHosts
from tests.faults.network import Network
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.scene import Setup
from tests.faults.verdict import judge

_LESS: Final = (SERVERS[0], SENTINELS[0], "submit-1")
_MORE: Final = (*SERVERS[1:], *SENTINELS[1:], "submit-2", "collect-1")


class DividedRig(StandbyRig, ManyHosts):
    """Every process of the compose profile and of ours on a host of its own."""


@scenario(
    AREA, "the network parts for 60 s: the primary and a submit host on one side, all others on the other"
)
def parted(folder: Path, *, jobs: int = 2_000, parted_s: float = 60, replicas: int = 1) -> Outcome:
    """Sentinels promote a replica on the larger side; the old primary lives, and its submit host reaches the vendor.

    With `replicas` 0 that host may buy what the other side buys too, up to the account's slots; so only 1 is a scenario.
    """
    setup = Setup(submit=2, in_flight=20, latency_s=1.0, env={"VTON_REDIS__REPLICAS": str(replicas)})
    with (
        composing("submit-1", "submit-2", "collect-1", "vendor") as (composed, network),
        DividedRig(folder, setup, composed, network=network) as rig,
    ):
        return _parted(rig, network, jobs, parted_s, waits=replicas > 0)


def _parted(rig: DividedRig, network: Network, jobs: int, parted_s: float, *, waits: bool) -> Outcome:
    """`waits`: for replicas; else nobody may submit before the journal of the one on the other side is there again."""
    batch = rig.enqueue("batch", range(jobs))
    rig.until(lambda: rig.arrived(jobs // 4), "submits have begun", step_s=0.01)
    former, alone = rig.standby.primary, rig.processes.of("submit-1")[0]
    before = rig.logged("submit.accepted", alone)
    for one, other in product(_LESS, _MORE):
        network.cut(one, other)
    since = time.monotonic()
    rig.until(lambda: rig.standby.promoted(former), "another one is promoted")
    promoted = time.time()
    there = rig.logged("submit.accepted", alone)
    going = rig.going_again(promoted) if waits else 0.0
    while time.monotonic() - since < parted_s:
        rig.processes.poll()
        pause(0.2)
    after = rig.logged("submit.accepted", alone)
    for one, other in product(_LESS, _MORE):
        network.join(one, other)
    if not waits:
        going = rig.going_again(time.time())
    rig.finish(batch, within_s=600)
    # The process on the other side is given up first.
    broken = [] if going <= UNWAITED_GOING_S else [f"went on only {going:.0f} s after the promotion"]
    return Outcome(
        verdict=judge(rig, batch, unknown_at_most=2 * rig.setup.threads),
        faults=1,
        recovery_s=going,
        broken=broken,
        note=f"the submit host on the side of the old primary had {before} answers before, {there - before} until the"
        f" promotion, {after - there} until the network was whole again;"
        f" {rig.logged('submit.unconfirmed')} intents were not confirmed and not sent",
    )
