"""Redis' address, as `redis.url` holds it: what may stand in it, and the password inside. No word of it is ever repeated."""

from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

#: What may stand behind a `?`, beside every `ssl_…`: the rest is ours to set.
_OPTIONS = frozenset({"protocol", "client_name", "username", "password"})
_ENCODE = (
    "cannot be read as an address; characters of its password other than letters and digits are percent-encoded:"
    " %2F for /, %23 for #, %3F for ?, %40 for @"
)
_DATABASE = "names a database; the databases are redis.queue_db and redis.ledger_db, set those"


def address_fault(text: str) -> str:
    """What is wrong with an address; empty when nothing is."""
    if not text.startswith(("redis://", "rediss://", "unix://")):
        return "must begin with redis://, rediss:// or unix://"
    try:
        parts = urlsplit(text)
        # A port that is no number raises an error that shows it.
        _ = parts.port
    except ValueError:
        return _ENCODE
    behind = "" if parts.scheme == "unix" else parts.path
    if "#" in text or "@" in behind + parts.query:
        return _ENCODE
    return _options_fault(parts.query) or _place_fault(parts)


def _options_fault(query: str) -> str:
    options = parse_qs(query, keep_blank_values=True)
    if "db" in options:
        return _DATABASE
    if any(name not in _OPTIONS and not name.startswith("ssl_") for name in options):
        return f"may have no other options than {', '.join(sorted(_OPTIONS))} and those that begin with ssl_"
    return ""


def _place_fault(parts: SplitResult) -> str:
    if parts.scheme == "unix":
        is_socket = parts.hostname is None and len(parts.path) > 1
        return "" if is_socket else "must be unix:///the/socket, with a password unix://:PASSWORD@/the/socket"
    if parts.path.strip("/"):
        return _DATABASE
    return "" if parts.hostname else "has no host"


def passwords(text: str) -> list[str]:
    """The password of a valid address, as it is written and as it is meant; empty without one."""
    if not text or address_fault(text):
        return []
    parts = urlsplit(text)
    written = [parts.password or "", *parse_qs(parts.query).get("password", ())]
    return sorted({form for each in written if each for form in (each, unquote(each))})
