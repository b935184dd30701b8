"""How much memory a submit process takes while it has 8 POSTs of two 3 MB pictures in hand."""

import shutil
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.benches.options import Options
from benchmarks.benches.print import Rows, show
from benchmarks.frame.contenders import Ground
from benchmarks.frame.load import Load
from benchmarks.frame.ours import Ours
from benchmarks.frame.photographs import photograph, write_photographs
from benchmarks.frame.processes import BenchError, cpu_s, environment
from benchmarks.frame.processes import run as run_command
from benchmarks.frame.services import Account, Simulator, redis_server, simulator
from benchmarks.frame.stats import Value, medians

COLUMNS = [
    ("peak_mb", "peak MB", ".0f"),
    ("idle_mb", "before the first, MB", ".0f"),
    ("cpu_ms", "CPU-ms a POST", ".1f"),
]
_POSTS = 8


class Submitter(Ours):
    """One submit process, nothing else."""

    name = "ours"

    def start(self) -> None:
        self.launch("submit", self._dramatiq("submit", _POSTS), self.env())

    def threads(self) -> int:
        """POSTs in hand."""
        return _POSTS

    def _site(self) -> dict[str, str]:
        """Its pictures lie where the bench has them."""
        return super()._site() | {"VTON_PICTURES__ROOTS": f'["{self.ground.folder.parent}"]'}


def run(options: Options) -> None:
    """Every POST has two pictures that no other has; the vendor takes a second for each."""
    kinds = [kind for kind in options.chosen([Submitter]) if issubclass(kind, Submitter)]
    every: dict[str, list[dict[str, Value]]] = {kind.name: [] for kind in kinds}
    jobs = 16 if options.quick else 80
    folder = Path(tempfile.mkdtemp(prefix="vton-bench-"))
    try:
        pictures = write_photographs(folder / "pictures", 2 * jobs, photograph(3))
        rows = [f"{n},{pictures[2 * n]},{pictures[2 * n + 1]}" for n in range(jobs)]
        manifest = folder / "posts.csv"
        manifest.write_text("\n".join(["sku,person,dress", *rows, ""]))
        for _ in range(options.repeats):
            for kind in kinds:
                try:
                    every[kind.name].append(_measured(kind, folder, manifest, jobs, options))
                except BenchError as error:
                    print(f"  {kind.name}: {error}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rows_of: Rows = {name: medians(repeats) for name, repeats in every.items() if repeats}
    note = f"{jobs} submits, a person and a dress of 3 MB each as local files, {_POSTS} at a time, answered after a second."
    show("posts", "Memory of POSTs", note, columns=COLUMNS, rows=rows_of, repeats=every, options=options)


def _measured(
    kind: type[Submitter], folder: Path, manifest: Path, jobs: int, options: Options
) -> dict[str, Value]:
    account = Account(submit_delay_s=1.0, median_s=600, sigma=0)
    with (
        tempfile.TemporaryDirectory(prefix="own-", dir=folder) as own,
        redis_server(Path(own) / "redis", options.aof) as redis,
        simulator(Path(own) / "vendor", account) as vendor,
    ):
        ground = Ground(
            load=Load(jobs=jobs),
            vendor_url=vendor.url,
            redis_url=redis.url,
            redis=redis.client,
            folder=Path(own),
        )
        submitter = kind(ground)
        run_command(
            [*submitter.vton(), "enqueue", str(manifest)],
            env=environment(submitter.env()),
            cwd=ground.folder,
            log=ground.folder / "enqueue.log",
            timeout_s=600,
        )
        submitter.start()
        try:
            return _watched(submitter, vendor, jobs)
        finally:
            submitter.stop()


def _watched(submitter: Submitter, vendor: Simulator, jobs: int) -> dict[str, Value]:
    """The largest process of the submit worker while all jobs are submitted."""
    peak, idle, until = 0.0, 0.0, time.monotonic() + 600
    while (done := len(vendor.tasks())) < jobs:
        submitter.check()
        if time.monotonic() > until:
            raise BenchError(f"{done} of {jobs} submits: {submitter.log_tail()}")
        now = max(_rss(each) for each in _members(submitter.processes[0].pid))
        idle = idle if done else now
        peak = max(peak, now)
        time.sleep(0.05)
    return {"peak_mb": peak, "idle_mb": idle, "cpu_ms": cpu_s(submitter.processes) / jobs * 1000}


def _members(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _rss(process: psutil.Process) -> float:
    try:
        return process.memory_info().rss / 1e6
    except psutil.NoSuchProcess:
        return 0.0
