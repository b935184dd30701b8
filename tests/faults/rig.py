"""A rig: Redis, the simulator, the proxies, the workers and the producer of one scenario, in one folder."""

import os
import secrets
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from jobs.ledger import Ledger
from jobs.records import BatchId
from tests.double.process import Double
from tests.faults.processes import Processes
from tests.faults.proxy import Proxy
from tests.faults.scene import PRODUCT, ROOT, VTON, Scene, Setup, StuckError
from tests.faults.servers import RedisServer, Simulator
from tests.ports import free_port

__all__ = ["ROOT", "VTON", "Rig", "Setup", "StuckError"]

PREFIX = "vton"


class Rig(Scene):
    """Opens everything; closing it ends every process it has started."""

    def __init__(self, folder: Path, setup: Setup) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.setup = setup
        self.canaries = {
            name: f"{name}-canary-{secrets.token_hex(12)}" for name in ("token", "redis", "callback")
        }
        self.redis = self._server()
        plain = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        self._plain = plain | {"PYTHONPATH": str(PRODUCT), "PYTHONUNBUFFERED": "1", "HOME": str(folder)}
        self.simulator = self._vendor()
        self.redis_proxy = Proxy(self.redis.port)
        self.wires: list[Proxy] = []
        self.processes = Processes(folder, {})
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _open(self) -> None:
        setup = self.setup
        self._stack.callback(self.redis.kill)
        self.redis.start()
        self._stack.callback(self.simulator.kill)
        self.simulator.start()
        self._stack.enter_context(self.redis_proxy)
        client = self.redis.client(1)
        self._stack.callback(client.close)
        self.ledger = Ledger(client, PREFIX)
        self.env = self._settings()
        self.processes = Processes(self.folder, self.env)
        self._stack.callback(self.processes.stop)
        for number in range(setup.submit):
            own = self._own("submit", number)
            if setup.wires:
                self.wires.append(self._stack.enter_context(Proxy(self.simulator.port)))
                own |= {"VTON_HIDREAM__BASE_URL": f"http://127.0.0.1:{self.wires[-1].port}"}
            inside = self._inside("submit", number)
            self.processes.add("submit", threads=setup.threads, env=own, inside=inside)
        for number in range(setup.collect):
            own, inside = self._own("collect", number), self._inside("collect", number)
            self.processes.add("collect", threads=2, env=own, inside=inside)
        if setup.started:
            self.processes.start()
            self.until(self.ready, "the workers are ready")

    def _server(self) -> RedisServer:
        return RedisServer(self.folder / "redis", self.canaries["redis"], self.setup.redis_env)

    def _own(self, queue: str, number: int) -> dict[str, str]:
        """Settings that only this worker has."""
        del queue, number
        return {}

    def _inside(self, queue: str, number: int) -> tuple[str, ...]:
        """Words before its command that say where it runs."""
        del queue, number
        return ()

    def _vendor(self) -> Simulator | Double:
        setup = self.setup
        if setup.double is not None:
            limits = {"in_flight": setup.in_flight, "per_minute": setup.per_minute}
            times = {"latency_s": setup.latency_s, "submit_delay_s": setup.submit_delay_s}
            account = {"tokens": [self.canaries["token"]], **limits, **times, **setup.double}
            return Double(self.folder / "vendor", port=free_port(), **account)
        words = (
            "--token",
            self.canaries["token"],
            "--plain-pictures",
            "--in-flight",
            str(setup.in_flight),
            "--images-per-minute",
            str(setup.per_minute),
            "--latency-s",
            str(setup.latency_s),
            "--submit-delay-s",
            str(setup.submit_delay_s),
            *setup.simulator,
        )
        return Simulator(self.folder / "vendor", words, self._plain | {"PYTHONPATH": str(ROOT)})

    def _settings(self) -> dict[str, str]:
        setup = self.setup
        return (
            self._plain
            | {
                "VTON_REDIS__URL": self.redis.url(self.redis_proxy.port if setup.redis_proxy else None),
                "VTON_REDIS__PREFIX": PREFIX,
                "VTON_HIDREAM__BASE_URL": self.simulator.address,
                "VTON_HIDREAM__IMAGE_PREFIX": f"{self.simulator.address}/image/",
                "VTON_OUTPUT_DIR": str(self.folder / "out"),
                **setup.settings(),
                "VTON_DATA_DIR": str(self.folder / "data"),
                "HIDREAM_TOKEN": self.canaries["token"],
                "VTON_CALLBACKS__SECRET": self.canaries["callback"],
            }
            | dict(setup.env)
        )

    # -- what a person does ------------------------------------------------------------------------------------

    def enqueue(self, name: str, numbers: range, *, tree: Path = PRODUCT) -> BatchId:
        """Puts pairs into the ledger as the batch `name`."""
        self.vton("enqueue", str(self.manifest(name, numbers)), "--batch", name, tree=tree)
        return BatchId(name)

    # -- what is seen ------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether every started worker has begun."""
        return all(worker.ready for worker in self.processes.workers if worker.starts)
