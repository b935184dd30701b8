"""results.csv, failed.csv and summary.json, made from result lines in the order of the rows."""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from jobs.cells import runs, safe_cell
from jobs.config.price import Price, costs
from jobs.manifest.aliases import column_of
from jobs.records import BatchStatus, Dialect, ResultLine
from jobs.results.files import Renew, replacing
from jobs.results.manifest_columns import PICTURE_COLUMNS
from jobs.units import iso

#: Columns behind the manifest's own, with the cell of each; the prefix (jobs.manifest.aliases) keeps them apart from any of
#: those.
STATUS_COLUMNS: dict[str, Callable[[ResultLine], str | None]] = {
    "vton_status": lambda line: line.status,
    "vton_image": lambda line: line.images[0].path if line.images else "",
    "vton_error": lambda line: line.error.kind if line.error else None,
    "vton_message": lambda line: line.error.message if line.error else None,
    "vton_owner": lambda line: line.error.owner if line.error else None,
    "vton_retryable": lambda line: ("yes" if line.error.retryable else "no") if line.error else None,
    "vton_request_id": lambda line: line.request_id,
    "vton_task_id": lambda line: line.task_id,
    "vton_posted_at": lambda line: line.timings.posted_at,
    "vton_flags": lambda line: " ".join(flag.id for flag in line.flags),
    "vton_file": lambda line: line.file,
}
#: Those of failed.csv: what whoever fixes it must know. A manifest's reader passes over all of ours.
REASON_COLUMNS = ("vton_error", "vton_message", "vton_owner", "vton_posted_at", "vton_file")


def write_tables(
    folder: Path,
    columns: Sequence[str],
    rows: Iterable[tuple[ResultLine, Mapping[str, str]]],
    renew: Renew,
    dialect: Dialect,
) -> Counter[str]:
    """Writes results.csv (all rows) and failed.csv (those without a picture, as a manifest to run again).

    `rows`: each one's line, and its cells by column.

    Returns:
        How many rows have each status, owner and error class, as `status:…`, `owner:…`, `class:…`; later
        versions as `retake:…`.
    """
    counts: Counter[str] = Counter()
    with (
        replacing(folder / "results.csv", renew, bom=dialect.bom) as results,
        replacing(folder / "failed.csv", renew, bom=dialect.bom) as failed,
    ):
        all_rows, gaps = (csv.writer(file, delimiter=dialect.delimiter) for file in (results, failed))
        all_rows.writerow([safe_cell(name) for name in (*columns, *STATUS_COLUMNS)])
        gaps.writerow([_again_name(name) for name in (*columns, *REASON_COLUMNS)])
        for line, cells in rows:
            status = {name: safe_cell(cell(line) or "") for name, cell in STATUS_COLUMNS.items()}
            all_rows.writerow([*(safe_cell(cells.get(name, "")) for name in columns), *status.values()])
            counts[f"status:{line.status}"] += 1
            if line.source:
                counts[f"source:{line.source}"] += 1
            counts.update(f"retake:{version.status}" for version in line.versions[1:])
            for version in line.versions[1:]:
                counts["retryable"] += version.error.retryable if version.error else 0
            counts.update(f"flag:{flag.id}" for flag in line.flags)
            if line.images:
                measures = asdict(line.measures).items()
                counts.update(f"unmeasured:{name}" for name, value in measures if value is None)
            if line.status == "succeeded":
                continue
            again = [_again_cell(name, cells.get(name, "")) for name in columns]
            gaps.writerow([*again, *(status[name] for name in REASON_COLUMNS)])
            if line.error:
                counts[f"owner:{line.error.owner}"] += 1
                counts[f"class:{line.error.kind}"] += 1
                counts["retryable"] += line.error.retryable
    return counts


def summary(status: BatchStatus, counts: Counter[str], manifest: str, price: Price) -> dict[str, Any]:
    """summary.json: the counts by status add up to the rows; `price`: of one picture."""

    def part(prefix: str) -> dict[str, int]:
        return {
            name.removeprefix(prefix): count
            for name, count in sorted(counts.items())
            if name.startswith(prefix)
        }

    return {
        "batch": status.batch_id,
        "manifest": manifest,
        "complete": status.complete,
        "rows": sum(part("status:").values()),
        "status": part("status:"),
        "retryable_rows": counts["retryable"],
        "gaps_by_owner": part("owner:"),
        "gaps_by_class": part("class:"),
        "pictures_by_source": part("source:"),
        "second_takes": part("retake:"),
        "flags": part("flag:"),
        "flags_not_computed": part("unmeasured:"),
        "reused_rows": status.reused,
        "duplicate_rows": status.duplicate,
        **status.money,
        "cost": costs(price, **status.money),
        "created_at": iso(status.created_ms),
        "completed_at": iso(status.completed_ms),
        "seconds": None
        if status.completed_ms is None
        else round((status.completed_ms - status.created_ms) / 1000, 1),
    }


def write_json(path: Path, content: dict[str, Any], renew: Renew) -> None:
    """Writes one JSON object, whole or not at all."""
    with replacing(path, renew) as file:
        json.dump(content, file, ensure_ascii=False, indent=2)
        file.write("\n")


def _again_cell(column: str, text: str) -> str:
    """A cell of failed.csv: what we read in it must be read again; blanks around it do not count."""
    if column_of(column) is None or not runs(text):
        return safe_cell(text)
    plain = text.strip()
    if column_of(column) in PICTURE_COLUMNS and runs(plain):
        return f"./{plain}"
    return safe_cell(plain)


def _again_name(name: str) -> str:
    """A column's name in failed.csv: one that we read must still be read."""
    if column_of(name) is None:
        return safe_cell(name)
    return re.sub(r"^[\s_\-\uff0d\ufeff]+", "", name) if runs(name) else name
