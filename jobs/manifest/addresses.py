"""What a picture's cell may say: an http(s) address, or a path. Nothing is opened here."""

import string
from functools import lru_cache
from urllib.parse import urlsplit

_MAX_CHARS = 4096
_HTTP = ("http:", "https:")
_HOST_CHARS = frozenset(string.ascii_letters + string.digits + "-._")
_SCHEME_CHARS = frozenset(string.ascii_letters + string.digits + "+.-")


def picture_fault(text: str) -> str:
    """Why the cell cannot name a picture; "" when it can.

    Args:
        text: the cell, stripped, not empty.
    """
    if not text.isprintable() or len(text) > _MAX_CHARS:
        return _unprintable_fault(text)
    if text[:8] == "https://":  # nearly every cell there is: as few steps as possible
        if " " in text:
            return _SPACE
        end = text.find("/", 8)
        return _host_fault(text[8:end] if end > 0 else text[8:])
    scheme, colon, rest = text.partition(":")
    if not colon:
        return "" if text[:2] != "//" else "the address begins with //; write https: in front of it"
    if (fault := _scheme_fault(scheme.lower(), rest)) is not None:
        return fault
    return _SPACE if " " in rest else _host_fault(rest[2:].split("/", 1)[0])


def is_address(text: str) -> bool:
    """Whether the cell is an http(s) address rather than a path."""
    return text[:8].lower().startswith(("http://", "https://"))


def scheme_of(text: str) -> str:
    """The scheme the text begins with, in small letters; "" for a path (also one with a drive letter)."""
    scheme, colon, _ = text.partition(":")
    return scheme.lower() if colon and len(scheme) > 1 and _SCHEME_CHARS.issuperset(scheme) else ""


def _unprintable_fault(text: str) -> str:
    if len(text) > _MAX_CHARS:
        if text[:5].lower() == "data:":
            return _DATA
        return f"the text is {len(text)} characters long; an address or a path has at most {_MAX_CHARS}"
    return "the text has a line break or another invisible character in it"


_SPACE = "the address has a space in it; write %20 instead"
_DATA = "the picture stands in the cell itself (data:); give its address or the path of a file instead"


def _scheme_fault(scheme: str, rest: str) -> str | None:
    """The fault of a text with a colon in it; None for http:// and HTTPS://."""
    if scheme == "data":
        return _DATA
    if f"{scheme}:" in _HTTP:
        return (
            None if rest[:2] == "//" else "the address is not whole; it must begin with http:// or https://"
        )
    if scheme == "file":
        return "file: addresses are not read; give the path from the manifest's folder instead"
    if rest[:2] == "//" and _SCHEME_CHARS.issuperset(scheme):
        return f"addresses of the kind {scheme}:// are not read; only http:// and https:// are"
    return ""  # a path with a colon in it


@lru_cache(maxsize=1024)
def _host_fault(authority: str) -> str:
    """The fault of what stands between // and the path; remembered, as few hosts serve many pictures."""
    authority = authority.partition("?")[0].partition("#")[0]
    if "@" in authority:
        return "the address holds a user name or a password; ask for an address without one"
    try:
        parts = urlsplit(f"//{authority}")
        _ = parts.port
    except ValueError:
        return "the address is not valid"
    host = parts.hostname or ""
    if not host:
        return "the address names no host"
    if "[" not in authority and host.isascii() and not _HOST_CHARS.issuperset(host):
        return "the address is not valid"
    return ""
