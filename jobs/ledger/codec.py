"""Records as the ledger's text, and back: the one codec of JSON and of hashes. Field lists say which names they have."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec.structs import fields as fields_of

from jobs.ledger.records import BatchRecord, GateState
from jobs.records import (
    BatchId,
    Failure,
    FormerOrder,
    Job,
    JobState,
    Latency,
    LocalFile,
    Owner,
    Pair,
    Picture,
    RequestId,
    Settlement,
    Source,
    TaskId,
    Url,
)

#: The kind of failure of a job whose hash nobody can read.
UNREADABLE = "unreadable"

T = TypeVar("T")
R = TypeVar("R", bound=msgspec.Struct)
_HALVES = re.compile("[\ud800-\udfff]")
_ENCODER = msgspec.json.Encoder()


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def encode(value: Any) -> str:
    """Compact JSON; the scripts look for `"retryable":true` in it.

    UTF-8 can hold it: half characters, as in names of files that are no UTF-8, stand as escapes.
    """
    try:
        return _ENCODER.encode(value).decode()
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(value), separators=(",", ":"), ensure_ascii=False)
        return _HALVES.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def decode(text: str | bytes, kind: type[T]) -> T:
    """The inverse; what a newer version adds to a record is passed over. Raises ValueError."""
    try:
        found: T = _decoder(kind).decode(text)  # type: ignore[arg-type]  # a type is hashable
    except msgspec.DecodeError:
        # Half characters; else this raises it again.
        return msgspec.convert(json.loads(text), kind)
    return found


def encode_path(path: str) -> str:
    """An absolute path as text that UTF-8 can hold: itself, or a JSON text when its name is no UTF-8."""
    return path if path.isprintable() else encode(path)


def decode_path(text: str) -> str:
    """The inverse of encode_path."""
    return decode(text, str) if text.startswith('"') else text


def encode_words(words: Iterable[str]) -> str:
    """Words of a command line, names of files among them."""
    return encode([encode_path(word) for word in words])


def encode_pair(pair: Pair) -> str:
    """A pair as JSON: slot → address, or [path, digest] with the size of the JPEG made of it, if one is."""
    return encode({slot: _source(source) for slot, source in pair.slots()})


def _source(source: Source) -> object:
    if isinstance(source, Url):
        return source.url
    return source if source.jpeg else (source.path, source.sha256)


def decode_pair(text: str) -> Pair:
    """The inverse of encode_pair."""
    sources = decode(text, dict[str, str | LocalFile])
    return Pair(**{slot: Url(url=of) if isinstance(of, str) else of for slot, of in sources.items()})


def decode_refs(text: str) -> dict[str, tuple[int, ...]]:
    """Batch → row numbers that want this job."""
    parts = (part.partition("=") for part in text.split(";") if part)
    return {batch: tuple(map(int, rows.split(","))) for batch, _, rows in parts}


def decode_orders(text: str) -> tuple[FormerOrder, ...]:
    """A job's former orders as `keep_order` of prelude.lua writes them."""
    parts = (part.split(":", 2) for part in text.split())
    return tuple(
        FormerOrder(
            posted_ms=int(ms) if ms else None, batch=BatchId(batch), task_id=TaskId(task) if task else None
        )
        for ms, batch, task in parts
    )


def _decoding(kind: type[T]) -> Callable[[str], T]:
    return lambda text: decode(text, kind)


#: Fields of a hash, by the names they have there, whose texts are more than a word or a number.
_READ: Mapping[str, Callable[[str], Any]] = {
    "pair": decode_pair,
    "refs": decode_refs,
    "past": str.split,
    "orders": decode_orders,
    "settled": _decoding(tuple[Settlement, ...]),
    "subs": _decoding(tuple[str, ...]),
    "urls": _decoding(tuple[str, ...]),
    "columns": _decoding(tuple[str, ...]),
    "words": _decoding(tuple[str, ...]),
    "pictures": _decoding(tuple[Picture, ...]),
    "failure": _decoding(Failure),
}
_NAMES = {field.name: field.encode_name for field in fields_of(Job)}


@cache
def names_of(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The names of a record's fields in JSON and hashes."""
    return tuple(field.encode_name for field in fields_of(kind))


def decode_hash(fields: Mapping[str, Any], kind: type[T]) -> T:
    """A record from a hash; an empty text is as good as none, but for the refs of nobody's job. Raises ValueError."""
    found = ((name, text) for name, text in fields.items() if text or name == "refs")
    read = {name: _READ[name](text) if name in _READ else text for name, text in found}
    return msgspec.convert(read, kind, strict=False)


def job_fields(**changed: Any) -> dict[str, str]:
    """Fields of a job's hash by their names there; an empty text takes one out."""
    return {_NAMES[name]: _text(name, value) for name, value in changed.items()}


def _text(name: str, value: Any) -> str:
    if isinstance(value, str | int):
        return str(value)
    if name == "past_task_ids":
        return " ".join(value)
    return encode(value) if value else ""


def decode_job(request_id: str, fields: Mapping[str, str]) -> Job:
    """A job from its hash; for one that nobody can read, one without content and a failure of kind UNREADABLE stands in.

    A hash fixed by hand, or written by a newer version: whoever meets it leaves it alone and goes on with the others.
    """
    try:
        return decode_hash({**fields, "request_id": request_id}, Job)
    except (ValueError, TypeError) as error:
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


def _if_read(read: Callable[[str], T], text: str | None, otherwise: T) -> T:
    try:
        return otherwise if text is None else read(text)
    except ValueError:
        return otherwise


def decode_values(values: Sequence[str | None], kind: type[R]) -> R:
    """A record from all its fields of a hash in their order, None for each that is not there. Raises ValueError."""
    found = zip(names_of(kind), values, strict=True)
    return msgspec.convert({name: text for name, text in found if text is not None}, kind, strict=False)


def decode_latency(learnt: Sequence[str | None]) -> Latency | None:
    """What `learnt()` in prelude.lua has answered; None before the first task."""
    return None if learnt[0] is None else decode_values(learnt, Latency)


def decode_gate(fields: Mapping[str, str]) -> GateState:
    """The gate from its hash; a pause without a word is one too. Raises ValueError."""
    return msgspec.convert(fields, GateState, strict=False)


def decode_batch(fields: Mapping[str, str]) -> BatchRecord:
    """A batch from its hash. Raises ValueError."""
    counts = {name[2:]: int(text) for name, text in fields.items() if name.startswith("n:") and text != "0"}
    return decode_hash({**fields, "counts": counts}, BatchRecord)
