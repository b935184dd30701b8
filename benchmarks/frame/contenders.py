"""The baselines as contenders: how each is started, fed and asked how far it is."""

import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.baselines.parts import DONE_KEY
from benchmarks.baselines.site import Site
from benchmarks.frame.load import Load
from benchmarks.frame.processes import ROOT, BenchError, environment, run, start, stop, tail

if TYPE_CHECKING:
    from redis import Redis

BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where a round is run."""

    load: Load
    vendor_url: str
    redis_url: str
    redis: "Redis"
    #: Empty, this round's own.
    folder: Path

    @property
    def out(self) -> Path:
        """Where the contender's pictures are looked for."""
        return self.folder / "out"


class Contender(ABC):
    """One way to do the work. A new one is made for every round."""

    #: As in the tables.
    name = ""
    #: Whether results say to this one how far a task is.
    progress = False

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.processes: list[subprocess.Popen[bytes]] = []

    @abstractmethod
    def start(self) -> None:
        """Starts the worker processes; need not wait until they are ready."""

    @abstractmethod
    def feed(self, manifest: Path) -> None:
        """Hands over a manifest; returns when all of it is in the queue."""

    @abstractmethod
    def recorded(self) -> int:
        """Jobs recorded as done since the start."""

    def stop(self) -> None:
        """Ends the processes."""
        for process in self.processes:
            stop(process)

    def check(self) -> None:
        """Says so when a process has died.

        Raises:
            BenchError: with the end of the log.
        """
        for process in self.processes:
            if process.poll() is not None:
                raise BenchError(f"{self.name}: exit {process.returncode}: {self.log_tail()}")

    def log_tail(self) -> str:
        """The end of the contender's logs."""
        return "\n".join(tail(log) for log in sorted(self.ground.folder.glob("*.log")))

    def launch(
        self, name: str, command: list[str], env: dict[str, str], stdin: int = subprocess.DEVNULL
    ) -> None:
        """Starts one worker process with a log of its own."""
        log = self.ground.folder / f"{name}.log"
        self.processes.append(
            start(command, env=environment(env), cwd=self.ground.folder, log=log, stdin=stdin)
        )


class Baseline(Contender):
    """What the baselines share: their environment, their producer, their counter."""

    tool = ""

    def hands(self) -> int:
        """Jobs in hand at once in one process."""
        load = self.ground.load
        return max(1, load.hands // load.processes)

    def env(self) -> dict[str, str]:
        """The site for the child."""
        load = self.ground.load
        return Site(
            vendor=self.ground.vendor_url,
            redis=self.ground.redis_url,
            out=str(self.ground.out),
            first_poll_s=load.first_poll_s,
            every_s=load.every_s,
            hands=self.hands(),
            rate=load.rate,
            processes=load.processes,
        ).to_environment()

    def python(self) -> str:
        """The Python that has the tool."""
        return sys.executable

    def feed(self, manifest: Path) -> None:
        command = [self.python(), "-m", "benchmarks.baselines.producers", self.tool, str(manifest)]
        log = self.ground.folder / "producer.log"
        run(
            command,
            env=environment(self.env()),
            cwd=self.ground.folder,
            log=log,
            timeout_s=self.ground.load.timeout_s,
        )

    def recorded(self) -> int:
        done = self.ground.redis.get(DONE_KEY)
        return int(done) if isinstance(done, (bytes, str)) else 0


class Script(Baseline):
    """asyncio and httpx; also the floor, where no limit is set."""

    name = "asyncio script"

    def start(self) -> None:
        command = [sys.executable, "-m", "benchmarks.baselines.script"]
        self.launch("script", command, self.env(), stdin=subprocess.PIPE)

    def feed(self, manifest: Path) -> None:
        pipe = self.processes[0].stdin
        if pipe is None:
            raise BenchError("the script has no stdin")
        pipe.write(f"{manifest}\n".encode())
        pipe.flush()

    def stop(self) -> None:
        pipe = self.processes[0].stdin
        if pipe is not None:
            pipe.close()
        super().stop()


class CeleryThreads(Baseline):
    """Celery with its thread pool."""

    name = "Celery, threads"
    tool = "celery"
    pool = "threads"

    def start(self) -> None:
        for number in range(self.ground.load.processes):
            options = ["-P", self.pool, "-c", str(self.hands()), "-n", f"bench{number}@%h", "-l", "WARNING"]
            quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
            app = ["-A", "benchmarks.baselines.celery_app", "worker"]
            # An old warning of Celery's about running as root says nothing here.
            self.launch(
                f"celery{number}",
                [str(BIN / "celery"), *app, *options, *quiet],
                self.env() | {"C_FORCE_ROOT": "1"},
            )


class CeleryPrefork(CeleryThreads):
    """Celery with its default pool: as many processes as jobs in hand."""

    name = "Celery, prefork"
    pool = "prefork"

    def hands(self) -> int:
        return self.ground.load.slots or 32


class DramatiqThreads(Baseline):
    """Dramatiq as its manual shows it."""

    name = "Dramatiq, plain"
    tool = "dramatiq"

    def start(self) -> None:
        load = self.ground.load
        options = ["-p", str(load.processes), "-t", str(self.hands())]
        self.launch(
            "dramatiq", [str(BIN / "dramatiq"), "benchmarks.baselines.dramatiq_app", *options], self.env()
        )


class RqPool(Baseline):
    """RQ's worker pool with SimpleWorker, which spares a fork per job."""

    name = "RQ, pool"
    tool = "rq"

    def hands(self) -> int:
        return self.ground.load.slots or 32

    def start(self) -> None:
        url = ["-u", self.ground.redis_url]
        options = ["-n", str(self.hands()), "-w", "rq.worker.SimpleWorker", "-q"]
        self.launch("rq", [str(BIN / "rq"), "worker-pool", "default", *url, *options], self.env())


class Arq(Baseline):
    """arq, one worker."""

    name = "arq"
    tool = "arq"

    def start(self) -> None:
        settings = "benchmarks.baselines.arq_app.WorkerSettings"
        self.launch("arq", [str(Path(self.python()).parent / "arq"), settings], self.env())

    def python(self) -> str:
        """arq's own environment: it wants a redis-py that Celery does not."""
        return os.environ.get("BENCH_ARQ_PYTHON", str(ROOT / ".venv-bench" / "arq" / "bin" / "python"))


def await_recorded(contender: Contender, jobs: int, timeout_s: float) -> None:
    """Returns when so many jobs are recorded.

    Raises:
        BenchError: a process died or the time is over.
    """
    until = time.monotonic() + timeout_s
    while (done := contender.recorded()) < jobs:
        contender.check()
        if time.monotonic() > until:
            raise BenchError(
                f"{contender.name}: {done} of {jobs} after {timeout_s:g} s: {contender.log_tail()}"
            )
        time.sleep(0.05)


def product_python() -> str:
    """The Python that has the product: VTON_BENCH_PYTHON, else the tree's own .venv."""
    return os.environ.get("VTON_BENCH_PYTHON", str(ROOT / ".venv" / "bin" / "python"))
