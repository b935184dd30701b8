"""What is found at an address, and how an answer is judged. Nothing is asked here."""

import email.utils
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from jobs.problems import Severity
from jobs.records import Owner

#: The first bytes of a picture that are looked at.
HEAD_BYTES = 512
_PICTURES = frozenset({"image/jpeg", "image/jpg", "image/png", "image/webp"})
#: Seconds that a host may ask us to wait at most, and that we wait when it names none.
_MAX_WAIT_S = 120.0
_WAIT_S = 5.0
_TOTAL = re.compile(r"bytes\s+(?:\d+-\d+|\*)/(\d{1,18})\s*")

#: Kind → whether a pair with it can be bought, and whose it is. `ok` is no problem.
KINDS: Mapping[str, tuple[Severity, Owner]] = {
    "not_found": (Severity.ERROR, Owner.MERCH),
    "forbidden": (Severity.ERROR, Owner.MERCH),
    "refused": (Severity.ERROR, Owner.MERCH),
    "not_a_picture": (Severity.ERROR, Owner.MERCH),
    "private": (Severity.ERROR, Owner.MERCH),
    "redirects": (Severity.ERROR, Owner.MERCH),
    "dns": (Severity.ERROR, Owner.MERCH),
    "tls": (Severity.ERROR, Owner.OPS),
    "unreachable": (Severity.ERROR, Owner.OPS),
    "timeout": (Severity.WARNING, Owner.OPS),
    "server_error": (Severity.WARNING, Owner.OPS),
    "busy": (Severity.WARNING, Owner.OPS),
    "not_asked": (Severity.WARNING, Owner.OPS),
    "too_large": (Severity.WARNING, Owner.MERCH),
    "other_kind": (Severity.WARNING, Owner.MERCH),
    "slow": (Severity.WARNING, Owner.OPS),
    "redirected": (Severity.WARNING, Owner.MERCH),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is at an address."""

    #: `ok`, or one of KINDS.
    kind: str
    #: A sentence for people, without the address; empty when it is a picture.
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """The host wants to be asked later."""

    wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What of an answer is judged."""

    status: int
    headers: Mapping[str, str]
    #: The first bytes; None when only the head was asked for.
    begins: bytes | None = None


OK = Finding(kind="ok")


def judge(answer: Answer, max_bytes: int) -> Finding | Busy | None:
    """What an answer says; None when the head alone tells nothing, since many hosts answer HEAD in their own way."""
    status = answer.status
    if status == HTTPStatus.TOO_MANY_REQUESTS or (
        status == HTTPStatus.SERVICE_UNAVAILABLE and "Retry-After" in answer.headers
    ):
        return Busy(wait_s=_wait_s(answer.headers))
    size = _size(answer)
    if answer.begins is None:
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        tells = status == HTTPStatus.OK and kind in _PICTURES and size
        return _sized(size, max_bytes) if tells else None
    if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        return _refusal(status)
    return _content(answer.begins) or _sized(size, max_bytes)


def _refusal(status: int) -> Finding:
    match status:
        case HTTPStatus.NOT_FOUND | HTTPStatus.GONE:
            return Finding(kind="not_found", words=f"there is nothing at the address (HTTP {status})")
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            words = f"the host does not give it to everybody (HTTP {status}); HiDream needs a public address"
            return Finding(kind="forbidden", words=words)
        case HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return Finding(kind="not_a_picture", words="the file at the address is empty")
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Finding(kind="server_error", words=f"the host has an error of its own (HTTP {status})")
        case _:
            return Finding(kind="refused", words=f"the host refuses it (HTTP {status})")


def _content(begins: bytes) -> Finding | None:
    """What is wrong with the first bytes; None for those of a picture that HiDream is known to take."""
    if not begins:
        return Finding(kind="not_a_picture", words="the file at the address is empty")
    if begins.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
        return None
    if begins[:4] == b"RIFF" and begins[8:12] == b"WEBP":
        return None
    if picture := _other_picture(begins):
        words = f"the picture is {picture}; HiDream is known to take JPEG, PNG and WEBP"
        return Finding(kind="other_kind", words=words)
    return Finding(kind="not_a_picture", words=f"there is {_no_picture(begins)} at the address, no picture")


def _other_picture(begins: bytes) -> str:
    if begins[4:8] == b"ftyp":
        brand = begins[8:12]
        return {b"avif": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC"}.get(brand, "")
    starts = {
        b"GIF8": "GIF",
        b"BM": "BMP",
        b"II*\0": "TIFF",
        b"MM\0*": "TIFF",
        b"8BPS": "PSD",
        b"<svg": "SVG",
    }
    return next((name for start, name in starts.items() if begins.startswith(start)), "")


def _no_picture(begins: bytes) -> str:
    text = begins.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")):
        return "a web page"
    if begins[4:8] == b"ftyp":
        return "a video"
    starts = {
        b"<": "XML",
        b"{": "JSON",
        b"[": "JSON",
        b"%pdf": "a PDF",
        b"pk": "an archive",
        b"\x1f\x8b": "a packed file",
    }
    return next((name for start, name in starts.items() if text.startswith(start)), "something else")


def _sized(size: int | None, max_bytes: int) -> Finding:
    if size is not None and size > max_bytes:
        words = f"the picture has {size:,} bytes; more than {max_bytes:,} may be refused (pictures.max_bytes)"
        return Finding(kind="too_large", words=words)
    return OK


def _size(answer: Answer) -> int | None:
    if answer.status == HTTPStatus.PARTIAL_CONTENT:
        found = _TOTAL.fullmatch(answer.headers.get("Content-Range", ""))
        return int(found[1]) if found else None
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None  # noqa: PLR2004 2**63


def _wait_s(headers: Mapping[str, str]) -> float:
    """Seconds to wait by Retry-After, which is a number of seconds or a date."""
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            seconds = _WAIT_S
    return min(_MAX_WAIT_S, max(0.0, seconds)) if math.isfinite(seconds) else _WAIT_S
