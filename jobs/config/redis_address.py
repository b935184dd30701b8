"""Redis' address, as `redis.url` holds it: what may stand in it, and the password inside. No word of it is ever repeated."""

import re
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from jobs.config.sentinel_address import OWN_OPTIONS, SCHEMES, SentinelAddress, sentinel_address

#: What may stand behind a `?`, beside every `ssl_…`: the rest is ours to set.
_OPTIONS = frozenset({"protocol", "client_name", "username", "password"})
_ENCODE = (
    "cannot be read as an address; characters of its password other than letters and digits are percent-encoded:"
    " %2F for /, %23 for #, %3F for ?, %40 for @"
)
_DATABASE = "names a database; the databases are redis.queue_db and redis.ledger_db, set those"
_HIGHEST_PORT = 65535


def address_fault(text: str) -> str:
    """What is wrong with an address; empty when nothing is."""
    if text.startswith(SCHEMES):
        return _sentinel_fault(text)
    if not text.startswith(("redis://", "rediss://", "unix://")):
        return "must begin with redis://, rediss://, unix://, redis+sentinel:// or rediss+sentinel://"
    try:
        parts = urlsplit(text)
        # A port that is no number raises an error that shows it.
        _ = parts.port
    except ValueError:
        return _ENCODE
    behind = "" if parts.scheme == "unix" else parts.path
    if "#" in text or "@" in behind + parts.query:
        return _ENCODE
    return _options_fault(parts.query, _OPTIONS) or _place_fault(parts)


def _sentinel_fault(text: str) -> str:
    query = text.partition("?")[2]
    address = sentinel_address(text)
    if address is None or "@" in query or any(not 0 < port <= _HIGHEST_PORT for _, port in address.sentinels):
        return (
            "must be redis+sentinel://USER:PASSWORD@HOST,HOST:PORT,HOST/SERVICE; characters of its password other than"
            " letters and digits are percent-encoded: %2F for /, %23 for #, %3F for ?, %40 for @"
        )
    return _options_fault(query, _OPTIONS | OWN_OPTIONS) or _service_fault(address)


def _service_fault(address: SentinelAddress) -> str:
    service, _, database = address.service.partition("/")
    if database or service.isdecimal():
        return _DATABASE
    if not re.fullmatch(r"[A-Za-z0-9._-]+", service):
        return (
            "names no service: behind the hosts stands what the sentinels call the primary, as in /mymaster"
        )
    return ""


def _options_fault(query: str, allowed: frozenset[str]) -> str:
    options = parse_qs(query, keep_blank_values=True)
    if "db" in options:
        return _DATABASE
    if any(name not in allowed and not name.startswith("ssl_") for name in options):
        return f"may have no other options than {', '.join(sorted(allowed))} and those that begin with ssl_"
    return ""


def _place_fault(parts: SplitResult) -> str:
    if parts.scheme == "unix":
        is_socket = parts.hostname is None and len(parts.path) > 1
        return "" if is_socket else "must be unix:///the/socket, with a password unix://:PASSWORD@/the/socket"
    if parts.path.strip("/"):
        return _DATABASE
    return "" if parts.hostname else "has no host"


def passwords(text: str) -> list[str]:
    """The passwords of a valid address, as they are written and as they are meant; empty without one."""
    if not text or address_fault(text):
        return []
    address = sentinel_address(text)
    # Not every Python splits an address with several hosts.
    parts, options = urlsplit(address.server if address else text), parse_qs(text.partition("?")[2])
    written = [parts.password or "", *options.get("password", ()), *options.get("sentinel_password", ())]
    return sorted({form for each in written if each for form in (each, unquote(each))})


def shown_place(text: str) -> str:
    """Where a valid address leads, without user, password and options."""
    if address := sentinel_address(text):
        hosts = ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in address.sentinels
        )
        return f"{address.service} of the sentinels {hosts}"
    url = urlsplit(text)
    return url.path if url.scheme == "unix" else f"{url.hostname}:{url.port or 6379}"
