"""Records as the ledger's text, and back. The one place that knows the field names of a job's hash."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from jobs.records import (
    Failure,
    Job,
    JobState,
    Latency,
    LocalFile,
    Owner,
    Pair,
    RequestId,
    SavedPicture,
    Slot,
    Source,
    TaskId,
    Url,
)

_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def encode(value: Any) -> str:
    """Compact JSON; the scripts look for `"retryable":true` in it."""
    return _compact(value)


def encode_pair(pair: Pair) -> str:
    """A pair as JSON: slot → address, or [path, digest]."""
    return _compact({slot: _encode_source(source) for slot, source in pair.slots()})


def decode_pair(text: str) -> Pair:
    """The inverse of encode_pair."""
    return Pair(**{Slot(slot).value: _decode_source(source) for slot, source in json.loads(text).items()})


def _encode_source(source: Source) -> str | list[str]:
    return source.url if isinstance(source, Url) else [source.path, source.sha256]


def _decode_source(value: str | list[str]) -> Source:
    return Url(url=value) if isinstance(value, str) else LocalFile(path=value[0], sha256=value[1])


def encode_failure(failure: Failure) -> str:
    """A failure as JSON."""
    return _compact(asdict(failure))


def decode_failure(text: str) -> Failure:
    """The inverse; scripts write some themselves, with fewer fields."""
    found = json.loads(text)
    return Failure(
        kind=found["kind"],
        code=found.get("code"),
        message=found["message"],
        retryable=found["retryable"],
        owner=Owner(found["owner"]),
    )


def encode_pictures(pictures: Iterable[SavedPicture]) -> str:
    """Pictures as JSON."""
    return _compact([asdict(picture) for picture in pictures])


def decode_job(request_id: str, fields: Mapping[str, str]) -> Job:
    """A job from its hash."""
    return Job(
        request_id=RequestId(request_id),
        state=JobState(fields["state"]),
        pair=decode_pair(fields["pair"]),
        attempts=int(fields.get("attempts", 0)),
        task_failures=int(fields.get("task_failures", 0)),
        task_id=TaskId(fields["task_id"]) if fields.get("task_id") else None,
        sub_task_ids=tuple(json.loads(fields["subs"])) if fields.get("subs") else (),
        picture_urls=tuple(json.loads(fields["urls"])) if fields.get("urls") else (),
        pictures=tuple(SavedPicture(**each) for each in json.loads(fields.get("pictures", "[]"))),
        failure=decode_failure(fields["failure"]) if fields.get("failure") else None,
        source=fields.get("source", ""),
        hinted="hinted" in fields,
        polls=int(fields.get("polls", 0)),
        queued_ms=_ms(fields, "queued_ms"),
        submitted_ms=_ms(fields, "submitted_ms"),
        unanswered=int(fields.get("unanswered", 0)),
        polled_ms=_ms(fields, "polled_ms"),
        ended_ms=_ms(fields, "ended_ms"),
        finished_ms=_ms(fields, "finished_ms"),
        version=int(fields.get("v", 0)),
        refs=decode_refs(fields.get("refs", "")),
    )


def _ms(fields: Mapping[str, str], name: str) -> int | None:
    return int(float(fields[name])) if name in fields else None


def decode_latency(reply: Sequence[str | None]) -> Latency | None:
    """What the gate's hash has learnt, in the order of `learnt()` in prelude.lua."""
    mean, variance, samples, told, off_mean, off_variance, foretold = reply
    if mean is None or variance is None or samples is None:
        return None
    return Latency(
        mean=float(mean),
        variance=float(variance),
        samples=int(samples),
        told=float(told or 0),
        off_mean=float(off_mean or 0),
        off_variance=float(off_variance or 0),
        foretold=int(foretold or 0),
    )


def decode_refs(text: str) -> dict[str, tuple[int, ...]]:
    """Batch → row numbers that want this job."""
    refs = {}
    for part in filter(None, text.split(";")):
        batch, _, rows = part.partition("=")
        refs[batch] = tuple(int(number) for number in rows.split(","))
    return refs
