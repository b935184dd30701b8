"""What the judge and the scenarios look at: a ledger, the vendor's books, worker processes and files."""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.ledger import Ledger
from jobs.records import BatchId, BatchStatus, Job, JobState
from jobs.results.lease import LEASE_MS, RENEW_S
from tests.double.process import Double
from tests.faults.pause import pause
from tests.faults.processes import Processes, Worker
from tests.faults.servers import Simulator

ROOT = Path(__file__).parents[2]
#: The checkout whose product is tried: this one, or an older one beside which it is measured.
PRODUCT = Path(os.environ.get("VTON_FAULTS_PRODUCT", ROOT))
VTON = "from jobs.cli import main; main()"


class StuckError(Exception):
    """What was waited for did not come; for the harness that is a broken invariant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a rig is built."""

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
    #: The vendor is the double, with these settings of its account beside the ones above; None: the simulator.
    double: Mapping[str, Any] | None = None
    #: More settings of the product.
    env: Mapping[str, str] = field(default_factory=dict)
    #: More environment of Redis, and of nobody else.
    redis_env: Mapping[str, str] = field(default_factory=dict)
    #: A proxy before Redis, for the workers.
    redis_proxy: bool = False
    #: A proxy before the simulator for each submit worker, which counts POSTs in flight at a kill.
    wires: bool = False
    #: Workers are started with the rig.
    started: bool = True

    def settings(self) -> dict[str, str]:
        """The product's settings that every scene has alike."""
        return {
            "VTON_HIDREAM__IMAGE_HOSTS": '["127.0.0.1"]',
            "VTON_HIDREAM__SUBMIT_TIMEOUT_S": str(self.submit_timeout_s),
            "VTON_HIDREAM__POLL_TIMEOUT_S": "3",
            "VTON_HIDREAM__DOWNLOAD_TIMEOUT_S": "5",
            "VTON_LIMITS__IN_FLIGHT": str(self.in_flight),
            "VTON_LIMITS__IMAGES_PER_MINUTE": str(self.per_minute),
            "VTON_TASKS__LATENCY_S": str(max(0.05, self.latency_s)),
            "VTON_WORKERS__SUBMIT_THREADS": str(self.threads),
            "VTON_WORKERS__RECONCILE_S": "1",
            "VTON_WORKERS__EXPORT_S": "0.5",
            "VTON_LOGS__FORMAT": "json",
        }


class Scene:
    """Where something is played; a rig and a machine are two of them."""

    folder: Path
    #: The product's data folder.
    data: Path
    setup: Setup
    ledger: Ledger
    #: The vendor, and with it the oracle.
    simulator: Simulator | Double
    processes: Processes
    #: Secrets that may stand nowhere, by what they are for.
    canaries: dict[str, str]
    #: What every process of the product sees.
    env: dict[str, str]

    # -- what a person does ------------------------------------------------------------------------------------

    def manifest(self, name: str, numbers: range) -> Path:
        """A CSV of one pair a number, see `write_manifest`."""
        return write_manifest(self.folder / f"{name}.csv", numbers)

    def vton(self, *words: str, check: bool = True, tree: Path = PRODUCT) -> subprocess.CompletedProcess[str]:
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

    # -- what is seen ------------------------------------------------------------------------------------------

    def until(
        self, true: Callable[[], Any], what: str, *, within_s: float = 180, step_s: float = 0.05
    ) -> float:
        """Waits, keeping the workers alive; returns the seconds it took. Raises StuckError."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > within_s:
                raise StuckError(f"within {within_s:g} s it never came that {what}")
            self.processes.poll()
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

    def finish(self, *batches: BatchId, within_s: float = 300) -> float:
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
                f"{error}: {counts}, gate {self.ledger.gate()}, keys {self.standing()}"
            ) from None

    def jobs(self, batch: BatchId) -> dict[str, Job]:
        """Every job of a batch."""
        wanted = [row.job for rows in self.ledger.rows(batch) for row in rows.values() if row.job]
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
            # A living exporter has renewed it; without it, it would begin again and again.
            if client.pttl(name) < LEASE_MS - 2000 * RENEW_S:
                client.delete(name)

    def going_again(self, since_s: float, *, within_s: float = 180) -> float:
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


def write_manifest(path: Path, numbers: range) -> Path:
    """A CSV of one pair a number; the same number is the same pair in every manifest."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sku", "person", "upper_clothes"])
        for number in numbers:
            person = f"https://shop.example/people/{number % 40}.jpg"
            writer.writerow([f"SKU-{number}", person, f"https://shop.example/garments/{number}.jpg"])
    return path
