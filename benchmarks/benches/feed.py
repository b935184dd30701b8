"""What it costs to read a Google Merchant feed in XML, beside a bare streaming parse by the same library."""

import json
import shutil
import tempfile
from pathlib import Path

from benchmarks.benches.feed_once import ITEM_BYTES
from benchmarks.benches.options import Options
from benchmarks.benches.print import Rows, show
from benchmarks.frame.contenders import product_python
from benchmarks.frame.processes import BenchError, environment, tail
from benchmarks.frame.processes import run as run_command
from benchmarks.frame.stats import Value, medians

COLUMNS = [
    ("cpu_s", "CPU-s", ".1f"),
    ("speed", "of the bare parse's speed", ".2f"),
    ("peak_mb", "peak MB", ".0f"),
]
WAYS = {
    "bare": "expat, handlers that do nothing",
    "iterparse": "ElementTree.iterparse, items cleared",
    "ours": "ours: products",
    "ours-pairs": "ours: vton pairs, a manifest",
}


def run(options: Options) -> None:
    """One feed, read in every way in turns."""
    every: dict[str, list[dict[str, Value]]] = {name: [] for name in WAYS.values()}
    megabytes = 20 if options.quick else 1_000
    for _ in range(options.repeats):
        for way, name in WAYS.items():
            if options.wants(name):
                try:
                    every[name].append(_once(way, megabytes))
                except BenchError as error:
                    print(f"  {name}: {error}", flush=True)
    rows: Rows = {name: medians(repeats) for name, repeats in every.items() if repeats}
    bare = rows.get(WAYS["bare"], {}).get("cpu_s")
    for row in rows.values():
        if isinstance(bare, (int, float)) and isinstance(row["cpu_s"], (int, float)):
            row["speed"] = bare / row["cpu_s"]
    note = f"{megabytes} MB of RSS, items of {ITEM_BYTES} bytes with 20 parts; three people."
    show(
        "feed",
        "Feeds of products",
        note,
        columns=COLUMNS,
        rows=rows,
        repeats=every,
        options=options,
    )


def _once(way: str, megabytes: int) -> dict[str, Value]:
    folder = Path(tempfile.mkdtemp(prefix="vton-bench-"))
    log = folder / "log"
    command = [product_python(), "-m", "benchmarks.benches.feed_once", way, str(megabytes), str(folder)]
    try:
        ran = run_command(command, env=environment({}), cwd=folder, log=log, timeout_s=600)
        lines = log.read_text().splitlines()
        if not lines:
            raise BenchError(tail(log))
        numbers: dict[str, Value] = json.loads(lines[-1])
        return numbers | {"peak_mb": ran.peak_mb}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
