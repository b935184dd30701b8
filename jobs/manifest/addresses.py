"""What a picture's cell may say: an http(s) address, or a path. Nothing is opened here."""

import ipaddress
import re
import socket
import string
from functools import lru_cache
from urllib.parse import urlsplit

_MAX_CHARS = 4096
_HTTP = ("http:", "https:")
_HOST_CHARS = frozenset(string.ascii_letters + string.digits + "-._")
_SCHEME_CHARS = frozenset(string.ascii_letters + string.digits + "+.-")
#: Where an address begins: a comma is legal within one, and so is another address behind a slash or an equals sign, but not
#: behind a sign that no address has as it is, nor right behind the end of a picture's name.
_ADDRESSES = re.compile(
    r"""(?:^|[\s,;|"'`^\[\](){}<>]|[^\x00-\x7f]|\\[nrt]|\.(?:jpe?g|png|webp)(?://|[&+#*])?)https?://""",
    re.IGNORECASE,
)
#: Ends of names that no public name server knows.
_PRIVATE_ENDS = (
    ".localhost", ".local", ".localdomain", ".internal", ".intranet", ".lan", ".home", ".home.arpa", ".corp", ".private",
)  # fmt: skip
#: Ends of nearly every address.
_USUAL = (".jpg", ".jpeg", ".png", ".webp")
#: Suffixes of what HiDream is not known to take: JPEG, PNG and WEBP are what it says.
_OTHER_KINDS = frozenset(
    f".{suffix}"
    for suffix in (
        "ai", "avi", "avif", "bmp", "doc", "docx", "eps", "gif", "heic", "heif", "htm", "html", "jp2", "json", "jxl", "m4v",
        "mkv", "mov", "mp4", "mpg", "pdf", "psd", "svg", "tif", "tiff", "txt", "webm", "xml", "zip",
    )
)  # fmt: skip


#: Nearly every address: in such a text nothing could be wrong. Shorter than _MAX_CHARS.
_PLAIN = re.compile(r"https?://[A-Za-z0-9._-]{1,255}/[!-9;-~]{0,3800}").fullmatch


def picture_fault(text: str) -> str:
    """Why the cell cannot name a picture; "" when it can.

    Args:
        text: the cell, stripped, not empty.
    """
    return "" if _PLAIN(text) else _fault(text)


def _fault(text: str) -> str:
    if text[0] in "=#" and (odd := _no_value(text)):
        return odd
    if (not text.isprintable() or len(text) > _MAX_CHARS or text.find("://", 8) > 0) and (odd := _odd(text)):
        return odd
    if start := _begins(text):
        if " " in text:
            return _SPACE
        end = text.find("/", start)
        return _host_fault(text[start:end] if end > 0 else text[start:])
    scheme, colon, rest = text.partition(":")
    if not colon:
        return "" if text[:2] != "//" else "the address begins with //; write https: in front of it"
    fault = _scheme_fault(scheme.lower(), rest)
    if fault is None:
        fault = _SPACE if " " in rest else _host_fault(rest[2:].split("/", 1)[0])
    return fault


def is_address(text: str) -> bool:
    """Whether the cell is an http(s) address rather than a path."""
    return _begins(text) > 0 or text[:8].lower().startswith(("http://", "https://"))


def _begins(text: str) -> int:
    """Where the host of an address in small letters begins; 0 for anything else."""
    return 8 if text[:8] == "https://" else 7 if text[:7] == "http://" else 0


def unreachable(url: str) -> str:
    """Why HiDream cannot reach an http(s) address, without looking anything up; "" when it may."""
    start = url.find("://") + 3
    end = url.find("/", start)
    return _unreachable(url[start:end] if end > 0 else url[start:])


def other_kind(url: str) -> str:
    """The suffix of an http(s) address that names something else than a JPEG, PNG or WEBP, e.g. `.mp4`; "" for none."""
    if url.endswith(_USUAL) and "?" not in url and "#" not in url:
        return ""
    path = url.partition("?")[0].partition("#")[0].rpartition("/")[2]
    dot = path.rfind(".")
    suffix = path[dot:].lower() if dot > 0 else ""
    return suffix if suffix in _OTHER_KINDS else ""


def scheme_of(text: str) -> str:
    """The scheme the text begins with, in small letters; "" for a path (also one with a drive letter)."""
    scheme, colon, _ = text.partition(":")
    return scheme.lower() if colon and len(scheme) > 1 and _SCHEME_CHARS.issuperset(scheme) else ""


def _odd(text: str) -> str:
    """The fault of a text that is too long, not printable, or may hold several addresses."""
    if len(text) > _MAX_CHARS:
        if text[:5].lower() == "data:":
            return _DATA
        return f"the text is {len(text)} characters long; an address or a path has at most {_MAX_CHARS}"
    count = len(_ADDRESSES.findall(text))
    if count > 1:
        return f"{'two' if count == 2 else count} addresses in one cell; keep the one of the picture that is meant"  # noqa: PLR2004
    return "" if text.isprintable() else "the text has a line break or another invisible character in it"


def is_error(text: str) -> bool:
    """Whether a cell is what a spreadsheet shows in place of a value."""
    return _ERROR.fullmatch(text) is not None


def formula_name(text: str) -> str:
    """The function that a formula calls first; "" for anything else."""
    formula = _FORMULA.match(text)
    return formula[1] if formula else ""


def _no_value(text: str) -> str:
    """Why a cell that a spreadsheet has written names no picture: an error, or a formula instead of its value."""
    if is_error(text):
        return f"the cell is an error in the spreadsheet ({text}); put the picture's address or path there"
    if text[0] != "=":
        return ""
    name = formula_name(text)
    if not name:
        if _SUFFIX.search(text):
            return ""
        shown = text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
    elif name.upper() == "DISPIMG":
        return "the picture stands in a cell of the workbook, and a table of text leaves it out; give the workbook itself"
    else:
        shown = f"={name}…"
    return f"the cell holds a formula ({shown}); write the address or the path that it leads to"


#: What spreadsheets show where a value would be, in whatever language: #REF!, #N/A, #¿NOMBRE?, #NV, Err:502.
_ERROR = re.compile(
    r"#[^.\\]{1,30}[!?]|#[^\W\d]{1,2}/[^\W\d]{1,2}|#NV|#YOK|#HIÁNYZIK|#GETTING_DATA|Err:\d{3}"
)
_FORMULA = re.compile(r"=(?:_xl\w+\.)?([A-Za-z][\w.]*)\(")
#: The end of a file's name, by which a path that begins with = is none.
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{2,5}$")
#: Characters of a formula that are shown.
_SHOWN_CHARS = 40

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
    if scheme == "err":
        return _no_value(f"Err:{rest}")
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


@lru_cache(maxsize=1024)
def _unreachable(authority: str) -> str:
    authority = authority.partition("?")[0].partition("#")[0]
    try:
        host = urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return "the address is not valid"
    if not _is_private(host.rstrip(".")):
        return ""
    return f"HiDream cannot reach it: {host} is known in your own network only; give a public address"


def _is_private(host: str) -> bool:
    address = _ip_address(host)
    if address is None:
        return "." not in host or host.endswith(_PRIVATE_ENDS)
    return not address.is_global or address.is_multicast


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return mapped or address
    try:
        # The short and the octal forms that resolvers take: 127.1, 0x7f.0.0.1, 2130706433.
        return ipaddress.IPv4Address(socket.inet_aton(host)) if host[:1].isdigit() else None
    except (OSError, UnicodeError):
        return None
