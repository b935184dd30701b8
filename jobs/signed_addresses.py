"""Signed addresses: which parts of a query sign or expire it, and when it ends.

The same picture has another signature every time a shop system exports it; what it shows does not change with that.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from urllib.parse import unquote

#: Names in small letters. These belong to a signature wherever they stand.
_ALWAYS = frozenset(
    {f"x-{store}-{part}" for store in ("amz", "goog", "oss") for part in (
        "additional-headers", "algorithm", "content-sha256", "credential", "date", "expires", "security-token",
        "signature", "signature-version", "signedheaders",
    )}
    | {"signature", "ossaccesskeyid", "awsaccesskeyid", "googleaccessid", "key-pair-id", "auth_key"}
    | {"q-sign-algorithm", "q-ak", "q-sign-time", "q-key-time", "q-header-list", "q-url-param-list", "q-signature"}
    | {"x-cos-security-token", "x-obs-security-token"}
)  # fmt: skip
#: These are everyday words: they belong to a signature only beside one.
_BESIDE = {
    "signature": frozenset({"expires", "policy", "accesskeyid", "security-token"}),
    "sig": frozenset({
        "sig", "se", "sp", "sv", "sr", "st", "spr", "skoid", "sktid", "skt", "ske", "sks", "skv", "sip", "si", "ss", "srt",
        "sdd", "saoid", "suoid", "scid", "ses",
    }),
}  # fmt: skip
_EPOCH = re.compile(r"[1-9]\d{9}")
_MOMENT = re.compile(r"\d{8}T\d{6}Z")
#: Seconds that a signature may at most be good for; more is no duration.
_LONGEST_S = 10**9


def unsigned(url: str, more: Iterable[str] = ()) -> str:
    """The address without what signs or expires it; all else stays as it is, letter by letter.

    Args:
        url: the address as the manifest has it.
        more: further names of parameters that do not set one picture apart from another, in small letters.
    """
    head, mark, rest = url.partition("?")
    if not mark:
        return url
    query, hash_mark, fragment = rest.partition("#")
    parts = query.split("&")
    names = [part.partition("=")[0].lower() for part in parts]
    signing = _signing(names, parts) | set(more)
    kept = [part for part, name in zip(parts, names, strict=True) if name not in signing]
    if len(kept) == len(parts):
        return url
    return head + ("?" + "&".join(kept) if kept else "") + hash_mark + fragment


def _signing(names: Iterable[str], parts: Iterable[str]) -> set[str]:
    there = set(names)
    found = set(_ALWAYS & there)
    for mark, beside in _BESIDE.items():
        if mark in there:
            found |= beside & there
    if "expires" in there and any(_expires_alone(part) for part in parts):
        found.add("expires")
    return found


def _expires_alone(part: str) -> bool:
    name, _, value = part.partition("=")
    return name.lower() == "expires" and _EPOCH.fullmatch(value) is not None


def ends_at(url: str) -> float | None:
    """When a signed address ends, seconds since the epoch; None when it does not say.

    An Aliyun CDN's `auth_key` holds a time too, but whether it is the end or the beginning is that CDN's own setting.
    """
    query = url.partition("?")[2].partition("#")[0]
    if not query:
        return None
    values: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        values.setdefault(name.lower(), unquote(value))
    return min(_ends(values), default=None)


def _ends(values: dict[str, str]) -> Iterator[float]:
    for store in ("amz", "goog", "oss"):
        began, good_for = values.get(f"x-{store}-date", ""), values.get(f"x-{store}-expires", "")
        if _MOMENT.fullmatch(began) and good_for.isascii() and good_for.isdigit():
            start = _time(f"{began[:15]}+0000", "%Y%m%dT%H%M%S%z")
            if start is not None and int(good_for[:11]) <= _LONGEST_S:
                yield start + int(good_for)
    if _EPOCH.fullmatch(values.get("expires", "")):
        yield float(values["expires"])
    end = values.get("q-sign-time", "").partition(";")[2]
    if _EPOCH.fullmatch(end):
        yield float(end)
    if "sig" in values and (azure := _iso(values.get("se", ""))) is not None:
        yield azure


def _time(text: str, form: str) -> float | None:
    try:
        return datetime.strptime(text, form).timestamp()  # noqa: DTZ007 the form has its zone
    except ValueError:
        return None


def _iso(text: str) -> float | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None
