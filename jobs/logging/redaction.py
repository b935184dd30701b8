"""What must never stand in a log: secrets, keyed addresses, pictures as base64.

Values are searched only where something in them looks suspicious, so that an ordinary event costs a few
substring tests. Secrets are known by value (registered), by the name of their key, by what surrounds them.
"""

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

from structlog.typing import EventDict, WrappedLogger

REDACTED = "[redacted]"
#: A longer string is looked at closely: it may be a picture.
_LONG = 200
#: Characters of one value that a log line keeps.
_MAX_TEXT = 16_000
#: Levels of nesting that a log line keeps.
_MAX_DEPTH = 6

_SECRET_KEYS = ("token", "authorization", "api_key", "apikey", "secret", "password")
#: Substrings without which no pattern below can match a short string (lower case, as `_suspicious` compares).
_MARKS = (
    "://",
    "/callbacks/",
    "sk-",
    "bearer",
    "basic ",
    "authorization",
    "apikey",
    "api-key",
    "api_key",
    "token",
    "secret",
    "password",
    "?",
)

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Callback addresses: the job may be seen, what proves the address may not.
    (re.compile(r"(/callbacks/[^/\s\"'?#]*/)[^\s\"']+"), rf"\1{REDACTED}"),
    # user:password@ of any address.
    (re.compile(r"(?<=://)[^\s/?#\"'<>]*@"), f"{REDACTED}@"),
    # Queries of addresses and of request lines, and fragments of addresses: signatures live there.
    (re.compile(r"((?:://|/)[^\s?#\"'<>]*\?)[^\s\"'<>]+"), rf"\1{REDACTED}"),
    (re.compile(r"(://[^\s#\"'<>]*#)[^\s\"'<>]+"), rf"\1{REDACTED}"),
    # Header and dict forms, then key=value.
    (
        re.compile(
            r"(?i)((?:authorization|api[-_]?key)[\"']?\s*[:=,]\s*(?:b?[\"'])?)(?:(?:bearer|basic)\s+)?[^\s\"',;)}\]]+"
        ),
        rf"\1{REDACTED}",
    ),
    (
        re.compile(r"(?i)((?:token|secret|password)(?:[\"']\s*[:,]|\s*=)\s*(?:b?[\"'])?)[^\s\"',;&)}\]]+"),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {REDACTED}"),
    (re.compile(r"\bsk-[\w-]{8,}"), REDACTED),
)

#: Pictures; wrapped base64 too, as MIME encoders break it.
_BASE64 = re.compile(rf"(?:[A-Za-z0-9+/_=-]|\r?\n(?=[A-Za-z0-9+/]{{40}})){{{_LONG + 1},}}")

_LEAST = 6

#: Values registered at run time, the longest first, so that no part of a longer one is left over.
_secrets: list[str] = []


def redact(secret: str) -> None:
    """Makes a value unloggable in this process: it is replaced wherever it stands, whatever it stands in.

    A value of fewer than 6 characters is no secret, and replacing it would blot out ordinary words.
    """
    if len(secret) >= _LEAST and secret not in _secrets:
        _secrets.append(secret)
        _secrets.sort(key=len, reverse=True)


def scrub(text: str) -> str:
    """The text without secrets, keyed addresses and pictures, cut to a bounded length."""
    if _suspicious(text):
        for secret in _secrets:
            text = text.replace(secret, REDACTED)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
    if len(text) > _LONG:
        text = _BASE64.sub("[base64]", text)
    return (
        text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}… [{len(text) - _MAX_TEXT} more characters]"
    )


def redaction(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """The structlog processor; an event without anything suspicious passes as the same object."""
    texts = []
    for key, value in event_dict.items():
        if is_secret_key(key):
            return _scrub_all(event_dict)
        kind = type(value)
        if kind is str:
            if len(value) > _LONG:
                return _scrub_all(event_dict)
            texts.append(value)
        elif kind is not int and kind is not float and kind is not bool and value is not None:
            return _scrub_all(event_dict)
    return _scrub_all(event_dict) if _suspicious("\n".join(texts)) else event_dict


@lru_cache(maxsize=1024)
def is_secret_key(key: str) -> bool:
    """Whether a value must not be shown because of its key, e.g. `token`, `redis_password`, `Api-Key`."""
    name = key.lower().replace("-", "_")
    return name in _SECRET_KEYS or name.endswith(tuple(f"_{word}" for word in _SECRET_KEYS))


def _suspicious(text: str) -> bool:
    lower = text.lower()
    return any(mark in lower for mark in _MARKS) or any(secret in text for secret in _secrets)


def _scrub_all(event_dict: EventDict) -> EventDict:
    return {
        scrub(key): REDACTED if is_secret_key(key) else _clean(value, 0) for key, value in event_dict.items()
    }


def _clean(value: object, depth: int) -> Any:
    """A JSON value without secrets; objects of other kinds become their text."""
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _clean_inside(value, depth + 1) if depth < _MAX_DEPTH else "[nested too deep]"
    match value:
        case bytes() | bytearray() | memoryview():
            return f"[{len(value)} bytes]"
        case BaseException():
            return scrub(f"{type(value).__name__}: {value}")
        case _:
            return scrub(str(value))


def _clean_inside(value: Mapping[Any, Any] | Iterable[Any], depth: int) -> Any:
    if not isinstance(value, Mapping):
        return [_clean(entry, depth) for entry in value]
    return {
        scrub(str(key)): REDACTED if is_secret_key(str(key)) else _clean(entry, depth)
        for key, entry in value.items()
    }
