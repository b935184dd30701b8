"""`python -m benchmarks.scale measure`: takes the constants with a real Redis, the simulator and the documented processes.

Counts and bytes are exact on any machine. Processor time is that of the run, on a busy one far too high, and no table uses
it. Small: a few hundred jobs, since every constant is one of a single job.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.frame.contenders import Ground, await_recorded
from benchmarks.frame.load import Load, write_manifest
from benchmarks.frame.ours import Ours, OursWithCallbacks
from benchmarks.frame.processes import BenchError, cpu_s
from benchmarks.frame.services import Account, Server, Simulator, redis_server, simulator

if TYPE_CHECKING:
    from redis import Redis

#: As `vton run` and docs/deploy.md have it.
_PACKED = 1024
#: What Redis says of a key that does not end by itself; others are answers kept for scripts that are sent twice.
_NEVER = -1
_LEDGER_DB = 1


@contextmanager
def _shop(
    kind: type[Ours], load: Load, account: Account
) -> Iterator[tuple[Ours, Server, "Redis", Simulator]]:
    """A contender of ours that has not begun, its Redis, the ledger's client, its vendor."""
    folder = Path(tempfile.mkdtemp(prefix="vton-scale-"))
    try:
        with (
            simulator(folder / "simulator", account) as vendor,
            redis_server(folder / "redis", "always") as server,
        ):
            server.client.config_set("hash-max-ziplist-value", _PACKED)
            ground = Ground(
                load=load, vendor_url=vendor.url, redis_url=server.url, redis=server.client, folder=folder
            )
            ledger = type(server.client)(
                port=server.client.connection_pool.connection_kwargs["port"], db=_LEDGER_DB
            )
            ours = kind(ground)
            try:
                yield ours, server, ledger, vendor
            finally:
                ours.stop()
                ledger.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ledger_bytes(server: Server, ledger: "Redis") -> float:
    """Bytes of all keys and of the table that holds them, without those that end by themselves after minutes."""
    names = list(ledger.scan_iter(count=1000))
    pipe = ledger.pipeline(transaction=False)
    for name in names:
        pipe.pttl(name)
    lasting = [name for name, ends_ms in zip(names, pipe.execute(), strict=True) if ends_ms == _NEVER]
    for name in lasting:
        pipe.memory_usage(name, samples=0)
    table: int = server.client.memory_stats()[f"db.{_LEDGER_DB}"]["overhead.hashtable.main"]
    return sum(size or 0 for size in pipe.execute()) + table * len(lasting) / len(names)


def _counts(server: Server) -> dict[str, float]:
    """Redis' own counters."""
    every = server.client.info("everything")
    calls = {
        name.removeprefix("cmdstat_"): found["calls"]
        for name, found in every.items()
        if name.startswith("cmdstat_")
    }
    return {
        "commands": sum(calls.values()),
        "scripts": calls.get("evalsha", 0) + calls.get("eval", 0),
        "wire_bytes": every["total_net_input_bytes"] + every["total_net_output_bytes"],
        "file_bytes": every["aof_current_size"],
        "redis_cpu_s": every["used_cpu_sys"] + every["used_cpu_user"],
    }


def _difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {name: value - before[name] for name, value in after.items()}


def waiting(jobs: int) -> dict[str, float]:
    """Bytes of a job that waits, and what enqueueing it takes; the slope between a small and a large manifest."""
    load = Load(jobs=jobs, timeout_s=3600)
    with _shop(Ours, load, Account(submit_delay_s=0, median_s=1, sigma=0)) as (
        ours,
        server,
        ledger,
        _,
    ):
        ours.feed(write_manifest(ours.ground.folder / "first.csv", jobs // 10, "first"))
        bytes_before, before = _ledger_bytes(server, ledger), _counts(server)
        ours.feed(write_manifest(ours.ground.folder / "second.csv", jobs, "second"))
        found = _difference(_counts(server), before)
        return {
            "bytes_waiting": (_ledger_bytes(server, ledger) - bytes_before) / jobs,
            "enqueue_commands": found["commands"] / jobs,
            "enqueue_wire_bytes": found["wire_bytes"] / jobs,
        }


def under_way(jobs: int) -> dict[str, float]:
    """Bytes of a job whose task is under way: tasks that do not end."""
    account = Account(submit_delay_s=0.02, median_s=100_000, sigma=0)
    with _shop(Ours, Load(jobs=jobs, latency_s=100_000, timeout_s=3600), account) as (
        ours,
        server,
        ledger,
        _,
    ):
        ours.start()
        ours.feed(write_manifest(ours.ground.folder / "first.csv", 20, "first"))
        _await(lambda: ledger.zcard("vton:due") >= 20)
        before = _ledger_bytes(server, ledger)
        ours.feed(write_manifest(ours.ground.folder / "second.csv", jobs, "second"))
        _await(lambda: ledger.zcard("vton:due") >= 20 + jobs)
        return {"bytes_under_way": (_ledger_bytes(server, ledger) - before) / jobs}


def whole(kind: type[Ours], jobs: int, median_s: float) -> dict[str, float]:
    """A job from its row to its picture: bytes, commands, wire, processor time, connections; and a quiet while."""
    load = Load(jobs=jobs, slots=10, latency_s=median_s, timeout_s=3600)
    account = Account(submit_delay_s=0.05, slots=10, median_s=median_s, sigma=0.35)
    with _shop(kind, load, account) as (ours, server, ledger, vendor):
        ours.start()
        ours.feed(write_manifest(ours.ground.folder / "first.csv", 30, "first"))
        await_recorded(ours, 30, load.timeout_s)
        quiet_s, idle = _quiet(server)
        bytes_before = _ledger_bytes(server, ledger)
        cpu_before, before, began = cpu_s(ours.processes), _counts(server), time.monotonic()
        ours.feed(write_manifest(ours.ground.folder / "second.csv", jobs, "second"))
        await_recorded(ours, 30 + jobs, load.timeout_s)
        wall_s = time.monotonic() - began
        found = _difference(_counts(server), before)
        worker_cpu_s = cpu_s(ours.processes) - cpu_before
        connections = _connections(ours, server)
        polls = sum(task["polls"] for task in vendor.tasks()) / (30 + jobs)
        # Of a quiet while as much is taken off as the run has lasted.
        each = {name: (value - idle[name] / quiet_s * wall_s) / jobs for name, value in found.items()}
        return {
            **each,
            **connections,
            "bytes_finished": (_ledger_bytes(server, ledger) - bytes_before) / jobs,
            "worker_cpu_s": worker_cpu_s / jobs,
            "polls": polls,
            "idle_commands_s": idle["commands"] / quiet_s,
            "idle_bytes_s": idle["wire_bytes"] / quiet_s,
        }


def _quiet(server: Server, seconds: float = 20) -> tuple[float, dict[str, float]]:
    """How long nothing was done, and what Redis was asked meanwhile."""
    time.sleep(5)
    began, before = time.monotonic(), _counts(server)
    time.sleep(seconds)
    return time.monotonic() - began, _difference(_counts(server), before)


def _connections(ours: Ours, server: Server) -> dict[str, float]:
    """Connections to Redis of each kind of process."""
    port = server.client.connection_pool.connection_kwargs["port"]
    found: dict[str, float] = {}
    for process in ours.processes:
        words = psutil.Process(process.pid).cmdline()
        role = next((each for each in ("submit", "collect") if each in words), "receiver")
        tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        held = [
            each
            for one in tree
            for each in one.net_connections("tcp")
            if each.raddr and each.raddr.port == port
        ]
        found[f"{role}_connections"] = len(held)
    return found


def _await(reached: Any, patience_s: float = 3600) -> None:
    until = time.monotonic() + patience_s
    while not reached():
        if time.monotonic() > until:
            raise BenchError("the shop has not come that far")
        time.sleep(0.2)


def measure(jobs: int, rows: int) -> dict[str, Any]:
    """Every constant, with both ways of hearing of results; `jobs` of a whole run, `rows` of an enqueued manifest."""
    constants: dict[str, Any] = waiting(rows) | under_way(jobs)
    # What a pruned pair costs at most: docs/pruning.md.
    constants["bytes_pruned"] = 120
    with _shop(Ours, Load(jobs=1), Account(submit_delay_s=0, median_s=1, sigma=0)) as (
        _,
        server,
        _ledger,
        _vendor,
    ):
        version = server.client.info("server")["redis_version"]
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d"),
        "redis": version,
        "jobs": jobs,
        "rows": rows,
        "both": constants,
        # How often a task is asked for depends on how busy the machine is; what a poll takes does not, and is their slope.
        "few_polls": whole(Ours, jobs, 0.3),
        "many_polls": whole(Ours, jobs, 4),
        "callbacks": whole(OursWithCallbacks, jobs, 2),
    }


def write(path: Path, jobs: int, rows: int) -> None:
    """Measures and writes."""
    path.write_text(json.dumps(measure(jobs, rows), indent=1) + "\n", encoding="utf-8")
