"""The two servers of a rig: a real Redis that can be killed, and the simulator as the oracle."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import redis

from jobs.local.redis_server import find_server
from tests.faults.pause import pause
from tests.ports import free_port


class RedisServer:
    """A redis-server with `appendfsync always`; the same files after every restart."""

    def __init__(
        self,
        folder: Path,
        password: str,
        env: Mapping[str, str] | None = None,
        *,
        program: Path | None = None,
        config: str = "",
        host: str = "127.0.0.1",
        inside: tuple[str, ...] = (),
    ) -> None:
        """`program`: another one than the product would find; `config`: more lines of its redis.conf; `host`: what it
        listens on; `inside`: words before its command that let it run there.
        """
        self._program = program
        self._config = config
        self.host = host
        self.inside = inside
        self._folder = folder
        self._password = password
        #: More of its environment; nobody else's.
        self._env = env or {}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        folder.mkdir()

    def url(self, port: int | None = None) -> str:
        """The address for `redis.url`, through another port when a proxy stands before it."""
        return f"redis://:{self._password}@{self.host}:{port or self.port}"

    def client(self, db: int) -> Any:
        """A client that goes past every proxy."""
        return redis.Redis.from_url(self.url(), db=db, decode_responses=True)

    def start(self) -> None:
        """Starts it and waits until it has loaded its file."""
        server = self._program or find_server()
        assert server is not None, "the tests need a redis-server"
        # The password comes by stdin, so that no argv and no file of ours holds it.
        config = (
            f'port {self.port}\nbind {self.host}\nappendonly yes\nappendfsync always\nsave ""\n'
            f"dir {self._folder}\nlogfile {self._folder}/server.log\nrequirepass {self._password}\n"
            f"{self._config}\n"
        )
        self._process = subprocess.Popen(
            [*self.inside, server, "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **self._env},
            start_new_session=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(config.encode())
        self._process.stdin.close()
        deadline = time.monotonic() + 60
        with self.client(0) as client:
            while self._process.poll() is None and time.monotonic() < deadline:
                try:
                    client.ping()
                except redis.RedisError:
                    pause(0.02)
                else:
                    return
        raise RuntimeError(f"redis does not start: {(self._folder / 'server.log').read_text()}")

    def signal(self, number: int) -> None:
        """Sends a signal to it."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """Ends it by SIGKILL."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


class Simulator:
    """`python -m worker.simulator` with its books in a file."""

    def __init__(self, folder: Path, words: tuple[str, ...], env: Mapping[str, str]) -> None:
        self._folder = folder
        self._words = words
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None
        self.host = "127.0.0.1"
        #: Words before its command that let it run where that address is.
        self.inside: tuple[str, ...] = ()
        self.port = free_port()
        folder.mkdir()

    @property
    def address(self) -> str:
        """Its base url."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Starts it, or starts it again with the same books on the same port."""
        # Pictures are fetched here, whichever proxy a submit came through.
        own = (
            "--host",
            self.host,
            "--port",
            str(self.port),
            "--state",
            str(self._folder / "state.db"),
            "--pictures-base",
            f"{self.address}/image/",
        )
        argv = [*self.inside, sys.executable, "-m", "worker.simulator", *own, *self._words]
        with (self._folder / "simulator.log").open("ab") as log:
            self._process = subprocess.Popen(
                argv, env=dict(self._env), stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        assert ready.startswith(b"simulator ready"), (self._folder / "simulator.log").read_text()

    def kill(self) -> None:
        """Ends it by SIGKILL; its books stay."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def totals(self) -> dict[str, Any]:
        """Its books in numbers."""
        found: dict[str, Any] = httpx.get(f"{self.address}/_sim/ledger?tasks=0", timeout=20).json()["totals"]
        return found

    def tasks(self) -> list[dict[str, Any]]:
        """Every task it has made."""
        found: list[dict[str, Any]] = httpx.get(f"{self.address}/_sim/ledger", timeout=20).json()["tasks"]
        return found

    def arrivals(self) -> list[float]:
        """When submits arrived, epoch seconds."""
        found: list[float] = httpx.get(f"{self.address}/_sim/arrivals", timeout=20).json()["arrivals"]
        return found

    def set_faults(self, rules: list[dict[str, Any]]) -> None:
        """Replaces the fault script."""
        httpx.post(f"{self.address}/_sim/faults", content=json.dumps(rules), timeout=20).raise_for_status()

    def top_up(self, credits: int | None) -> None:  # noqa: A002 the vendor's word
        """Adds to the balance; None: without end."""
        httpx.post(f"{self.address}/_sim/credits", json={"add": credits}, timeout=20).raise_for_status()
