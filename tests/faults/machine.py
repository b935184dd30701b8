"""A machine: one folder in which `vton run` starts everything itself, its Redis too; the vendor is the double."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import redis

from jobs.ledger import Ledger
from jobs.records import BatchId
from tests.double.process import Double
from tests.faults.processes import Processes
from tests.faults.scene import PRODUCT, VTON, Scene, Setup, StuckError
from tests.faults.servers import RedisServer
from tests.ports import free_port

#: What starting or ending a run may take on a busy machine, s.
PATIENCE_S = 300
_LEDGER_DB = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One command under way in the background, its words in files."""

    process: "subprocess.Popen[bytes]"
    out: Path
    err: Path

    @property
    def said(self) -> str:
        """Standard output, then standard error, so far."""
        return self.out.read_text(errors="replace") + self.err.read_text(errors="replace")

    @property
    def last_words(self) -> str:
        """The line that says why it ended early, or its last error; empty when it has said neither."""
        lines = [line.strip() for line in self.said.splitlines()]
        return ([""] + [line for line in lines if line.startswith(("ended early", "vton: "))])[-1][:200]

    @property
    def ending(self) -> str:
        """Its exit code and its reason."""
        code = self.process.poll()
        return (
            f"{'runs on' if code is None else f'exit {code}'}{': ' * bool(self.last_words)}{self.last_words}"
        )


class Machine(Scene):
    """Opens the double; `vton run` does the rest. Closing it ends every process of the folder."""

    def __init__(self, folder: Path, setup: Setup | None = None, *, data: Path | None = None) -> None:
        """Nothing is started yet.

        Args:
            folder: of this scenario.
            setup: the account, the times and more settings; its workers and proxies are not looked at.
            data: the data folder; None: one in the folder.
        """
        self.folder = folder
        self.setup = setup = setup or Setup()
        self.data = data or folder / "data"
        self.canaries = {name: f"{name}-canary-{secrets.token_hex(12)}" for name in ("token", "callback")}
        limits = {"in_flight": setup.in_flight, "per_minute": setup.per_minute}
        times = {"latency_s": setup.latency_s, "submit_delay_s": setup.submit_delay_s}
        account = {"tokens": [self.canaries["token"]], **limits, **times, **(setup.double or {})}
        self.simulator: Double = Double(folder / "vendor", port=free_port(), **account)
        self.processes = Processes(folder, {})
        self.runs: list[Run] = []
        self.env = self._settings()

    def __enter__(self) -> Self:
        self.simulator.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for run in self.runs:
            end_group(run.process)
        self.simulator.kill()
        for process in self.living():
            process.kill()
        for server in self.embedded():
            server.kill()

    def _settings(self) -> dict[str, str]:
        setup = self.setup
        plain = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        return (
            plain
            | {
                "PYTHONPATH": str(PRODUCT),
                "PYTHONUNBUFFERED": "1",
                "HOME": str(self.folder),
                "HIDREAM_TOKEN": self.canaries["token"],
                "VTON_CALLBACKS__SECRET": self.canaries["callback"],
                "VTON_HIDREAM__BASE_URL": self.simulator.address,
                "VTON_WORKERS__PATIENCE_S": "3",
                "VTON_OUTPUT_DIR": str(self.folder / "out"),
                **setup.settings(),
                "VTON_DATA_DIR": str(self.data),
            }
            | dict(setup.env)
        )

    # -- what a person does ------------------------------------------------------------------------------------

    def start(self, name: str, numbers: range, *words: str, **env: str) -> Run:
        """`vton run` of a manifest of pairs, as the batch `name`, in the background and in a group of its own."""
        path = self.folder / f"{name}.csv"
        if not path.exists():
            self.manifest(name, numbers)
        argv = ("run", str(path), "--batch", name, *words)
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        out, err = (logs / f"run-{len(self.runs)}.{kind}" for kind in ("out", "err"))
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # Who was started in the background would hand this on, and Ctrl-C would be nothing.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        with out.open("wb") as reported, err.open("wb") as logged:
            process = subprocess.Popen(
                [sys.executable, "-c", VTON, *argv],
                env=self.env | env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=reported,
                stderr=logged,
                start_new_session=True,
            )
        run = Run(process=process, out=out, err=err)
        self.runs.append(run)
        return run

    def wait(self, run: Run, *, within_s: float = PATIENCE_S) -> int:
        """Its exit code; raises StuckError when it does not end."""
        try:
            return run.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise StuckError(f"vton run had not ended after {within_s:g} s: {run.last_words}") from None

    def run(self, name: str, numbers: range, *words: str, within_s: float = PATIENCE_S, **env: str) -> int:
        """`vton run` until it ends; its exit code."""
        return self.wait(self.start(name, numbers, *words, **env), within_s=within_s)

    # -- what is seen ------------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[Ledger]:
        """The ledger, read from a copy of Redis' files: for the judge, once no run is under way."""
        copy = self.folder / f"reading-{time.monotonic_ns()}"
        server = RedisServer(copy, secrets.token_hex(12))
        shutil.copytree(self.data / "redis", copy, dirs_exist_ok=True, ignore=_only_records)
        server.start()
        client = server.client(_LEDGER_DB)
        try:
            self.ledger = Ledger(client, "vton")
            yield self.ledger
        finally:
            client.close()
            server.kill()
            shutil.rmtree(copy, ignore_errors=True)

    def live(self) -> Any:
        """A client of the embedded Redis while it runs; close it."""
        return redis.Redis(
            unix_socket_path=str(self.data / "redis" / "server.sock"), db=_LEDGER_DB, decode_responses=True
        )

    def living(self) -> list[psutil.Process]:
        """Every process that names this scenario's folder, in its words or its environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid != os.getpid() and (
                    str(self.folder) in " ".join(process.cmdline())
                    or process.environ().get("HOME") == str(self.folder)
                ):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found

    def embedded(self) -> list[psutil.Process]:
        """Embedded Redis servers of this scenario, whose words and environment need not name its folder."""
        found = []
        for note in self.folder.rglob("redis/server.pid"):
            with suppress(psutil.Error, ValueError):
                server = psutil.Process(int(note.read_text()))
                if "redis" in server.name() or "valkey" in server.name():
                    found.append(server)
        return found

    def succeeded(self, name: str) -> int:
        """Rows with their picture, by the batch's summary; 0 without one."""
        return self.summary(name).get("status", {}).get("succeeded", 0)

    def summary(self, name: str) -> dict[str, Any]:
        """The batch's summary.json; empty without one."""
        path = self.folder / "out" / BatchId(name) / "summary.json"
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """Kills a run and what it has started; what has left its group is ended by who finds it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _only_records(_folder: str, names: list[str]) -> set[str]:
    """Sockets, locks and the server's own configuration stay where they are."""
    return {name for name in names if not name.startswith(("appendonly", "dump"))}
