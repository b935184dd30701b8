"""What it costs to build and send a submit whose pictures are 2 MB files."""

from benchmarks.benches.once import measured_once
from benchmarks.benches.options import Options
from benchmarks.benches.print import Rows, show
from benchmarks.frame.processes import BenchError
from benchmarks.frame.stats import Value, medians

COLUMNS = [
    ("build_ms", "build, CPU-ms a submit", ".2f"),
    ("send_ms", "build and write to a socket, CPU-ms", ".2f"),
    ("to_naive", "÷ naive", ".2f"),
    ("mb", "MB a body", ".1f"),
    ("peak_mb", "peak MB", ".0f"),
]
WAYS = {"naive": "read + b64encode + json.dumps", "ours": "ours", "ours-cold": "ours, every picture new"}


def run(options: Options) -> None:
    """A batch's shape: few people, many garments, each garment on each person."""
    every: dict[str, list[dict[str, Value]]] = {name: [] for name in WAYS.values()}
    submits = 20 if options.quick else 200
    for _ in range(options.repeats):
        for way, name in WAYS.items():
            if options.wants(name):
                try:
                    every[name].append(
                        measured_once("benchmarks.benches.bodies_once", way, str(submits), timeout_s=300)
                    )
                except BenchError as error:
                    print(f"  {name}: {error}", flush=True)
    rows: Rows = {name: medians(repeats) for name, repeats in every.items() if repeats}
    naive = rows.get(WAYS["naive"], {}).get("send_ms")
    for row in rows.values():
        if isinstance(naive, (int, float)) and isinstance(row["send_ms"], (int, float)):
            row["to_naive"] = row["send_ms"] / naive
    note = f"{submits} submits, a person and a dress of 2 MB each as local files; each dress on each of 4 people."
    show(
        "bodies",
        "Bodies with local pictures",
        note,
        columns=COLUMNS,
        rows=rows,
        repeats=every,
        options=options,
    )
