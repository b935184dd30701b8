"""The address of a Redis behind Sentinel: `redis+sentinel://USER:PASSWORD@HOST,HOST:PORT/SERVICE`; `rediss+sentinel` is TLS.

User and password are those of the servers; the sentinels' own stand behind a `?`.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

SCHEMES = ("redis+sentinel://", "rediss+sentinel://")
#: Options that hold for the sentinels only.
OWN_OPTIONS = frozenset({"sentinel_username", "sentinel_password"})
PORT = 26379
_FORM = re.compile(r"(rediss?)\+sentinel://(?:([^/?#]*)@)?([^/?#@]*)(?:/([^?#]*))?(?:\?([^#]*))?")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\s\[\]:,]+)(?::(\d{1,5}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelAddress:
    """What such an address says."""

    #: Host and port of each sentinel, in the order in which they are asked.
    sentinels: tuple[tuple[str, int], ...]
    #: What they call the primary.
    service: str
    #: A plain address with all that holds for the servers: TLS, user, password, options. Its host is nobody's.
    server: str = field(repr=False)
    #: The sentinels' own user and password; None: they ask for none.
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def sentinel_address(text: str) -> SentinelAddress | None:
    """Reads an address; None when it is no whole one of this kind."""
    form = _FORM.fullmatch(text)
    hosts = [_HOST.fullmatch(each) for each in form[3].split(",")] if form else []
    if not form or not all(hosts):
        return None
    options = parse_qsl(form[5] or "", keep_blank_values=True)
    own = dict(each for each in options if each[0] in OWN_OPTIONS)
    user = f"{form[2]}@" if form[2] else ""
    shared = urlencode([each for each in options if each[0] not in OWN_OPTIONS])
    return SentinelAddress(
        sentinels=tuple((host[1].strip("[]"), int(host[2] or PORT)) for host in hosts if host),
        service=(form[4] or "").strip("/"),
        server=f"{form[1]}://{user}sentinel{'?' if shared else ''}{shared}",
        username=own.get("sentinel_username"),
        password=own.get("sentinel_password"),
    )
