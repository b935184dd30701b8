"""Pictures to a store on loopback: `vton deliver` beside a bare loop of the same library."""

from benchmarks.benches.once import measured_once
from benchmarks.benches.options import Options
from benchmarks.benches.print import Rows, show
from benchmarks.frame.processes import BenchError
from benchmarks.frame.stats import Value, medians

COLUMNS = [
    ("ours_per_s", "ours, pictures a second", ".0f"),
    ("bare_per_s", "bare loop", ".0f"),
    ("to_bare", "÷ the bare loop", ".2f"),
    ("ours_cpu_ms", "ours, CPU-ms a picture", ".2f"),
    ("bare_cpu_ms", "bare loop", ".2f"),
    ("again", "a repeat ÷ the first time", ".3f"),
]
WAYS = {"pictures": "pictures alone", "sidecars": "pictures and sidecars, two objects each"}


def run(options: Options) -> None:
    """The same pictures, as many at once, by both in turns."""
    every: dict[str, list[dict[str, Value]]] = {name: [] for name in WAYS.values()}
    pictures = 200 if options.quick else 5_000
    for _ in range(options.repeats):
        for way, name in WAYS.items():
            if options.wants(name):
                try:
                    every[name].append(
                        measured_once("benchmarks.benches.delivery_once", way, str(pictures), timeout_s=1800)
                    )
                except BenchError as error:
                    print(f"  {name}: {error}", flush=True)
    rows: Rows = {name: medians(repeats) for name, repeats in every.items() if repeats}
    note = f"{pictures} JPEGs of 40 KB to moto's server, 16 at once; ours marks, verifies and notes each."
    show("delivery", "Delivery", note, columns=COLUMNS, rows=rows, repeats=every, options=options)
