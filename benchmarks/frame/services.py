"""The two services of a round: a fresh Redis for every contender, and the stub vendor."""

import json
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from benchmarks.frame.processes import ROOT, BenchError, environment, start, stop, tail

if TYPE_CHECKING:
    import subprocess


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
    until = time.monotonic() + 10
    while time.monotonic() < until and process.poll() is None:
        try:
            client.ping()
        except RedisConnectionError:
            time.sleep(0.02)
        else:
            return
    raise BenchError(f"Redis does not start: {tail(log)}")


class Stub:
    """The stub vendor's own addresses."""

    def __init__(self, url: str) -> None:
        self.url = url

    def reset(self, **rules: Any) -> None:
        """Forgets everything and sets the rules of `benchmarks.stub.vendor.Rules`."""
        self._ask("reset", rules)

    def downloaded(self) -> int:
        """Tasks whose picture was fetched."""
        return int(self._ask("progress")["downloaded"])

    def report(self) -> dict[str, Any]:
        """`{"summary": …, "tasks": […]}`, see `benchmarks.stub.ledger`."""
        return self._ask("report")

    def _ask(self, name: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        request = Request(
            f"{self.url}/_stub/{name}", data=json.dumps(body).encode() if body is not None else None
        )
        with urlopen(request, timeout=60) as reply:
            answer: dict[str, Any] = json.load(reply)
        return answer


@contextmanager
def stub_vendor(folder: Path) -> Iterator[Stub]:
    """The stub in a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "stub.log"
    process = start([sys.executable, "-m", "benchmarks.stub"], env=environment({}), cwd=ROOT, log=log)
    try:
        until = time.monotonic() + 15
        while b"\n" not in (said := log.read_bytes()):
            if time.monotonic() > until or process.poll() is not None:
                raise BenchError(f"the stub does not start: {tail(log)}")
            time.sleep(0.02)
        yield Stub(said.decode().splitlines()[0])
    finally:
        stop(process)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
