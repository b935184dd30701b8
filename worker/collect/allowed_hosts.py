"""Where pictures may come from, and sockets that go nowhere else.

A name is resolved once, every address it has is checked, and so is the one that a socket is made for: a name that answers
otherwise a moment later (DNS rebinding) gains nothing. TLS still proves the name itself.
"""

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import aiohttp
import httpx
from aiohttp.abc import ResolveResult

from jobs.config.settings import HiDreamSettings

_PORTS = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")


class ForbiddenAddressError(OSError):
    """A name leads to an address inside some network."""


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


class PublicResolver(aiohttp.ThreadedResolver):
    """Finds the addresses of names that are outside with each of them."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Every address of a host. Raises OSError: the name is not known, or ForbiddenAddressError."""
        found = await super().resolve(host, port, family)
        for address in found:
            _check(address["host"], host)
        return found


def public_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """A socket for one address, which is connected to this very one; a host may be a number that nobody resolves.

    Raises:
        ForbiddenAddressError: the address is not public.
    """
    family, kind, protocol, _, place = address
    _check(str(place[0]), "the host")
    return socket.socket(family, kind, protocol)


def _check(address: str, host: str) -> None:
    if not public(address):
        raise ForbiddenAddressError(f"{host} leads to {address}, which is not public")


def public(address: str) -> bool:
    """Whether an IP address is out on the internet, the IPv4 address inside an IPv6 one too."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _inner(ip) if isinstance(ip, IPv6Address) else None
    if inner is not None:
        return inner.is_global and not inner.is_multicast
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _inner(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


def _origin(url: httpx.URL) -> tuple[str, int]:
    return url.raw_host.decode("ascii").lower().rstrip("."), url.port or _PORTS.get(url.scheme, 0)
