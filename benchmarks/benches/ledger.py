"""What a job that has its picture takes in Redis, by whether its hash may be packed."""

import json
import shutil
import tempfile
from pathlib import Path

from benchmarks.benches.options import Options
from benchmarks.benches.print import Rows, show
from benchmarks.frame.ours import Ours
from benchmarks.frame.processes import ROOT, BenchError, environment, tail
from benchmarks.frame.processes import run as run_command
from benchmarks.frame.services import redis_server
from benchmarks.frame.stats import Value

COLUMNS = [
    ("all", "bytes a job", ".0f"),
    ("job", "its hash", ".0f"),
    ("rows", "its row", ".0f"),
    ("tasks", "its task's id", ".0f"),
    ("out", "its end in the outbox", ".0f"),
]
#: What is packed: of values up to so many bytes. The second is Redis' own setting.
PACKED = (1024, 64)


def run(options: Options) -> None:
    """The same jobs by each build's scripts; bytes do not scatter, so once."""
    jobs = 100 if options.quick else 3000
    rows: Rows = {}
    for kind in options.chosen([Ours]):
        if issubclass(kind, Ours):
            for packed in PACKED:
                rows[f"{kind.name}, packed up to {packed}"] = _measured(kind, packed, jobs, options)
    note = f"{jobs} jobs of addresses through all steps; MEMORY USAGE of all keys that do not expire."
    show("ledger", "Bytes of a finished job", note, columns=COLUMNS, rows=rows, repeats={}, options=options)


def _measured(kind: type[Ours], packed: int, jobs: int, options: Options) -> dict[str, Value]:
    folder = Path(tempfile.mkdtemp(prefix="vton-bench-"))
    try:
        with redis_server(folder / "redis", options.aof) as redis:
            redis.client.config_set("hash-max-ziplist-value", packed)
            once, log = ROOT / "benchmarks" / "benches" / "ledger_once.py", folder / "log"
            env = environment({"PYTHONPATH": str(kind.checkout)})
            command = [kind.python(), str(once), f"{redis.url}/1", str(jobs)]
            run_command(command, env=env, cwd=folder, log=log, timeout_s=600)
            lines = log.read_text().splitlines()
            if not lines:
                raise BenchError(tail(log))
            numbers: dict[str, Value] = json.loads(lines[-1])
            return numbers
    finally:
        shutil.rmtree(folder, ignore_errors=True)
