"""What goes over the wire, both ways: the submit body, and the envelope every reply comes in."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from jobs.logging.redaction import scrub
from jobs.records import Slot

#: Bytes given to the socket at once; small, because what a socket does not take at once is copied again.
PIECE_BYTES = 128 * 1024

_MAX_WORDS = 200
_MAX_ID = 200
#: Longer words are no words: base64, tokens, addresses.
_NO_WORD = re.compile(r"[^\s\u2e80-\uffef]{80,}")
_UNSEEN = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]+")
#: Nor does an id have half a character, or what stands for one.
_NO_ID = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff\ufffd]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Base64:
    """A local picture as it goes into a body: base64 text, no `data:` prefix."""

    text: bytes = field(repr=False)


class Streamed(Protocol):
    """A local picture that is read, and made base64, while it is sent: a body holds none of it."""

    @property
    def length(self) -> int:
        """Bytes of its base64."""

    def blocks(self) -> Iterator[bytes]:
        """The base64 from its beginning; reads a file, and raises when it is not the one that was promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A request body in chunks, so that a picture is sent and never copied into a new body."""

    chunks: tuple[bytes | Streamed, ...] = field(repr=False)

    @property
    def length(self) -> int:
        """Bytes, for Content-Length."""
        return sum(len(chunk) if isinstance(chunk, bytes) else chunk.length for chunk in self.chunks)

    def blocks(self) -> Iterator[bytes]:
        """The body from its beginning."""
        for chunk in self.chunks:
            yield from (chunk,) if isinstance(chunk, bytes) else chunk.blocks()

    def pieces(self) -> Iterator[bytes]:
        """The body from its beginning, at most `PIECE_BYTES` at a time."""
        for block in self.blocks():
            yield from cut(block)


def cut(block: bytes) -> Iterator[bytes]:
    """Pieces of at most `PIECE_BYTES`."""
    for start in range(0, len(block), PIECE_BYTES):
        yield block[start : start + PIECE_BYTES]


def submit_body(
    slots: Iterable[tuple[Slot, str | Base64 | Streamed]],
    *,
    request_id: str = "",
    notify_url: str | None = None,
) -> Body:
    """Builds the JSON of a submit.

    Args:
        slots: the filled slots in HiDream's order; a str is an address and goes out letter for letter.
        request_id: left out when empty.
        notify_url: left out when None or empty.
    """
    parts: list[tuple[str, str | Base64 | Streamed]] = [(str(slot), picture) for slot, picture in slots]
    parts += [(name, text) for name, text in (("request_id", request_id), ("notify_url", notify_url)) if text]
    chunks: list[bytes | Streamed] = []
    glue = b"{"
    for number, (name, value) in enumerate(parts):
        glue += b"," * (number > 0) + _quoted(name) + b":"
        if isinstance(value, str):
            glue += _quoted(value)
        else:
            chunks += [glue + b'"', value.text if isinstance(value, Base64) else value]
            glue = b'"'
    return Body(chunks=(*chunks, glue + b"}"))


def _quoted(text: str) -> bytes:
    # A lone surrogate cannot be UTF-8; Python's replacement for it happens to be JSON's own escape.
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back over HTTP, before anyone judged it."""

    #: HTTP status.
    status: int
    #: At most 1 MB; empty when `fault` says why it was not read.
    body: bytes = field(default=b"", repr=False)
    #: Why the body cannot be trusted to be whole; empty when it can.
    fault: str = ""
    #: Headers as received.
    retry_after: str | None = None
    date: str | None = None
    #: What we sent to prove who we are: a reply may repeat it, our words may not.
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A reply's JSON object with HiDream's code and words."""

    #: None when there is none, or when it is no whole number.
    code: int | None
    #: Cleaned: one line, short, without secrets.
    message: str
    #: The object as it came.
    content: Mapping[str, Any] = field(repr=False)

    @property
    def result(self) -> Mapping[str, Any]:
        """The inner object; empty when it is missing or no object."""
        inner = self.content.get("result")
        return inner if isinstance(inner, Mapping) else {}

    @property
    def tasks(self) -> tuple[str, ...]:
        """The ids of the task it names, in every shape met, the likeliest first; "" stands for one that is no id."""
        named = [
            place.get(name) for place in (self.result, self.content) for name in ("task_id", "main_task_id")
        ]
        # 0 and the empty text are how some languages write nothing.
        return tuple(identifier(value) or "" for value in named if value and value != "0")


def read_envelope(body: bytes, secret: str = "") -> Envelope | None:
    """Reads a reply's body; None when it is not one JSON object. All texts in it can be written as UTF-8."""
    try:
        content = json.loads(body)
        if b"\\u" in body or b"\xed" in body:
            content = _clean(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    # One of the gateways writes "messasge".
    message = content.get("message") or content.get("messasge")
    return Envelope(code=whole_number(content.get("code")), message=words(message, secret), content=content)


def clean_text(text: str) -> str:
    """A text that can be written as UTF-8: half a character (a lone UTF-16 surrogate) becomes U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _clean(value: Any) -> Any:
    match value:
        case str():
            return clean_text(value)
        case list():
            return [_clean(each) for each in value]
        case dict():
            return {clean_text(name): _clean(each) for name, each in value.items()}
        case _:
            return value


def whole_number(value: Any) -> int | None:
    """An int from an int, an integral float or the text of one; None for all else, booleans too."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,18}(\.0+)?\s*", value):
        return int(float(value)) if "." in value else int(value)
    return None


def identifier(value: Any) -> str | None:
    """An id from a str or an int; None when it is empty, longer than 200 characters, has blanks or half characters."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    return text if text and len(text) <= _MAX_ID and not _NO_ID.search(text) else None


def words(value: Any, secret: str = "") -> str:
    """HiDream's words, fit for a log: one line of at most 200 characters, no token, base64 or query."""
    if not isinstance(value, str):
        return ""
    text = clean_text(value[: 20 * _MAX_WORDS])
    if secret:
        text = text.replace(secret, "[hidden]")
    text = _NO_WORD.sub("[hidden]", scrub(text))
    return _UNSEEN.sub(" ", text).strip()[:_MAX_WORDS]
