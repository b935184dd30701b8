"""One row's result as it stands in results.jsonl. Every other file is made from these lines."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from jobs.ledger.codec import decode, encode
from jobs.ledger.records import BadCell, RowRecord
from jobs.records import (
    BatchId,
    Failure,
    Image,
    Inputs,
    Job,
    JobState,
    Owner,
    Picture,
    ResultLine,
    RowError,
    Settled,
    Timings,
    Url,
)
from jobs.results.manifest_columns import extra_names
from jobs.units import iso

#: Longest part of an image's name that comes from the SKU, in bytes.
LONGEST_STEM = 80


def result_line(
    batch_id: BatchId,
    number: int,
    row: RowRecord,
    job: Job | None,
    *,
    left: str | None,
    created_ms: int,
    manifest: str = "",
    extra: Sequence[str] | None = None,
    version: int = 1,
) -> ResultLine:
    """The line of one row.

    Args:
        batch_id: the batch.
        number: the row's number.
        row: the row as the ledger holds it.
        job: its job; None for a bad row or one that left its job.
        left: the status of a row that left its job.
        created_ms: when the batch was made; what was finished before is reused.
        manifest: the batch's manifest, where it has one only.
        extra: names of the batch's columns that pass through; None: those of this row.
        version: which version of the row's picture `job` is.
    """
    failure = _failure(row.bad, job, left)
    common: dict[str, Any] = {
        "batch": batch_id,
        "row": number,
        "file": row.file or manifest,
        "line": row.line,
        "sku": row.sku,
        "version": version,
        "error": RowError(**asdict(failure)) if failure else None,
        "extra": {
            name: row.fields.get(name) for name in (extra_names(row.fields) if extra is None else extra)
        },
    }
    if job is None:
        return ResultLine(status="invalid" if row.bad else left or "cancelled", **common)
    return ResultLine(
        request_id=job.request_id,
        status=job.state.value,
        task_id=job.task_id,
        sub_task_ids=job.sub_task_ids,
        past_task_ids=job.past_task_ids,
        attempts=job.attempts,
        images=_images(number, row.sku, job, version),
        timings=_timings(job),
        source=_source(job, created_ms),
        inputs=_inputs(job),
        settled=_settled(job),
        **common,
    )


def written(line: ResultLine) -> str:
    """The line as results.jsonl has it."""
    return msgspec.json.format(encode(line), indent=0)


def read_line(raw: bytes) -> ResultLine | None:
    """The inverse; None for the checkpoint that versions up to 0.1 wrote behind their lines. Raises ValueError."""
    try:
        return decode(raw, ResultLine)
    except ValueError:
        if "status" in decode(raw, dict[str, Any]):
            raise
        return None


def image_path(number: int, sku: str, index: int, picture: Picture, version: int = 1) -> str:
    """Where a row's picture lies in the batch folder: `images/<sku>_<row>.<ext>`.

    `…__v2` for a second version, `…-2` for a second picture.

    The row's number makes it the row's own whatever the SKU is; only letters, digits and `.-_` of the SKU stay.
    """
    stem = re.sub(r"[^\w.-]+", "_", sku).strip("._-")
    stem = stem.encode()[:LONGEST_STEM].decode(errors="ignore")
    extension = picture.name.rpartition(".")[2]
    more = (f"__v{version}" if version > 1 else "") + (f"-{index + 1}" if index else "")
    return f"images/{stem or 'row'}_{number:04d}{more}.{extension}"


def _images(number: int, sku: str, job: Job, version: int) -> tuple[Image, ...]:
    if job.state is not JobState.SUCCEEDED:
        return ()
    return tuple(
        Image(
            path=image_path(number, sku, index, picture, version),
            url=picture.url,
            sha256=picture.sha256,
            width=picture.width,
            height=picture.height,
            bytes=picture.bytes,
        )
        for index, picture in enumerate(job.pictures)
    )


def _failure(bad: BadCell | None, job: Job | None, left: str | None) -> Failure | None:
    if bad:
        why = f"{bad.column}: {bad.why}" if bad.column else bad.why
        return Failure(kind="row_invalid", message=why, retryable=False, owner=Owner.MERCH)
    if (left in {None, "cancelled"}) if job is None else job.state is JobState.CANCELLED:
        why = "the batch was cancelled before it was submitted"
        return Failure(kind="cancelled", message=why, retryable=True, owner=Owner.OPS)
    if job is None:
        return None
    if job.state is JobState.UNKNOWN and job.failure is not None:
        when = f"; look for it at {iso(job.posted_ms)} on HiDream's bill" if job.posted_ms is not None else ""
        # It may have been bought: a person decides, whatever an older ledger says.
        return replace(job.failure, message=f"{job.failure.message}{when}", retryable=False)
    return job.failure


def _timings(job: Job) -> Timings:
    task_s = None
    if job.submitted_ms is not None and job.ended_ms is not None:
        task_s = round((job.ended_ms - job.submitted_ms) / 1000, 3)
    return Timings(
        queued_at=iso(job.queued_ms),
        posted_at=iso(job.posted_ms),
        submitted_at=iso(job.submitted_ms),
        finished_at=iso(job.finished_ms),
        task_s=task_s,
    )


def _settled(job: Job) -> tuple[Settled, ...]:
    return tuple(
        Settled(
            outcome=one.outcome,
            task_id=one.task_id,
            posted_at=iso(one.posted_ms),
            by=one.by,
            at=iso(one.at_ms) or "",
        )
        for one in job.settled
    )


def _source(job: Job, created_ms: int) -> str | None:
    if job.state is not JobState.SUCCEEDED:
        return None
    if job.finished_ms is not None and job.finished_ms <= created_ms:
        return "reused"
    return job.source or "poll"


def _inputs(job: Job) -> Inputs:
    slots = job.pair.slots()
    return Inputs(**{slot: of.url if isinstance(of, Url) else of.shown for slot, of in slots})
