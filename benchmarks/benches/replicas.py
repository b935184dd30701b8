"""What `redis.replicas: 1` costs: jobs a second, and how long the step before a POST takes, beside none."""

import json
import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks.benches.options import Options
from benchmarks.benches.print import ratio, show
from benchmarks.frame.contenders import product_python
from benchmarks.frame.load import Load
from benchmarks.frame.ours import Ours
from benchmarks.frame.processes import ROOT, BenchError, environment, tail
from benchmarks.frame.processes import run as run_command
from benchmarks.frame.round import compete
from benchmarks.frame.services import Account, Server, redis_server
from benchmarks.frame.stats import Value, medians

COLUMNS = [
    ("jobs_per_s", "jobs/s", ".0f"),
    ("to_none", "÷ none", ".2f"),
    ("cpu_s_per_1000", "CPU-s per 1,000", ".2f"),
    ("redis_cpu_s_per_1000", "primary's CPU-s per 1,000", ".2f"),
    ("step_p50_ms", "step before a POST, p50 ms", ".2f"),
    ("step_p99_ms", "p99 ms", ".2f"),
]
#: What the product waits for at most, s; a replica that takes longer to follow is broken.
_FOLLOWS_S = 60


class Replicated(Ours):
    """A replica follows, and nobody waits for it."""

    name = "ours, a replica, redis.replicas: 0"
    replicas = 0

    def start(self) -> None:
        self._stack = ExitStack()
        replica = self._stack.enter_context(redis_server(self.ground.folder / "replica", "always"))
        follow(replica, int(self.ground.redis_url.rpartition(":")[2]))
        super().start()

    def stop(self) -> None:
        super().stop()
        self._stack.close()

    def env(self) -> dict[str, str]:
        return super().env() | {"VTON_REDIS__REPLICAS": str(self.replicas)}


class Confirmed(Replicated):
    """Each POST is sent when a replica has its intent on its disk."""

    name = "ours, a replica, redis.replicas: 1"
    replicas = 1


def follow(replica: Server, port: int) -> None:
    """Returns when it has everything. Raises BenchError."""
    replica.client.replicaof("127.0.0.1", str(port))
    until = time.monotonic() + _FOLLOWS_S
    while replica.client.info("replication").get("master_link_status") != "up":
        if time.monotonic() > until:
            raise BenchError("the replica does not follow")
        time.sleep(0.05)


def run(options: Options) -> None:
    """As `overhead`, with `appendfsync always` whatever is asked: WAITAOF waits for that."""
    options = replace(options, aof="always")
    load = Load(
        jobs=150 if options.quick else 2000,
        concurrency=64,
        warm_up=32 if options.quick else 128,
        timeout_s=200,
    )
    account = Account(submit_delay_s=0.1, median_s=0.1, sigma=0)
    contenders = options.chosen([Ours, Replicated, Confirmed])
    rows, every_repeat = compete(contenders, load, account, repeats=options.repeats, aof=options.aof)
    ratio(rows, "jobs_per_s", Replicated.name, "to_none")
    steps = [_steps(200 if options.quick else 4000) for _ in range(options.repeats)]
    for kind in (Replicated, Confirmed):
        if kind.name in rows:
            taken = medians([each[str(kind.replicas)] for each in steps])
            rows[kind.name] |= {f"step_{name}_ms": value for name, value in taken.items()}
    note = (
        f"{load.jobs} jobs, a submit is answered in 100 ms, a task takes 100 ms; primary and replica on one machine "
        "and one disk. The step alone: eight at once, one command of the ledger and what confirms it."
    )
    show(
        "replicas",
        "Intents that a replica confirms",
        note,
        columns=COLUMNS,
        rows=rows,
        repeats={"jobs": every_repeat, "steps": steps},
        options=options,
        load=load,
    )


def _steps(count: int) -> dict[str, dict[str, Value]]:
    """Replicas waited for → quantiles, ms; a fresh primary and a fresh replica."""
    folder = Path(tempfile.mkdtemp(prefix="vton-bench-"))
    try:
        with (
            redis_server(folder / "primary", "always") as primary,
            redis_server(folder / "replica", "always") as replica,
        ):
            follow(replica, int(primary.url.rpartition(":")[2]))
            log = folder / "log"
            command = [product_python(), "-m", "benchmarks.benches.replicas_once", primary.url, str(count)]
            run_command(command, env=environment({}), cwd=ROOT, log=log, timeout_s=600)
            lines = log.read_text().splitlines()
            if not lines:
                raise BenchError(tail(log))
            numbers: dict[str, dict[str, Value]] = json.loads(lines[-1])
            return numbers
    finally:
        shutil.rmtree(folder, ignore_errors=True)
