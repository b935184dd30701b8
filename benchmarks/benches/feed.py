"""What it costs to read a Google Merchant feed in XML, beside a bare streaming parse by the same library."""

from benchmarks.benches.feed_once import ITEM_BYTES
from benchmarks.benches.once import measured_once
from benchmarks.benches.options import Options
from benchmarks.benches.print import Rows, show
from benchmarks.frame.processes import BenchError
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
                    every[name].append(
                        measured_once("benchmarks.benches.feed_once", way, str(megabytes), timeout_s=600)
                    )
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
