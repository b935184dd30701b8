"""The worker processes of a rig: started again when they die, killed as a whole when a fault wants it."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from jobs.local.child import Program, _dying_with_us
from tests.faults.pause import pause


class Worker:
    """One `dramatiq worker.app -p 1` master with its child, in a group of its own."""

    def __init__(self, name: str, argv: tuple[str, ...], env: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self._argv = argv
        self._env = env
        self._folder = folder
        self._log = folder / "logs" / f"{name}.log"
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        #: False: stays dead when it dies.
        self.restarted = True

    def start(self, **armed: str) -> None:
        """Starts it; `armed` is only for this life."""
        self._log.parent.mkdir(exist_ok=True)
        program = Program(
            name=self.name, argv=self._argv, env={**self._env, **armed}, death_signal=signal.SIGKILL
        )
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                _dying_with_us(program),
                env=dict(program.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
            )
        self.starts += 1

    @property
    def alive(self) -> bool:
        """Whether its master runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether it has said that it began, in this life."""
        return self.alive and b"worker.started" in self.said()

    def said(self) -> bytes:
        """Its log since it was last started."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read()

    def signal(self, signum: signal.Signals, *, group: bool = True) -> None:
        """Signals all of it, or its master alone."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                (os.killpg if group else os.kill)(self._process.pid, signum)

    def processes(self) -> list[psutil.Process]:
        """Its master and what that has started."""
        if self._process is None:
            return []
        with suppress(psutil.NoSuchProcess):
            master = psutil.Process(self._process.pid)
            return [master, *master.children(recursive=True)]
        return []

    def kill(self) -> None:
        """Kill -9 for all of it at once."""
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self, timeout_s: float = 60) -> int | None:
        """Its exit code; None when it does not end in time."""
        if self._process is None:
            return None
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        return None


class Processes:
    """All worker processes; `poll` from the main thread keeps them alive."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._env = env
        self.workers: list[Worker] = []

    def add(
        self, queue: str, *, threads: int, env: Mapping[str, str] | None = None, inside: tuple[str, ...] = ()
    ) -> Worker:
        """One more worker of a queue, not yet started; `inside`: words before its command."""
        number = 1 + sum(worker.name.startswith(queue) for worker in self.workers)
        argv = (sys.executable, "-m", "dramatiq", "worker.app", "-Q", queue, "-p", "1", "-t", str(threads))
        argv = (*inside, *argv)
        prefetch = {"dramatiq_queue_prefetch": str(threads), "dramatiq_worker_timeout": "100"}
        return self.add_program(f"{queue}-{number}", argv, {**prefetch, **(env or {})})

    def add_program(self, name: str, argv: tuple[str, ...], env: Mapping[str, str] | None = None) -> Worker:
        """Any other process of the product, e.g. the receiver."""
        worker = Worker(name, argv, {**self._env, **(env or {})}, self._folder)
        self.workers.append(worker)
        return worker

    def of(self, queue: str) -> list[Worker]:
        """The workers of one queue."""
        return [worker for worker in self.workers if worker.name.startswith(queue)]

    def start(self) -> None:
        """Starts those that were never started."""
        for worker in self.workers:
            if not worker.starts:
                worker.start()

    def poll(self) -> None:
        """Starts the dead again."""
        for worker in self.workers:
            if worker.starts and worker.restarted and not worker.alive:
                worker.signal(signal.SIGKILL)
                worker.start()

    def stop(self) -> None:
        """Ends all: SIGTERM, then SIGKILL for whole groups."""
        for worker in self.workers:
            worker.restarted = False
            worker.signal(signal.SIGCONT)
            worker.signal(signal.SIGTERM, group=False)
        for _ in range(200):
            if not any(worker.alive for worker in self.workers):
                break
            pause(0.05)
        for worker in self.workers:
            worker.kill()
