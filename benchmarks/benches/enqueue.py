"""How fast a manifest gets into ledger and queue, and in how much memory."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.benches.options import Options
from benchmarks.benches.print import Rows, ratio, show
from benchmarks.frame.contenders import Baseline, CeleryThreads, Contender, DramatiqThreads, Ground, RqPool
from benchmarks.frame.load import Load, write_manifest
from benchmarks.frame.ours import Ours
from benchmarks.frame.processes import BenchError, Ran, environment
from benchmarks.frame.processes import run as run_command
from benchmarks.frame.services import redis_server
from benchmarks.frame.stats import Value, medians

COLUMNS = [
    ("rows_per_s", "rows/s", ",.0f"),
    ("to_send", "÷ actor.send", ".1f"),
    ("cpu_us", "CPU µs a row, Redis' too", ".0f"),
    ("to_bare", "÷ a bare hash", ".2f"),
    ("again", "again ÷ first", ".2f"),
    ("wall_small_s", "10k rows, s", ".2f"),
    ("redis_bytes_per_row", "Redis bytes a row", ".0f"),
    ("peak_10k", "peak MB at 10k", ".0f"),
    ("peak_100k", "100k", ".0f"),
    ("peak_1m", "1M", ".0f"),
]


class Bare(Baseline):
    """A hash a row in pipelines, and no message."""

    name = "bare: a hash a row"
    tool = "bare"

    def start(self) -> None:
        """Nothing to start: it only sends."""


class Floor(Baseline):
    """Hashes and messages in pipelines, by hand."""

    name = "floor: pipelined by hand"
    tool = "floor"

    def start(self) -> None:
        """Nothing to start: it only sends."""


def run(options: Options) -> None:
    """Rows a second is the slope between two sizes, so that nobody's start-up counts."""
    kinds = options.chosen([Bare, Floor, DramatiqThreads, CeleryThreads, RqPool, Ours])
    every: dict[str, list[dict[str, Value]]] = {kind.name: [] for kind in kinds}
    for _ in range(options.repeats):
        for kind in kinds:
            try:
                every[kind.name].append(_slope(kind, options))
            except BenchError as error:
                print(f"  {kind.name}: {error}", flush=True)
    rows: Rows = {name: medians(repeats) for name, repeats in every.items() if repeats}
    for kind in kinds:
        if kind.name in rows:
            _memory(kind, options, rows[kind.name])
    ratio(rows, "rows_per_s", DramatiqThreads.name, "to_send")
    ratio(rows, "cpu_us", Bare.name, "to_bare")
    note = (
        "From CSV to the queue. Ours and the floor also write a ledger record per row; the other tools' message is "
        "all they have. Peak resident memory of the producing process."
    )
    show("enqueue", "Enqueue", note, columns=COLUMNS, rows=rows, repeats=every, options=options)


def _sizes(kind: type[Contender], options: Options) -> tuple[int, int]:
    if options.quick:
        return 500, 3000
    return (10_000, 100_000) if issubclass(kind, (Bare, Floor, Ours)) else (10_000, 30_000)


def _slope(kind: type[Contender], options: Options) -> dict[str, Value]:
    small, large = _sizes(kind, options)
    first = _send(kind, small, options)
    second = _send(kind, large, options)
    took = second.ran.wall_s - first.ran.wall_s
    # Sizes of a smoke run drown in the noise of two starts.
    speed = (large - small) / took if took > 0.02 else None
    print(f"  {kind.name}: {large - small} rows more took {took:.2f} s more", flush=True)
    return {
        "rows_per_s": speed,
        "wall_small_s": first.ran.wall_s if small == 10_000 else None,
        "cpu_us": (second.cpu_s - first.cpu_s) / (large - small) * 1e6,
        "again": second.again_s / second.ran.wall_s if second.again_s else None,
        "redis_bytes_per_row": second.redis_bytes / large,
        "peak_10k": first.ran.peak_mb if small == 10_000 else None,
        "peak_100k": second.ran.peak_mb if large == 100_000 else None,
    }


def _memory(kind: type[Contender], options: Options, row: dict[str, Value]) -> None:
    """A million rows where that ends in reasonable time."""
    row["peak_1m"] = None
    if not options.quick and issubclass(kind, (Bare, Floor, Ours)):
        try:
            ran = _send(kind, 1_000_000, options).ran
        except BenchError as error:
            print(f"  {kind.name}, 1M: {error}", flush=True)
            return
        row["peak_1m"], row["wall_1m_s"] = ran.peak_mb, ran.wall_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A manifest sent to a fresh Redis."""

    ran: Ran
    #: User and system of the producer and of Redis, s.
    cpu_s: float
    #: That Redis holds more than before.
    redis_bytes: int
    #: How long the same command took once more, s; None for those that would send everything twice.
    again_s: float | None


def _send(kind: type[Contender], jobs: int, options: Options) -> Sent:
    folder = Path(tempfile.mkdtemp(prefix="vton-bench-"))
    try:
        with redis_server(folder / "redis", options.aof) as redis:
            ground = Ground(
                load=Load(jobs=jobs),
                vendor_url="http://127.0.0.1:9",
                redis_url=redis.url,
                redis=redis.client,
                folder=folder,
            )
            sender = kind(ground)
            manifest = write_manifest(folder / "batch.csv", jobs, "batch")

            def send() -> Ran:
                command, env = _command(sender, manifest), environment(_env(sender))
                return run_command(command, env=env, cwd=folder, log=folder / "log", timeout_s=600)

            before = redis.client.info()
            ran = send()
            after = redis.client.info()
            return Sent(
                ran=ran,
                cpu_s=ran.cpu_s + _cpu_s(after) - _cpu_s(before),
                redis_bytes=after["used_memory"] - before["used_memory"],
                again_s=send().wall_s if isinstance(sender, Ours) else None,
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _cpu_s(info: dict[str, Any]) -> float:
    return float(info["used_cpu_user"] + info["used_cpu_sys"])


def _command(sender: Contender, manifest: Path) -> list[str]:
    if isinstance(sender, Baseline):
        return [sender.python(), "-m", "benchmarks.baselines.producers", sender.tool, str(manifest)]
    if isinstance(sender, Ours):
        return [*sender.vton(), "enqueue", str(manifest)]
    raise TypeError(f"{sender.name} sends nothing")


def _env(sender: Contender) -> dict[str, str]:
    if isinstance(sender, (Baseline, Ours)):
        return sender.env()
    return {}
