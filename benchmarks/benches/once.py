"""One measurement in a process of its own, by the product's Python."""

import json
import shutil
import tempfile
from pathlib import Path

from benchmarks.frame.contenders import product_python
from benchmarks.frame.processes import BenchError, environment, tail
from benchmarks.frame.processes import run as run_command
from benchmarks.frame.stats import Value


def measured_once(module: str, *words: str, timeout_s: float) -> dict[str, Value]:
    """Runs `module WORDS FOLDER`, whose last line is JSON; with the process' peak memory, `peak_mb`.

    Raises:
        BenchError: it said nothing.
    """
    folder = Path(tempfile.mkdtemp(prefix="vton-bench-"))
    log = folder / "log"
    command = [product_python(), "-m", module, *words, str(folder)]
    try:
        ran = run_command(command, env=environment({}), cwd=folder, log=log, timeout_s=timeout_s)
        lines = log.read_text().splitlines()
        if not lines:
            raise BenchError(tail(log))
        numbers: dict[str, Value] = json.loads(lines[-1])
        return numbers | {"peak_mb": ran.peak_mb}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
