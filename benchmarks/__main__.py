"""`python -m benchmarks [BENCH …] [--quick]`: runs the benches and prints their tables; `run.sh` prepares the rest."""

import argparse
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

from benchmarks.benches.options import Options
from benchmarks.frame.contenders import product_python

BENCHES = (
    "bound",
    "slots",
    "rate",
    "overhead",
    "defaults",
    "edges",
    "watched",
    "enqueue",
    "ledger",
    "replicas",
    "bodies",
    "feed",
    "workbook",
    "flags",
    "pictures",
    "posts",
    "sheet",
    "delivery",
)
#: These call the product's own functions, so its Python runs them.
BY_PRODUCT = frozenset({"flags"})


def main() -> None:
    """Reads the command line and runs what it names."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Benchmarks beside baselines, in one run."
    )
    parser.add_argument("bench", nargs="*", help=f"{', '.join(BENCHES)}; none: all")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke of under a minute; its numbers mean nothing"
    )
    parser.add_argument(
        "--repeats", type=int, default=0, help="runs per contender, in turns (default 3; quick: 1)"
    )
    parser.add_argument(
        "--aof", choices=("no", "everysec", "always"), default="everysec", help="of every Redis alike"
    )
    parser.add_argument("--only", default="", help="words of contenders' names, comma-separated: floor,ours")
    parser.add_argument(
        "--before",
        type=Path,
        help="a checkout of an earlier build with its own .venv, run in turns with this one",
    )
    given = parser.parse_args()
    if unknown := [name for name in given.bench if name not in BENCHES]:
        parser.error(f"no such bench: {', '.join(unknown)}")
    options = Options(
        quick=given.quick,
        repeats=given.repeats or (1 if given.quick else 3),
        aof=given.aof,
        before=given.before and given.before.resolve(),
        only=tuple(word.strip().lower() for word in given.only.split(",") if word.strip()),
    )
    for name in given.bench or BENCHES:
        began = time.monotonic()
        print(f"{name} …", flush=True)
        if name in BY_PRODUCT and Path(sys.executable) != Path(product_python()):
            subprocess.run(
                [product_python(), "-m", "benchmarks", name, *["--quick"][: given.quick]], check=True
            )
        else:
            import_module(f"benchmarks.benches.{name}").run(options)
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
