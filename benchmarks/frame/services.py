"""The two services of a round: a fresh Redis for every contender, and the simulator of the vendor."""

import json
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from benchmarks.frame.contenders import product_python
from benchmarks.frame.processes import ROOT, BenchError, environment, start, stop, tail

if TYPE_CHECKING:
    import subprocess

#: What a service may take to start on a busy machine, s.
PATIENCE_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How the simulated account behaves. Times are seconds."""

    submit_delay_s: float
    #: Parallel tasks; 0: no limit.
    slots: int = 0
    #: Median and sigma of the log-normal task time, from the submit's reply on; a sigma of 0: a constant time.
    median_s: float
    sigma: float
    #: Whether results say how far a task is.
    progress: bool = False

    def words(self) -> list[str]:
        """As switches of the simulator."""
        words = ["--submit-delay-s", str(self.submit_delay_s), "--in-flight", str(self.slots), "--seed", "1"]
        words += ["--latency-s", str(self.median_s), "--latency-sigma", str(self.sigma)]
        return words if self.progress else [*words, "--no-progress"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running Redis."""

    process: "subprocess.Popen[bytes]"
    #: redis://127.0.0.1:port
    url: str
    client: "Redis"


@contextmanager
def redis_server(folder: Path, aof: str) -> Iterator[Server]:
    """A Redis of its own on loopback, ended by its process id. `aof` is `no`, `everysec` or `always`."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise BenchError("no redis-server or valkey-server on the PATH")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    durable = ["--appendonly", "no"] if aof == "no" else ["--appendonly", "yes", "--appendfsync", aof]
    command = [
        program,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--dir",
        str(folder),
        "--save",
        "",
        *durable,
    ]
    process = start(command, env=environment({}), cwd=folder, log=folder / "redis.log")
    client = Redis(port=port)
    try:
        _await_redis(client, process, folder / "redis.log")
        yield Server(process=process, url=f"redis://127.0.0.1:{port}", client=client)
    finally:
        client.close()
        stop(process)


def _await_redis(client: "Redis", process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        try:
            client.ping()
        except RedisConnectionError:
            time.sleep(0.02)
        else:
            return
    raise BenchError(f"Redis does not start: {tail(log)}")


class Simulator:
    """HiDream's stand-in, asked for its books."""

    def __init__(self, url: str) -> None:
        self.url = url

    def tasks(self) -> list[dict[str, Any]]:
        """Every task it has made, oldest first; see docs/simulator.md."""
        tasks: list[dict[str, Any]] = self._ask("ledger")["tasks"]
        return tasks

    def arrivals(self) -> list[float]:
        """When submits arrived, refused ones among them."""
        arrivals: list[float] = self._ask("arrivals")["arrivals"]
        return arrivals

    def totals(self) -> dict[str, Any]:
        """Its books in numbers."""
        totals: dict[str, Any] = self._ask("ledger?tasks=0")["totals"]
        return totals

    def _ask(self, name: str) -> dict[str, Any]:
        with urlopen(f"{self.url}/_sim/{name}", timeout=60) as reply:
            answer: dict[str, Any] = json.load(reply)
        return answer


@contextmanager
def simulator(folder: Path, account: Account) -> Iterator[Simulator]:
    """`python -m worker.simulator` in a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "simulator.log"
    command = [
        product_python(),
        "-m",
        "worker.simulator",
        "--port",
        "0",
        "--token",
        "any",
        "--plain-pictures",
    ]
    process = start([*command, *account.words()], env=environment({}), cwd=ROOT, log=log)
    try:
        until = time.monotonic() + PATIENCE_S
        while b"\n" not in (said := log.read_bytes()):
            if time.monotonic() > until or process.poll() is not None:
                raise BenchError(f"the simulator does not start: {tail(log)}")
            time.sleep(0.02)
        yield Simulator(said.decode().split()[-1])
    finally:
        stop(process)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
