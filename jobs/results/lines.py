"""One row's result as it stands in results.jsonl. The field list lives here; every other file is made from these lines."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from jobs.records import BatchId, Failure, Job, JobState, Owner, SavedPicture, Slot, Url
from jobs.results.columns import extra_names, table_cells

#: A result line: every line has the same keys, and each key one JSON type or null.
ResultLine = dict[str, Any]

#: Longest part of an image's name that comes from the SKU, in bytes.
LONGEST_STEM = 80


def result_line(
    batch_id: BatchId,
    number: int,
    row: Mapping[str, Any],
    job: Job | None,
    *,
    left: str | None,
    created_ms: int,
    header: bool = True,
    extra: Sequence[str] | None = None,
) -> ResultLine:
    """The line of one row.

    Args:
        batch_id: the batch.
        number: the row's number.
        row: the row as the ledger holds it, see jobs.producing.planning.
        job: its job; None for a bad row or one that left its job.
        left: the status of a row that left its job.
        created_ms: when the batch was made; what was finished before is reused.
        header: the manifest names its columns once, so its cells are shown as they are, see jobs.results.columns.
        extra: names of the batch's columns that pass through; None: those of this row.
    """
    bad = row.get("bad")
    sku = row["sku"]
    line: ResultLine = {
        "batch": batch_id,
        "row": number,
        "line": row["line"],
        "sku": sku,
        "request_id": job.request_id if job else None,
        "status": job.state.value if job else ("invalid" if bad else left or "cancelled"),
        "task_id": job.task_id if job else None,
        "sub_task_ids": list(job.sub_task_ids) if job else [],
        "past_task_ids": list(job.past_task_ids) if job else [],
        "attempts": job.attempts if job else 0,
        "images": _images(number, sku, job),
        "error": _error(_failure(bad, job, left)),
        "timings": _timings(job),
        "source": _source(job, created_ms),
        "inputs": _inputs(job),
        "extra": {
            name: row["fields"].get(name) for name in (extra_names(row["fields"]) if extra is None else extra)
        },
        "fields": table_cells(row, header=header),
    }
    return line


def written(line: ResultLine) -> str:
    """The line as results.jsonl has it; `fields` are for the tables."""
    return json.dumps({name: value for name, value in line.items() if name != "fields"}, ensure_ascii=False)


def image_path(number: int, sku: str, index: int, picture: SavedPicture) -> str:
    """Where a row's picture lies in the batch folder: `images/<sku>_<row>.<ext>`, `…-2` for a second picture.

    The row's number makes it the row's own whatever the SKU is; only letters, digits and `.-_` of the SKU stay.
    """
    stem = re.sub(r"[^\w.-]+", "_", sku).strip("._-")
    stem = stem.encode()[:LONGEST_STEM].decode(errors="ignore")
    extension = picture.name.rpartition(".")[2]
    more = f"-{index + 1}" if index else ""
    return f"images/{stem or 'row'}_{number:04d}{more}.{extension}"


def _images(number: int, sku: str, job: Job | None) -> list[dict[str, Any]]:
    if job is None or job.state is not JobState.SUCCEEDED:
        return []
    return [
        {
            "path": image_path(number, sku, index, picture),
            "url": picture.url,
            "sha256": picture.sha256,
            "width": picture.width,
            "height": picture.height,
            "bytes": picture.bytes,
        }
        for index, picture in enumerate(job.pictures)
    ]


def _failure(bad: Mapping[str, str] | None, job: Job | None, left: str | None) -> Failure | None:
    if bad:
        why = f"{bad['column']}: {bad['why']}" if bad["column"] else bad["why"]
        return Failure(kind="row_invalid", message=why, retryable=False, owner=Owner.MERCH)
    if job is None:
        return _cancelled() if left in {None, "cancelled"} else None
    if job.state is JobState.CANCELLED:
        return _cancelled()
    if job.state is JobState.UNKNOWN and job.failure is not None and job.posted_ms is not None:
        return replace(job.failure, message=f"{job.failure.message}; sent at {iso(job.posted_ms)}")
    return job.failure


def _cancelled() -> Failure:
    return Failure(
        kind="cancelled",
        message="the batch was cancelled before it was submitted",
        retryable=True,
        owner=Owner.OPS,
    )


def _error(failure: Failure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {
        "class": failure.kind,
        "code": failure.code,
        "message": failure.message,
        "retryable": failure.retryable,
        "owner": failure.owner.value,
    }


def _timings(job: Job | None) -> dict[str, Any]:
    if job is None:
        return dict.fromkeys(("queued_at", "posted_at", "submitted_at", "finished_at", "task_s"))
    task_s = None
    if job.submitted_ms is not None and job.ended_ms is not None:
        task_s = round((job.ended_ms - job.submitted_ms) / 1000, 3)
    return {
        "queued_at": iso(job.queued_ms),
        "posted_at": iso(job.posted_ms),
        "submitted_at": iso(job.submitted_ms),
        "finished_at": iso(job.finished_ms),
        "task_s": task_s,
    }


def _source(job: Job | None, created_ms: int) -> str | None:
    if job is None or job.state is not JobState.SUCCEEDED:
        return None
    if job.finished_ms is not None and job.finished_ms <= created_ms:
        return "reused"
    return job.source or "poll"


def _inputs(job: Job | None) -> dict[str, str | None]:
    """Every slot; None for those that are not filled."""
    inputs: dict[str, str | None] = dict.fromkeys(slot.value for slot in Slot)
    for slot, source in job.pair.slots() if job else ():
        inputs[slot.value] = source.url if isinstance(source, Url) else source.shown
    return inputs


def iso(ms: int | None) -> str | None:
    """Milliseconds since the epoch as ISO 8601 in UTC."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
