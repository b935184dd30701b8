"""`vton recover`: what the results of a batch still know of a ledger that is lost or older. Buys nothing."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from msgspec.structs import asdict

from jobs.ledger import Ledger
from jobs.ledger.codec import encode_pair, job_fields
from jobs.ledger.recovery import Brought, Finding, bring_in
from jobs.ledger.verdicts import add_verdicts
from jobs.records import (
    PAID_LOSSES,
    BatchId,
    Failure,
    Image,
    JobState,
    LocalFile,
    Pair,
    Picture,
    RequestId,
    ResultLine,
    Settled,
    Settlement,
    Source,
    Url,
)
from jobs.results.lines import read_line
from jobs.results.versions import as_version
from jobs.whole_files import on_disk

#: Failures of paid tasks whose picture may still be had; the last two: our own store has lost it.
STILL_THERE = PAID_LOSSES | {"picture_missing", "picture_damaged"}


def recover_batch(ledger: Ledger, folder: Path, store: Path) -> Counter[str]:
    """Brings in every job that the results of a batch folder know.

    Args:
        ledger: the new or older one.
        folder: the batch's; its own pictures fill gaps of the store.
        store: the picture store.

    Returns:
        Jobs by what became of them: the state brought in, `known` or `clash`; `unreadable` lines;
        `second_takes` among the jobs.
    """
    counts: Counter[str] = Counter()
    with (folder / "results.jsonl").open("rb") as lines:
        for raw in lines:
            try:
                line = read_line(raw)
            except ValueError:
                counts["unreadable"] += 1
                continue
            if line is not None and line.review:
                add_verdicts(ledger, BatchId(line.batch), line.review)
            if line is not None and line.versions[1:]:
                counts["second_takes"] += len(line.versions) - 1
            for one in _versions(line) if line is not None else ():
                if (finding := _finding(one, folder, store)) is not None:
                    brought = ledger.run(bring_in(finding))
                    counts[finding.state.value if brought is Brought.IN else brought.name.lower()] += 1
    return counts


def _versions(line: ResultLine) -> list[ResultLine]:
    """A line for each job that it tells of: each version was bought by one of its own."""
    return [as_version(line, version) for version in line.versions] or [line]


def _finding(line: ResultLine, folder: Path, store: Path) -> Finding | None:
    """What a line proves to have been bought, perhaps; None when nothing was."""
    task_id, status, error = line.task_id, line.status, line.error
    if not line.request_id or not (task_id or status in {"unknown", "submitting"}):
        return None
    pictures = _pictures(line.images, folder, store)
    if status in {"unknown", "submitting"}:
        # A task that two jobs share is neither's.
        state, task_id = JobState.UNKNOWN, None
    elif status == "succeeded" and pictures:
        state = JobState.SUCCEEDED
    elif status == "rejected" or (status == "failed" and not (error and error.kind in STILL_THERE)):
        state = JobState(status)
    else:
        state = JobState.SUBMITTED
    times, inputs = line.timings, asdict(line.inputs)
    return Finding(
        request_id=RequestId(line.request_id),
        state=state,
        task_id=task_id or None,
        pair=encode_pair(Pair(**{slot: _source(text) for slot, text in inputs.items() if text})),
        fields=job_fields(
            sub_task_ids=line.sub_task_ids,
            past_task_ids=line.past_task_ids,
            settled=tuple(map(_settlement, line.settled)),
            attempts=line.attempts,
            source=line.source,
            queued_ms=_ms(times.queued_at),
            posted_ms=_ms(times.posted_at),
            submitted_ms=_ms(times.submitted_at),
            finished_ms=_ms(times.finished_at),
            pictures=pictures if state is JobState.SUCCEEDED else (),
            failure=Failure(**asdict(error)) if error and state is not JobState.SUBMITTED else None,
        ),
    )


def _settlement(one: Settled) -> Settlement:
    return Settlement(
        outcome=one.outcome,
        task_id=one.task_id,
        posted_ms=_ms(one.posted_at),
        by=one.by,
        at_ms=_ms(one.at) or 0,
    )


def _source(text: str) -> Source:
    """The picture as results name it. Neither the content that a file had, nor whether a JPEG was made of it, stands there.

    So it has no digest, and no worker sends it, until a row of a manifest that asks for the pair brings it whole: admit.lua.
    """
    is_address = text.startswith(("http://", "https://"))
    return Url(url=text) if is_address else LocalFile(path=text, sha256="")


def _pictures(images: Iterable[Image], folder: Path, store: Path) -> list[Picture]:
    """A line's pictures when every one is whole in the store, or in the batch folder, from where it is put back."""
    found = []
    for image in images:
        name = f"{image.sha256}.{image.path.rpartition('.')[2]}"
        place = store / name[:2] / name
        if not _whole(place, image):
            if not _whole(folder / image.path, image):
                return []
            _put_back(folder / image.path, place)
        known = {key: value for key, value in asdict(image).items() if key in Picture.__struct_fields__}
        found.append(Picture(name=name, **known))
    return found


def _whole(path: Path, image: Image) -> bool:
    return path.is_file() and path.stat().st_size == image.bytes and _digest(path) == image.sha256


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put_back(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with on_disk(place) as target, source.open("rb") as file:
        shutil.copyfileobj(file, target)


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
