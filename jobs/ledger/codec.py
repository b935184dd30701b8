"""Records as the ledger's text, and back. The one place that knows the field names of a job's hash."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

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

#: The kind of failure of a job whose hash nobody can read.
UNREADABLE = "unreadable"

T = TypeVar("T")
_PICTURE_FIELDS = tuple(SavedPicture.__dataclass_fields__)
_HALVES = re.compile("[\ud800-\udfff]")
_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


def encode(value: Any) -> str:
    """Compact JSON; the scripts look for `"retryable":true` in it."""
    return _storable(_compact(value))


def _storable(text: str) -> str:
    """JSON that UTF-8 can hold: half characters, as in names of files that are no UTF-8, stand as escapes."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _HALVES.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
    return text


def encode_path(path: str) -> str:
    """An absolute path as text that UTF-8 can hold: itself, or a JSON text when its name is no UTF-8."""
    return path if path.isprintable() else encode(path)


def decode_path(text: str) -> str:
    """The inverse of encode_path."""
    return str(json.loads(text)) if text.startswith('"') else text


def encode_pair(pair: Pair) -> str:
    """A pair as JSON: slot → address, or [path, digest]."""
    return encode({slot: _encode_source(source) for slot, source in pair.slots()})


def decode_pair(text: str) -> Pair:
    """The inverse of encode_pair."""
    return Pair(**{Slot(slot).value: _decode_source(source) for slot, source in json.loads(text).items()})


def _encode_source(source: Source) -> str | list[str]:
    return source.url if isinstance(source, Url) else [source.path, source.sha256]


def _decode_source(value: str | list[str]) -> Source:
    return Url(url=value) if isinstance(value, str) else LocalFile(path=value[0], sha256=value[1])


def encode_failure(failure: Failure) -> str:
    """A failure as JSON."""
    return encode(asdict(failure))


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
    """A job from its hash; for one that nobody can read, one without content and a failure of kind UNREADABLE stands in.

    A hash fixed by hand, or written by a newer version: whoever meets it leaves it alone and goes on with the others.
    """
    try:
        return _decode_job(request_id, fields)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        why = f"the ledger's record of this job cannot be read: {type(error).__name__}: {error}"
        state = _if_read(JobState, fields.get("state"), JobState.UNKNOWN)
        return Job(
            request_id=RequestId(request_id),
            # Without its pictures nobody may call it a success.
            state=JobState.UNKNOWN if state is JobState.SUCCEEDED else state,
            pair=Pair(person=Url(url="")),
            failure=Failure(kind=UNREADABLE, message=why[:200], retryable=False, owner=Owner.OPS),
            version=_if_read(int, fields.get("v"), 0),
            refs=_if_read(decode_refs, fields.get("refs"), {}),
        )


def _if_read(decode: Callable[[str], T], text: str | None, otherwise: T) -> T:
    try:
        return otherwise if text is None else decode(text)
    except ValueError:
        return otherwise


def _decode_job(request_id: str, fields: Mapping[str, str]) -> Job:
    return Job(
        request_id=RequestId(request_id),
        state=JobState(fields["state"]),
        pair=decode_pair(fields["pair"]),
        attempts=int(fields.get("attempts", 0)),
        task_failures=int(fields.get("task_failures", 0)),
        task_id=TaskId(fields["task_id"]) if fields.get("task_id") else None,
        sub_task_ids=tuple(json.loads(fields["subs"])) if fields.get("subs") else (),
        picture_urls=tuple(json.loads(fields["urls"])) if fields.get("urls") else (),
        pictures=tuple(map(_decode_picture, json.loads(fields.get("pictures", "[]")))),
        failure=decode_failure(fields["failure"]) if fields.get("failure") else None,
        source=fields.get("source", ""),
        hinted="hinted" in fields,
        polls=int(fields.get("polls", 0)),
        queued_ms=_ms(fields, "queued_ms"),
        posted_ms=_ms(fields, "begun_ms"),
        submitted_ms=_ms(fields, "submitted_ms"),
        asked_ms=_ms(fields, "asked_ms"),
        unanswered=int(fields.get("unanswered", 0)),
        unanswered_ms=_ms(fields, "unanswered_ms"),
        missing_ms=_ms(fields, "missing_ms"),
        missed_ms=_ms(fields, "missed_ms"),
        fetches=int(fields.get("fetches", 0)),
        fetch_failed_ms=_ms(fields, "fetch_failed_ms"),
        refused_ms=_ms(fields, "refused_ms"),
        odd=fields.get("odd", ""),
        incomplete=fields.get("incomplete", ""),
        incomplete_ms=_ms(fields, "incomplete_ms"),
        errors=int(fields.get("errors", 0)),
        past_task_ids=tuple(fields.get("past", "").split()),
        polled_ms=_ms(fields, "polled_ms"),
        ended_ms=_ms(fields, "ended_ms"),
        finished_ms=_ms(fields, "finished_ms"),
        version=int(fields.get("v", 0)),
        refs=decode_refs(fields["refs"]),
    )


def _decode_picture(found: Mapping[str, Any]) -> SavedPicture:
    """What a newer version adds to a picture is passed over."""
    return SavedPicture(**{name: found[name] for name in _PICTURE_FIELDS})


def _ms(fields: Mapping[str, str], name: str) -> int | None:
    return int(float(fields[name])) if name in fields else None


def decode_latency(reply: Sequence[str | None]) -> Latency | None:
    """What the gate's hash has learnt, in the order of `learnt()` in prelude.lua."""
    mean, variance, samples, callback_share, off_mean, off_variance, predicted = reply
    if mean is None or variance is None or samples is None:
        return None
    return Latency(
        mean=float(mean),
        variance=float(variance),
        samples=int(samples),
        callback_share=float(callback_share or 0),
        off_mean=float(off_mean or 0),
        off_variance=float(off_variance or 0),
        predicted=int(predicted or 0),
    )


def decode_refs(text: str) -> dict[str, tuple[int, ...]]:
    """Batch → row numbers that want this job."""
    refs = {}
    for part in filter(None, text.split(";")):
        batch, _, rows = part.partition("=")
        refs[batch] = tuple(int(number) for number in rows.split(","))
    return refs
