"""What it costs to read a workbook, beside the library that reads its values, and one with pictures in its cells."""

from benchmarks.benches.once import measured_once
from benchmarks.benches.options import Options
from benchmarks.benches.print import Rows, show
from benchmarks.frame.processes import BenchError
from benchmarks.frame.stats import Value, medians

COLUMNS = [
    ("cpu_s", "CPU-s", ".2f"),
    ("speed", "of calamine's speed", ".2f"),
    ("peak_mb", "peak MB", ".0f"),
]
_BARE = "calamine: iter_rows"


def run(options: Options) -> None:
    """One workbook, read in every way in turns."""
    rows = 2_000 if options.quick else 100_000
    ways = {
        _BARE: ("calamine", rows),
        "ours: records": ("ours", rows),
        "ours: 200 pictures in cells, as files": ("pictures", 100),
    }
    every: dict[str, list[dict[str, Value]]] = {name: [] for name in ways if options.wants(name)}
    for _ in range(options.repeats):
        for name, repeats in every.items():
            way, count = ways[name]
            try:
                repeats.append(
                    measured_once("benchmarks.benches.workbook_once", way, str(count), timeout_s=600)
                )
            except BenchError as error:
                print(f"  {name}: {error}", flush=True)
    found: Rows = {name: medians(repeats) for name, repeats in every.items() if repeats}
    bare = found.get(_BARE, {}).get("cpu_s")
    for name, row in found.items():
        if (
            isinstance(bare, (int, float))
            and isinstance(row["cpu_s"], (int, float))
            and ways[name][1] == rows
        ):
            row["speed"] = bare / row["cpu_s"]
    note = f"{rows:,} rows of eight columns; 200 JPEGs of 600 x 800 pixels in the cells of 100 rows."
    show("workbook", "Workbooks", note, columns=COLUMNS, rows=found, repeats=every, options=options)
