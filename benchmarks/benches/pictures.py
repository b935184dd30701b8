"""What it costs a command to look at local pictures: the first one, and all that come later."""

import shutil
import tempfile
import time
from pathlib import Path

from benchmarks.benches.options import Options
from benchmarks.benches.print import Rows, show
from benchmarks.frame.contenders import Ground
from benchmarks.frame.load import Load
from benchmarks.frame.ours import Ours
from benchmarks.frame.photographs import photograph, write_pairs, write_photographs
from benchmarks.frame.processes import BenchError, Ran, environment
from benchmarks.frame.processes import run as run_command
from benchmarks.frame.services import redis_server
from benchmarks.frame.stats import Value, medians

COLUMNS = [
    ("plan_ms", "`plan`, ms a picture", ".2f"),
    ("plan_cpu_ms", "CPU-ms", ".2f"),
    ("plan_again_ms", "again", ".3f"),
    ("enqueue_ms", "`enqueue`", ".3f"),
    ("enqueue_again_ms", "again", ".3f"),
    ("twice_cpu_ms", "22,000 small ones, 2 people: CPU-ms a picture", ".2f"),
    ("once_cpu_ms", "1 person", ".2f"),
    ("peak_mb", "peak MB", ".0f"),
]
COMMANDS = {
    "plan_ms": "plan",
    "plan_again_ms": "plan",
    "enqueue_ms": "enqueue",
    "enqueue_again_ms": "enqueue",
}
#: A file that has just been written is read again by the next command, too.
_OLD_ENOUGH_S = 3.0


class Reader(Ours):
    """The commands that read manifests; no worker runs."""

    name = "ours"

    def _site(self) -> dict[str, str]:
        """Its pictures lie where the bench has them."""
        return super()._site() | {"VTON_PICTURES__ROOTS": f'["{self.ground.folder.parent}"]'}


def run(options: Options) -> None:
    """Both builds look at the same files, in turns; a command over addresses is taken off, so that no start counts."""
    kinds = [kind for kind in options.chosen([Reader]) if issubclass(kind, Reader)]
    every: dict[str, list[dict[str, Value]]] = {kind.name: [] for kind in kinds}
    folder = Path(tempfile.mkdtemp(prefix="vton-bench-"))
    try:
        many, small = (20, 200) if options.quick else (200, 22_000)
        large = write_photographs(folder / "large", many + 1, photograph())
        little = write_photographs(folder / "small", small + 2, photograph(0.02))
        write_pairs(folder / "large.csv", large[:1], large[1:])
        write_pairs(folder / "once.csv", little[:1], little[2:])
        write_pairs(folder / "twice.csv", little[:2], little[2:])
        for rows, name in ((many, "large"), (small, "once"), (2 * small, "twice")):
            lines = [f"{n},https://shop.example/p.jpg,https://shop.example/{n}.jpg" for n in range(rows)]
            (folder / f"{name}-addresses.csv").write_text("\n".join(["sku,person,dress", *lines, ""]))
        time.sleep(_OLD_ENOUGH_S)
        for _ in range(options.repeats):
            for kind in kinds:
                try:
                    every[kind.name].append(
                        _measured(kind, folder, {"large": many, "once": small, "twice": 2 * small}, options)
                    )
                except BenchError as error:
                    print(f"  {kind.name}: {error}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rows: Rows = {name: medians(repeats) for name, repeats in every.items() if repeats}
    note = (
        f"{many} JPEGs of 12 megapixels and 3.6 MB, `plan` and `enqueue` twice each with one data folder;"
        f" {small:,} of 20 KB, one person after the other. The same command over addresses is taken off."
    )
    show("pictures", "Local pictures", note, columns=COLUMNS, rows=rows, repeats=every, options=options)


def _measured(kind: type[Reader], folder: Path, counts: dict[str, int], options: Options) -> dict[str, Value]:
    numbers: dict[str, Value] = {}
    peak = 0.0
    with (
        tempfile.TemporaryDirectory(prefix="own-", dir=folder) as own,
        redis_server(Path(own) / "redis", options.aof) as redis,
    ):
        ground = Ground(
            load=Load(jobs=0),
            vendor_url="http://127.0.0.1:9",
            redis_url=redis.url,
            redis=redis.client,
            folder=Path(own),
        )
        reader = kind(ground)
        for key, command in COMMANDS.items():
            ran = _ran(reader, command, folder / "large.csv")
            bare = _ran(reader, command, folder / "large-addresses.csv")
            numbers[key] = (ran.wall_s - bare.wall_s) / counts["large"] * 1000
            numbers.setdefault("plan_cpu_ms", (ran.cpu_s - bare.cpu_s) / counts["large"] * 1000)
            peak = max(peak, ran.peak_mb)
            print(
                f"  {kind.name}, {command}: {ran.wall_s:.2f} s, over addresses {bare.wall_s:.2f} s",
                flush=True,
            )
        numbers["peak_mb"] = peak
        for name in ("twice", "once"):
            shutil.rmtree(ground.out, ignore_errors=True)
            ran = _ran(reader, "plan", folder / f"{name}.csv")
            bare = _ran(reader, "plan", folder / f"{name}-addresses.csv")
            numbers[f"{name}_cpu_ms"] = (ran.cpu_s - bare.cpu_s) / counts["once"] * 1000
    return numbers


def _ran(reader: Reader, command: str, manifest: Path) -> Ran:
    own = reader.ground.folder
    line = [*reader.vton(), command, str(manifest)]
    return run_command(line, env=environment(reader.env()), cwd=own, log=own / "log", timeout_s=3600)
