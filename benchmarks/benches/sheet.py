"""The contact sheet: what it costs to write, and how it feels in Chromium with few and with very many rows."""

from benchmarks.benches.once import measured_once
from benchmarks.benches.options import Options
from benchmarks.benches.print import Rows, show
from benchmarks.frame.processes import BenchError
from benchmarks.frame.stats import Value, medians

COLUMNS = [
    ("write_ms", "write, CPU-ms a row", ".3f"),
    ("first_ms", "first cards, ms", ".0f"),
    ("all_ms", "all rows, ms", ".0f"),
    ("search_ms", "search, ms", ".1f"),
    ("frame_ms", "longest frame of a scroll, ms", ".0f"),
    ("cards", "cards drawn at most", ".0f"),
    ("heap_mb", "JavaScript's memory, MB", ".0f"),
    ("judged", "pictures judged by keys", ".0f"),
    ("kept", "of these there after a reload", ".0f"),
]


def run(options: Options) -> None:
    """Sheets of two sizes, each in a browser of its own."""
    sizes = (300, 1_000) if options.quick else (5_000, 50_000)
    keys = 20 if options.quick else 1_000
    names = {size: f"{size:,} rows" for size in sizes}
    every: dict[str, list[dict[str, Value]]] = {name: [] for name in names.values()}
    for _ in range(options.repeats):
        for size, name in names.items():
            if options.wants(name):
                pressed = str(keys if size == sizes[0] else 0)
                try:
                    every[name].append(
                        measured_once("benchmarks.benches.sheet_once", str(size), pressed, timeout_s=900)
                    )
                except BenchError as error:
                    print(f"  {name}: {error}", flush=True)
    rows: Rows = {name: medians(repeats) for name, repeats in every.items() if repeats}
    note = (
        "Chromium without a window, pages by file://, 1,280 x 900 pixels; 200 different pictures, thumbnails made"
        " before, as while collecting; a scroll of 60 pixels a frame; two tabs judge in turns, the second half into a"
        " full localStorage."
    )
    show("sheet", "The contact sheet", note, columns=COLUMNS, rows=rows, repeats=every, options=options)
