"""Medians, quantiles and markdown tables."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.frame.processes import ROOT

Value = float | int | str | None


def quantile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank quantile; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]


def medians(repeats: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    """Key by key: the median of the numbers, the first of anything else."""
    merged: dict[str, Value] = {}
    for key in repeats[0]:
        values = [repeat[key] for repeat in repeats if repeat.get(key) is not None]
        numbers = [value for value in values if isinstance(value, (int, float))]
        merged[key] = (
            median(numbers) if numbers and len(numbers) == len(values) else (values[0] if values else None)
        )
    return merged


def table(columns: Sequence[tuple[str, str, str]], rows: Mapping[str, Mapping[str, Value]]) -> str:
    """A markdown table; `columns` are (key, heading, format such as `.3f`)."""
    lines = ["| contender | " + " | ".join(heading for _, heading, _ in columns) + " |"]
    lines.append("|---|" + "---:|" * len(columns))
    for name, values in rows.items():
        lines.append(
            f"| {name} | " + " | ".join(_cell(values.get(key), form) for key, _, form in columns) + " |"
        )
    return "\n".join(lines)


def _cell(value: Value, form: str) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else format(value, form)


def machine() -> dict[str, Any]:
    """Where and with what it ran; nothing that names the machine."""
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=False)
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "redis": redis.stdout.split("v=")[-1].split(" ")[0] if redis.returncode == 0 else None,
        "load_1m": round(os.getloadavg()[0], 2),
        "date": time.strftime("%Y-%m-%d"),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


def save(name: str, content: Mapping[str, Any]) -> Path:
    """Writes benchmarks/results/<name>.json and gives its path."""
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return path
