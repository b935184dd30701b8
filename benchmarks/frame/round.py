"""One contender, one load, one row of numbers."""

import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.frame.books import most_at_once, rate_used, task_of, utilisation, windows_over
from benchmarks.frame.contenders import Contender, Ground, await_recorded
from benchmarks.frame.load import Load, pictures_on_disk, write_manifest
from benchmarks.frame.processes import BenchError, cpu_s, rss_mb
from benchmarks.frame.services import Account, Simulator, redis_server, simulator
from benchmarks.frame.stats import Value, medians, quantile


def compete(
    contenders: Sequence[type[Contender]], load: Load, account: Account, *, repeats: int, aof: str
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
                numbers = play(kind, load, account, folder, aof)
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


def play(kind: type[Contender], load: Load, account: Account, folder: Path, aof: str) -> dict[str, Value]:
    """A fresh Redis, a fresh simulator, the contender warmed up, then the measure."""
    account = replace(account, progress=account.progress or kind.progress)
    with simulator(folder / "simulator", account) as vendor, redis_server(folder / "redis", aof) as redis:
        ground = Ground(
            load=load, vendor_url=vendor.url, redis_url=redis.url, redis=redis.client, folder=folder
        )
        contender = kind(ground)
        try:
            contender.start()
            _warm_up(contender, load, folder)
            refused = _refused(vendor)
            before = cpu_s(contender.processes), cpu_s([redis.process])
            since_s, began = time.time(), time.monotonic()
            contender.feed(write_manifest(folder / "batch.csv", load.jobs, "batch"))
            fed_s = time.time()
            await_recorded(contender, load.warm_up + load.jobs, load.timeout_s)
            wall = time.monotonic() - began
            after = cpu_s(contender.processes), cpu_s([redis.process])
            memory = rss_mb(contender.processes)
        finally:
            contender.stop()
        numbers = _measures(vendor, load, account, ground.out, since_s=since_s, fed_s=fed_s)
        numbers["refused"] = _refused(vendor) - refused
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


def _refused(vendor: Simulator) -> int:
    refused: dict[str, int] = vendor.totals()["refused"]
    return sum(refused.values())


def _measures(
    vendor: Simulator, load: Load, account: Account, out: Path, *, since_s: float, fed_s: float
) -> dict[str, Value]:
    """What the simulator's books and the disk say of everything since the warm-up, which ended at `since_s`.

    `fed_s` is when the command that was given the manifest had ended; both epoch seconds.

    Raises:
        BenchError: pictures are missing or pairs were bought twice.
    """
    lines = [line for line in vendor.tasks() if line["created"] >= since_s]
    tasks = [task_of(line, account.submit_delay_s) for line in lines]
    fetched = [task.downloaded for task in tasks if task.downloaded is not None]
    if not len(tasks) == len({task.request_id for task in tasks}) == len(fetched) == load.jobs:
        raise BenchError(
            f"not the work that was asked for: {len(tasks)} tasks, {len(fetched)} pictures fetched"
        )
    written = pictures_on_disk(out)
    over = [(task, task.ended) for task in tasks if task.ended is not None]
    delays = [written[task.sub_task_id] - ended for task, ended in over if task.sub_task_id in written]
    if len(delays) < load.jobs:
        raise BenchError(f"{load.jobs - len(delays)} of {load.jobs} pictures are not on disk under {out}")
    arrived = [task.arrived for task in tasks]
    span_s = max(fetched) - min(arrived)
    arrivals = [at for at in vendor.arrivals() if at >= since_s]
    windows = windows_over(arrivals, load.rate) if load.rate else (None, None)
    ideal_s = sum(ended - task.began for task, ended in over) / load.slots if load.slots else None
    return {
        "jobs_per_s": load.jobs / span_s,
        "span_s": span_s,
        "first_post_s": min(arrived) - since_s,
        "exit_s": fed_s - max(written[task.sub_task_id] for task in tasks),
        "utilisation": utilisation(tasks, load.slots) if load.slots else None,
        "makespan_ratio": span_s / ideal_s if ideal_s else None,
        "polls_per_task": sum(task.polls for task in tasks) / load.jobs,
        "seen_p50_s": quantile([task.seen - ended for task, ended in over if task.seen], 0.5),
        "disk_p50_s": quantile(delays, 0.5),
        "disk_p99_s": quantile(delays, 0.99),
        "rate_used": rate_used(arrived, load.rate) if load.rate else None,
        "windows_over": windows[0],
        "max_in_window": windows[1],
        "max_parallel": most_at_once(tasks),
    }
