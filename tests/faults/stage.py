"""A stage: Redis, the simulator, the proxies, the workers and the producer of one scenario, in one folder."""

import csv
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jobs.ledger import Ledger
from jobs.records import BatchId, BatchStatus, Job, JobState
from tests.faults.crew import Crew, Worker
from tests.faults.pause import pause
from tests.faults.proxy import Proxy
from tests.faults.servers import RedisServer, Simulator

ROOT = Path(__file__).parents[2]
PREFIX = "vton"
VTON = "from jobs.cli import main; main()"


class StuckError(Exception):
    """What was waited for did not come; for the harness that is a broken invariant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a stage is built."""

    submit: int = 2
    collect: int = 1
    threads: int = 4
    #: The account's limits, enforced by the simulator too.
    in_flight: int = 10
    per_minute: int = 6000
    latency_s: float = 0.4
    submit_delay_s: float = 0.05
    #: Short, so that a dead worker's intent is given up soon: twice this and 20 s.
    submit_timeout_s: float = 2.0
    #: More switches of the simulator.
    simulator: tuple[str, ...] = ()
    #: More settings of the product.
    env: Mapping[str, str] = field(default_factory=dict)
    #: More environment of Redis, and of nobody else.
    redis_env: Mapping[str, str] = field(default_factory=dict)
    #: A proxy before Redis, for the workers.
    redis_proxy: bool = False
    #: A proxy before the simulator for each submit worker, which counts POSTs in flight at a kill.
    wires: bool = False
    #: Workers are started with the stage.
    started: bool = True


class Stage:
    """Opens everything; closing it ends every process it has started."""

    def __init__(self, folder: Path, setup: Setup) -> None:
        self.folder = folder
        self.setup = setup
        self.canaries = {
            name: f"{name}-canary-{secrets.token_hex(12)}" for name in ("token", "redis", "callback")
        }
        self.redis = RedisServer(folder / "redis", self.canaries["redis"], setup.redis_env)
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
        plain = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        self._plain = plain | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "HOME": str(folder)}
        self.simulator = Simulator(folder / "simulator", words, self._plain)
        self.redis_proxy = Proxy(self.redis.port)
        self.wires: list[Proxy] = []
        self.crew = Crew(folder, {})
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
        self.crew = Crew(self.folder, self.env)
        self._stack.callback(self.crew.stop)
        for _ in range(setup.submit):
            own = {}
            if setup.wires:
                self.wires.append(self._stack.enter_context(Proxy(self.simulator.port)))
                own = {"VTON_HIDREAM__BASE_URL": f"http://127.0.0.1:{self.wires[-1].port}"}
            self.crew.add("submit", threads=setup.threads, env=own)
        for _ in range(setup.collect):
            self.crew.add("collect", threads=2)
        if setup.started:
            self.crew.start()
            self.until(self.ready, "the workers are ready")

    def _settings(self) -> dict[str, str]:
        setup = self.setup
        return (
            self._plain
            | {
                "VTON_REDIS__URL": self.redis.url(self.redis_proxy.port if setup.redis_proxy else None),
                "VTON_REDIS__PREFIX": PREFIX,
                "VTON_HIDREAM__BASE_URL": self.simulator.address,
                "VTON_HIDREAM__IMAGE_PREFIX": f"{self.simulator.address}/image/",
                "VTON_HIDREAM__IMAGE_HOSTS": '["127.0.0.1"]',
                "VTON_HIDREAM__SUBMIT_TIMEOUT_S": str(setup.submit_timeout_s),
                "VTON_HIDREAM__POLL_TIMEOUT_S": "3",
                "VTON_HIDREAM__DOWNLOAD_TIMEOUT_S": "5",
                "VTON_LIMITS__IN_FLIGHT": str(setup.in_flight),
                "VTON_LIMITS__IMAGES_PER_MINUTE": str(setup.per_minute),
                "VTON_TASKS__LATENCY_S": str(max(0.05, setup.latency_s)),
                "VTON_WORKERS__SUBMIT_THREADS": str(setup.threads),
                "VTON_WORKERS__RECONCILE_S": "1",
                "VTON_WORKERS__EXPORT_S": "0.5",
                "VTON_LOGS__FORMAT": "json",
                "VTON_OUTPUT_DIR": str(self.folder / "out"),
                "VTON_DATA_DIR": str(self.folder / "data"),
                "HIDREAM_TOKEN": self.canaries["token"],
                "VTON_CALLBACKS__SECRET": self.canaries["callback"],
            }
            | dict(setup.env)
        )

    # -- what a person does ------------------------------------------------------------------------------------

    def manifest(self, name: str, numbers: range) -> Path:
        """A CSV of one pair a number; the same number is the same pair in every manifest."""
        path = self.folder / f"{name}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["sku", "person", "upper_clothes"])
            for number in numbers:
                person = f"https://shop.example/people/{number % 40}.jpg"
                writer.writerow([f"SKU-{number}", person, f"https://shop.example/garments/{number}.jpg"])
        return path

    def vton(self, *words: str, check: bool = True, tree: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """Runs one command of the product, as the code in `tree` has it."""
        done = subprocess.run(
            [sys.executable, "-c", VTON, *words],
            env=self.env | {"PYTHONPATH": str(tree)},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        self._keep("vton", done.stdout + done.stderr)
        if check and done.returncode:
            raise StuckError(f"vton {' '.join(words)}: exit {done.returncode}: {done.stderr.strip()[-300:]}")
        return done

    def enqueue(self, name: str, numbers: range, *, tree: Path = ROOT) -> BatchId:
        """Puts pairs into the ledger as the batch `name`."""
        self.vton("enqueue", str(self.manifest(name, numbers)), "--batch", name, tree=tree)
        return BatchId(name)

    # -- what is seen ------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether every started worker has begun."""
        return all(worker.ready for worker in self.crew.workers if worker.starts)

    def until(
        self, true: Callable[[], Any], what: str, *, within_s: float = 60, step_s: float = 0.05
    ) -> float:
        """Waits, keeping the workers alive; returns the seconds it took. Raises StuckError."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > within_s:
                raise StuckError(f"within {within_s:g} s it never came that {what}")
            self.crew.poll()
            pause(step_s)
        return time.monotonic() - began

    def status(self, batch: BatchId) -> BatchStatus:
        """A batch in numbers, past every proxy."""
        return self.ledger.status(batch)

    def complete(self, batch: BatchId) -> bool:
        """Whether every row has ended and stands in the files."""
        if (
            not self.status(batch).complete
            or self.ledger.client.zscore(self.ledger.key("active"), batch) is not None
        ):
            return False
        return (self.folder / "out" / batch / "summary.json").is_file()

    def finish(self, *batches: BatchId, within_s: float = 120) -> float:
        """Waits for the end of batches."""
        try:
            return self.until(
                lambda: all(map(self.complete, batches)),
                "every row ended and was exported",
                within_s=within_s,
            )
        except StuckError as error:
            counts = [self.status(batch).counts for batch in batches]
            raise StuckError(
                f"{error}: {counts}, gate {self.ledger.gate_fields()}, keys {self.standing()}"
            ) from None

    def jobs(self, batch: BatchId) -> dict[str, Job]:
        """Every job of a batch."""
        wanted = [row["job"] for rows in self.ledger.rows(batch) for row in rows.values() if "job" in row]
        return self.ledger.jobs(wanted)

    def arrived(self, n: int) -> bool:
        """Whether so many submits have come to the simulator."""
        return len(self.simulator.arrivals()) >= n

    def standing(self) -> dict[str, int]:
        """How much stands in the sets that must be empty at the end."""
        client, key = self.ledger.client, self.ledger.key
        return {kind: client.zcard(key(kind)) for kind in ("leases", "posting", "due", "retry")} | {
            "queued": self._waiting()
        }

    def _waiting(self) -> int:
        """Jobs in a line that do wait; a cancelled batch's line is only emptied when its turn comes."""
        client, key = self.ledger.client, self.ledger.key
        lines = [client.lrange(key("queued", batch), 0, -1) for batch in client.lrange(key("ring"), 0, -1)]
        jobs = [self.ledger.jobs(line) for line in lines]
        return sum(
            each in found and found[each].state is JobState.QUEUED
            for line, found in zip(lines, jobs, strict=True)
            for each in line
        )

    def submitting(self) -> dict[str, str]:
        """Jobs whose intent is written and whose outcome is not: id → claim."""
        client, key = self.ledger.client, self.ledger.key
        found = {}
        for request_id in client.zrange(key("posting"), 0, -1):
            state, claim = client.hmget(key("job", request_id), "state", "claim")
            if state == "submitting":
                found[request_id] = claim
        return found

    def pass_time(self) -> None:
        """Lets the deadlines of dead holders be over now. Only while no live worker is submitting or collecting."""
        client, key = self.ledger.client, self.ledger.key
        for kind in ("posting", "leases", "due"):
            for name in client.zrange(key(kind), 0, -1):
                client.zadd(key(kind), {name: 1}, xx=True)
        for name in client.scan_iter(key("exporting", "*")):
            client.delete(name)

    def going_again(self, since_s: float, *, within_s: float = 60) -> float:
        """Seconds from `since_s` (epoch) to the first submit after it."""
        self.until(
            lambda: any(at > since_s for at in self.simulator.arrivals()[-50:]),
            "submits go on",
            within_s=within_s,
        )
        return min(at for at in self.simulator.arrivals() if at > since_s) - since_s

    def logged(self, event: str, worker: Worker | None = None) -> int:
        """How often an event was logged, by all workers or one."""
        logs = (
            [self.folder / "logs" / f"{worker.name}.log"] if worker else (self.folder / "logs").glob("*.log")
        )
        return sum(log.read_bytes().count(f'"event":"{event}"'.encode()) for log in logs if log.exists())

    def _keep(self, name: str, text: str) -> None:
        (self.folder / "logs").mkdir(exist_ok=True)
        with (self.folder / "logs" / f"{name}.log").open("a") as log:
            log.write(text)
