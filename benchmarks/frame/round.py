"""One contender, one load, one row of numbers."""

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.frame.contenders import Contender, Ground, await_recorded
from benchmarks.frame.load import Load, pictures_on_disk, write_manifest
from benchmarks.frame.processes import BenchError, cpu_s, rss_mb
from benchmarks.frame.services import Stub, redis_server, stub_vendor
from benchmarks.frame.stats import Value, medians, quantile


def compete(
    contenders: Sequence[type[Contender]], load: Load, rules: Mapping[str, Any], *, repeats: int, aof: str
) -> tuple[dict[str, dict[str, Value]], dict[str, list[dict[str, Value]]]]:
    """Every contender `repeats` times, in turns, so that a slow minute of the machine meets all of them.

    Returns:
        The medians by contender, and all repeats by contender.
    """
    every: dict[str, list[dict[str, Value]]] = {contender.name: [] for contender in contenders}
    for repeat in range(repeats):
        for kind in contenders:
            folder = Path(tempfile.mkdtemp(prefix="vton-bench-"))
            try:
                numbers = play(kind, load, rules, folder, aof)
            except BenchError as error:
                print(f"  {kind.name}: {error}", flush=True)
                continue
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            every[kind.name].append(numbers)
            said = ", ".join(
                f"{key} {value:.3g}" for key, value in numbers.items() if isinstance(value, (int, float))
            )
            print(f"  [{repeat + 1}/{repeats}] {kind.name}: {said}", flush=True)
    return {name: medians(rows) for name, rows in every.items() if rows}, every


def play(
    kind: type[Contender], load: Load, rules: Mapping[str, Any], folder: Path, aof: str
) -> dict[str, Value]:
    """A fresh Redis, a fresh stub, the contender warmed up, then the measure."""
    with stub_vendor(folder / "stub") as stub, redis_server(folder / "redis", aof) as redis:
        rules = {**rules, **kind.rules}
        stub.reset(**rules)
        ground = Ground(load=load, stub_url=stub.url, redis_url=redis.url, redis=redis.client, folder=folder)
        contender = kind(ground)
        try:
            contender.start()
            _warm_up(contender, load, folder)
            stub.reset(**rules)
            before = cpu_s(contender.processes), cpu_s([redis.process])
            began = time.monotonic()
            contender.feed(write_manifest(folder / "night.csv", load.jobs, "night"))
            await_recorded(contender, load.warm_up + load.jobs, load.timeout_s)
            wall = time.monotonic() - began
            after = cpu_s(contender.processes), cpu_s([redis.process])
            memory = rss_mb(contender.processes)
        finally:
            contender.stop()
        numbers = _measures(stub, load, ground.out)
    per_thousand = 1000 / load.jobs
    return numbers | {
        "wall_s": wall,
        "cpu_s_per_1000": (after[0] - before[0]) * per_thousand,
        "redis_cpu_s_per_1000": (after[1] - before[1]) * per_thousand,
        "rss_mb": memory,
    }


def _warm_up(contender: Contender, load: Load, folder: Path) -> None:
    """Some jobs first, then quiet: imports, connections and first compilations are nobody's throughput."""
    if load.warm_up:
        contender.feed(write_manifest(folder / "warm-up.csv", load.warm_up, "warm"))
        await_recorded(contender, load.warm_up, 60)
    until = time.monotonic() + 5
    used = cpu_s(contender.processes)
    while time.monotonic() < until:
        time.sleep(0.4)
        now = cpu_s(contender.processes)
        if now - used < 0.1:
            return
        used = now


def _measures(stub: Stub, load: Load, out: Path) -> dict[str, Value]:
    """What the stub's ledger and the disk say.

    Raises:
        BenchError: pictures are missing or pairs were bought twice.
    """
    report = stub.report()
    summary, tasks = report["summary"], report["tasks"]
    if not summary["created"] == summary["request_ids"] == summary["downloaded"] == load.jobs:
        raise BenchError(f"not the work that was asked for: {summary}")
    written = pictures_on_disk(out)
    delays = [written[task["task_id"]] - task["ended"] for task in tasks if task["task_id"] in written]
    if len(delays) < load.jobs:
        raise BenchError(f"{load.jobs - len(delays)} of {load.jobs} pictures are not on disk under {out}")
    told = [(task["told"] or task["called_back"] or task["downloaded"]) - task["ended"] for task in tasks]
    return {
        "jobs_per_s": load.jobs / summary["span_s"],
        "span_s": summary["span_s"],
        "utilisation": summary["utilisation"],
        "makespan_ratio": summary["makespan_ratio"],
        "polls_per_task": summary["polls"] / load.jobs,
        "told_p50_s": quantile(told, 0.5),
        "disk_p50_s": quantile(delays, 0.5),
        "disk_p99_s": quantile(delays, 0.99),
        "rate_used": summary["rate_used"],
        "windows_over": summary["windows_over"],
        "max_in_window": summary["max_in_window"],
        "refused": summary["refused_rate"] + summary["refused_parallel"],
        "max_parallel": summary["max_parallel"],
    }
