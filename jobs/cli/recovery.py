"""`vton recover`: what the results of a batch still know of a ledger that is lost or older. Buys nothing."""

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from jobs.ledger import Ledger
from jobs.ledger.codec import encode, encode_failure, encode_pair, encode_pictures
from jobs.ledger.recovery import Brought, Finding, bring_in
from jobs.records import (
    PAID_LOSSES,
    Failure,
    JobState,
    LocalFile,
    Owner,
    Pair,
    RequestId,
    SavedPicture,
    Source,
    TaskId,
    Url,
)

#: Failures of paid tasks whose picture may still be had; the last two: our own store has lost it.
STILL_THERE = PAID_LOSSES | {"picture_missing", "picture_damaged"}


def recover_batch(ledger: Ledger, folder: Path, store: Path) -> Counter[str]:
    """Brings in every job that the results of a batch folder know.

    Args:
        ledger: the new or older one.
        folder: the batch's; its own pictures fill gaps of the store.
        store: the picture store.

    Returns:
        Jobs by what became of them: the state brought in, `known` or `clash`; `unreadable` lines.
    """
    counts: Counter[str] = Counter()
    with (folder / "results.jsonl").open("rb") as lines:
        for raw in lines:
            try:
                finding = _finding(json.loads(raw), folder, store)
            except (ValueError, KeyError, TypeError, AttributeError):
                counts["unreadable"] += 1
                continue
            if finding is not None:
                brought = ledger.run(bring_in(finding))
                counts[finding.state.value if brought is Brought.IN else brought.name.lower()] += 1
    return counts


def _finding(line: Mapping[str, Any], folder: Path, store: Path) -> Finding | None:
    """What a line proves to have been bought, perhaps; None when nothing was."""
    task_id, status = line.get("task_id"), line.get("status")
    if not line.get("request_id") or not (task_id or status in {"unknown", "submitting"}):
        return None
    error = line.get("error") or {}
    pictures = _pictures(line, folder, store)
    if status in {"unknown", "submitting"}:
        # A task that two jobs share is neither's.
        state, task_id = JobState.UNKNOWN, None
    elif status == "succeeded" and pictures:
        state = JobState.SUCCEEDED
    elif status == "rejected" or (status == "failed" and error.get("class") not in STILL_THERE):
        state = JobState(status)
    else:
        state = JobState.SUBMITTED
    times = line.get("timings") or {}
    fields = {
        "subs": encode(line.get("sub_task_ids") or []),
        "past": " ".join(line.get("past_task_ids") or ()),
        "attempts": int(line.get("attempts") or 0),
        "source": line.get("source") or "",
        "queued_ms": _ms(times.get("queued_at")),
        "begun_ms": _ms(times.get("posted_at")),
        "submitted_ms": _ms(times.get("submitted_at")),
        "finished_ms": _ms(times.get("finished_at")),
        "pictures": encode_pictures(pictures) if state is JobState.SUCCEEDED else "",
        "failure": _failure(error) if error and state is not JobState.SUBMITTED else "",
    }
    return Finding(
        request_id=RequestId(line["request_id"]),
        state=state,
        task_id=TaskId(task_id) if task_id else None,
        pair=encode_pair(Pair(**{slot: _source(text) for slot, text in line["inputs"].items() if text})),
        fields={name: value for name, value in fields.items() if value not in {"", None}},
    )


def _failure(error: Mapping[str, Any]) -> str:
    return encode_failure(
        Failure(
            kind=error["class"],
            code=error.get("code"),
            message=error["message"],
            retryable=error["retryable"],
            owner=Owner(error["owner"]),
        )
    )


def _source(text: str) -> Source:
    if text.startswith(("http://", "https://")):
        return Url(url=text)
    path = Path(text)
    # One that is gone or changed has no digest: should a person buy the pair again, the worker refuses it by name.
    return LocalFile(path=text, sha256=_digest(path) if path.is_file() else "")


def _pictures(line: Mapping[str, Any], folder: Path, store: Path) -> list[SavedPicture]:
    """The line's pictures when every one is whole in the store, or in the batch folder, from where it is put back."""
    found = []
    for image in line.get("images") or ():
        name = f"{image['sha256']}.{image['path'].rpartition('.')[2]}"
        place = store / name[:2] / name
        if not _whole(place, image):
            if not _whole(folder / image["path"], image):
                return []
            _put_back(folder / image["path"], place)
        sizes = {key: image[key] for key in ("url", "sha256", "width", "height", "bytes")}
        found.append(SavedPicture(name=name, **sizes))
    return found


def _whole(path: Path, image: Mapping[str, Any]) -> bool:
    return path.is_file() and path.stat().st_size == image["bytes"] and _digest(path) == image["sha256"]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put_back(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(dir=place.parent, prefix=".picture-")
    try:
        with os.fdopen(fd, "wb") as target, source.open("rb") as file:
            shutil.copyfileobj(file, target)
            target.flush()
            os.fsync(target.fileno())
        Path(name).replace(place)
    finally:
        Path(name).unlink(missing_ok=True)


def _ms(text: str | None) -> int | None:
    return None if text is None else int(datetime.fromisoformat(text).timestamp() * 1000)


def recovered_words(counts: Counter[str]) -> str:
    """What was brought in, e.g. `35 with their picture, 2 asked again`."""
    words: dict[str, str] = {
        "succeeded": "with their picture",
        "submitted": "whose task is asked again",
        "unknown": "unknown",
        "failed": "failed",
        "rejected": "rejected",
        "known": "known already",
        "clash": "whose task is another job's here",
        "unreadable": "unreadable lines",
    }
    return (
        ", ".join(f"{counts[name]} {text}" for name, text in words.items() if counts[name])
        or "nothing was bought"
    )


def result_folders(output_dir: Path) -> Iterator[Path]:
    """Folders that hold results."""
    return (results.parent for results in sorted(output_dir.glob("*/results.jsonl")))
