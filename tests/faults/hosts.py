"""Many hosts, each in a network of its own: a submit host that reaches Redis, the vendor or both no more."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.double.process import Double
from tests.faults.network import Network
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.rig import Rig, Setup
from tests.faults.servers import RedisServer, Simulator
from tests.faults.verdict import judge

_HOSTS = ("redis", "vendor", "submit-1", "submit-2", "collect-1", "collect-2")
#: Seconds for which a host is cut off.
_CUT_S = 60


class ManyHosts(Rig):
    """Two submit hosts with a disk each, two collect hosts with a shared one, Redis and the vendor, each a host."""

    def __init__(self, folder: Path, setup: Setup, network: Network) -> None:
        self._network = network
        super().__init__(folder, setup)

    def _server(self) -> RedisServer:
        place = {"host": self._network.address("redis"), "inside": self._network.inside("redis")}
        return RedisServer(self.folder / "redis", self.canaries["redis"], **place)

    def _vendor(self) -> Simulator | Double:
        vendor = super()._vendor()
        assert isinstance(vendor, Simulator)
        vendor.host, vendor.inside = self._network.address("vendor"), self._network.inside("vendor")
        return vendor

    def _inside(self, queue: str, number: int) -> tuple[str, ...]:
        return self._network.inside(f"{queue}-{number + 1}")

    def _own(self, queue: str, number: int) -> dict[str, str]:
        return {"VTON_DATA_DIR": str(self.folder / f"disk-{number}")} if queue == "submit" else {}


def cut_off(folder: Path, *, targets: Sequence[str], cut_s: float = _CUT_S) -> Outcome:
    """One of two submit hosts reaches the targets no more, for a minute, in the middle of its work."""
    setup = Setup(submit=2, collect=2, in_flight=6, per_minute=400, latency_s=1.0, submit_timeout_s=5.0)
    with Network(*_HOSTS) as network, ManyHosts(folder, setup, network) as rig:
        slow = network.slow(delay_ms=5, loss_percent=0.5)
        batch = rig.enqueue("batch", range(int(240 + 5 * cut_s)))
        rig.until(lambda: rig.arrived(60), "submits have begun", step_s=0.05)
        cut = time.time()
        for target in targets:
            network.cut("submit-1", target)
        until = time.monotonic() + cut_s
        while time.monotonic() < until:
            rig.processes.poll()
            pause(0.2)
        for target in targets:
            network.join("submit-1", target)
        back = time.time()
        meanwhile = sum(cut + 10 < at < back for at in rig.simulator.arrivals())
        going = rig.going_again(back, within_s=120)
        rig.finish(batch, within_s=600)
        return Outcome(
            verdict=judge(rig, batch, unknown_at_most=setup.threads),
            faults=len(targets),
            recovery_s=going,
            note=f"{meanwhile} submits while it was cut off"
            + ("" if slow else "; no delay, no loss: no netem here"),
        )


for _targets in (("redis",), ("vendor",), ("redis", "vendor")):
    scenario(
        "many hosts", f"a submit host cut off from {' and '.join(_targets)} for {_CUT_S} s", idle_s=_CUT_S
    )(partial(cut_off, targets=_targets))
