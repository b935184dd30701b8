"""Many hosts, each in a network of its own: one that reaches Redis or the vendor no more; all upgraded in turns."""

import signal
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.double.process import Double
from tests.faults.network import Network
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.processes import Worker
from tests.faults.rig import ROOT, Rig, Setup
from tests.faults.servers import RedisServer, Simulator
from tests.faults.upgrade import DONE, older_tree
from tests.faults.verdict import judge
from tests.faults.versions import left_in_queues, waiting

AREA = "many hosts"
_HOSTS = ("redis", "vendor", "submit-1", "submit-2", "collect-1", "collect-2")
#: Seconds for which a host is cut off.
_CUT_S = 60


class ManyHosts(Rig):
    """Two submit hosts with a disk each, two collect hosts with a shared one, Redis and the vendor, each a host."""

    def __init__(self, folder: Path, setup: Setup, network: Network) -> None:
        self._network = network
        super().__init__(folder, setup)

    def work(self, queue: str, number: int, tree: Path) -> Worker:
        """A worker more on a host, with the code of `tree`; not yet started."""
        env = {"PYTHONPATH": str(tree)} | self._own(queue, number)
        return self.processes.add(
            queue, threads=self.setup.threads, env=env, inside=self._inside(queue, number)
        )

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


def cut_off(folder: Path, *, targets: Sequence[str], jobs: int = 2_000, cut_s: float = _CUT_S) -> Outcome:
    """One of two submit hosts reaches the targets no more, for a minute, in the middle of its work."""
    setup = Setup(submit=2, collect=2, in_flight=20, per_minute=1200, latency_s=1.0, submit_timeout_s=5.0)
    with Network(*_HOSTS) as network, ManyHosts(folder, setup, network) as rig:
        slow = network.slow(delay_ms=5, loss_percent=0.5)
        batch = rig.enqueue("batch", range(jobs))
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
    scenario(AREA, f"a submit host cut off from {' and '.join(_targets)} for {_CUT_S} s", idle_s=_CUT_S)(
        partial(cut_off, targets=_targets)
    )


@scenario(AREA, "0.1.0 on four hosts, which are upgraded one after the other under load")
def rolled(folder: Path, *, jobs: int = 2_000) -> Outcome:
    """The old worker of a host is ended by SIGTERM, the new one takes its place; the next host when that has worked."""
    tree = older_tree(folder)
    setup = Setup(submit=0, collect=0, in_flight=20, latency_s=1.0)
    with Network(*_HOSTS) as network, ManyHosts(folder, setup, network) as rig:
        places = [(queue, number) for queue in DONE for number in range(2)]
        old = {place: rig.work(*place, tree) for place in places}
        rig.processes.start()
        rig.until(rig.ready, "the old workers are ready")
        batch = rig.enqueue("batch", range(jobs), tree=tree)
        rig.until(lambda: rig.arrived(jobs // 10), "the old version submits", step_s=0.01)
        took, codes = [], []
        for place in places:
            began = time.monotonic()
            old[place].restarted = False
            old[place].signal(signal.SIGTERM, group=False)
            codes.append(old[place].wait())
            new = rig.work(*place, ROOT)
            rig.processes.start()
            rig.until(partial(rig.logged, DONE[place[0]], new), "the new one works")
            took.append(time.monotonic() - began)
        left_then = jobs - len(rig.simulator.arrivals())
        rig.finish(batch, within_s=600)
        rig.until(lambda: not waiting(rig), "the queues are empty")
        rig.processes.stop()
        left = left_in_queues(rig)
        errors = sum(
            log.read_bytes().count(b'"level":"error"') for log in (rig.folder / "logs").glob("*.log")
        )
        broken = [f"left in the queues: {left}"] if left else []
        broken += [f"an old worker ended with {code}" for code in codes if code]
        broken += [f"{errors} errors logged"] if errors else []
        broken += [] if left_then > 0 else ["all was sent before the last host was upgraded"]
        return Outcome(
            verdict=judge(rig, batch),
            faults=len(places),
            recovery_s=max(took),
            broken=broken,
            note=f"{left_then} jobs were still to be sent when the last host was upgraded; {errors} errors logged;"
            " going again: from SIGTERM to the first work of the new worker",
        )
