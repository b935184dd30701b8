"""Where result pictures may come from; jobs.addresses.public has the sockets that go nowhere else."""

from dataclasses import dataclass

import httpx

from jobs.config.settings import HiDreamSettings

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The hosts that pictures may come from."""

    #: Host suffixes, lower case; their addresses must be public, their ports the usual ones.
    suffixes: tuple[str, ...]
    #: Host and port of base_url: the operator has named it, so it may be anywhere.
    own: tuple[str, int]
    #: Host and port of image_prefix: any port, public addresses only.
    prefix: tuple[str, int]

    @classmethod
    def of(cls, settings: HiDreamSettings) -> "Hosts":
        """The hosts that the settings allow."""
        return cls(
            suffixes=tuple(suffix.lower().strip(".") for suffix in settings.image_hosts if suffix.strip(".")),
            own=_origin(httpx.URL(settings.base_url)),
            prefix=_origin(httpx.URL(settings.image_prefix)),
        )

    def objection_to_shown(self, url: httpx.URL, *, private: bool) -> str:
        """Why a manifest's own picture is not fetched for the sheet; its host is no HiDream's, so any public one will do."""
        if url.scheme not in _PORTS:
            return "not an http(s) address"
        if url.userinfo:
            return "an address with a user name"
        host, port = _origin(url)
        return "" if private or port == _PORTS[url.scheme] else f"port {port} of {host} is not the usual one"

    def is_own(self, url: httpx.URL) -> bool:
        """Whether an address is of the operator's own host, which may be inside."""
        return _origin(url) == self.own

    def objection(self, url: httpx.URL) -> str:
        """Why this address is not fetched; empty when it is."""
        if url.scheme not in _PORTS:
            return "not an http(s) address"
        if url.userinfo:
            return "an address with a user name"
        origin = host, port = _origin(url)
        if origin in {self.own, self.prefix}:
            return ""
        if not any(host == suffix or host.endswith(f".{suffix}") for suffix in self.suffixes):
            return f"{host or 'an empty host'} is not among hidream.image_hosts"
        return "" if port == _PORTS[url.scheme] else f"port {port} of {host} is not the usual one"


def _origin(url: httpx.URL) -> tuple[str, int]:
    return url.raw_host.decode("ascii").lower().rstrip("."), url.port or _PORTS.get(url.scheme, 0)
