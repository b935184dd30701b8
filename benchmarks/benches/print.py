"""A bench's table on stdout and its numbers in benchmarks/results/."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.benches.options import Options
from benchmarks.frame.stats import Value, machine, save, table

Rows = dict[str, dict[str, Value]]


def show(
    name: str,
    title: str,
    note: str,
    *,
    columns: Sequence[tuple[str, str, str]],
    rows: Rows,
    repeats: Mapping[str, Any],
    options: Options,
    load: Any = None,
) -> None:
    """Prints the medians and saves everything."""
    where = machine()
    runs = f"Medians of {options.repeats} runs in turns" if options.repeats > 1 else "One run"
    smoke = " **A smoke run: its numbers mean nothing.**" if options.quick else ""
    print(
        f"\n### {title}\n\n{note} {runs}; {where['cores']} cores, Python {where['python']}, Redis {where['redis']},"
    )
    print(f"appendfsync {options.aof}.{smoke}\n\n{table(columns, rows)}\n", flush=True)
    content = {
        "bench": name,
        "note": note,
        "machine": where,
        "options": asdict(options) | {"before": str(options.before or "")},
        "load": asdict(load) if load is not None else None,
        "medians": rows,
        "repeats": repeats,
    }
    save(f"{name}-quick" if options.quick else name, content)


def ratio(rows: Rows, key: str, base: str, into: str) -> None:
    """Adds each row's value over the base's."""
    floor = rows.get(base, {}).get(key)
    for values in rows.values():
        value = values.get(key)
        if isinstance(value, (int, float)) and isinstance(floor, (int, float)) and floor:
            values[into] = value / floor
