"""Sockets that lead out to the internet and nowhere else.

A name is resolved once, every address it has is checked, and so is the one that a socket is made for: a name that answers
otherwise a moment later (DNS rebinding) gains nothing. TLS still proves the name itself.
"""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import aiohttp
from aiohttp.abc import ResolveResult

_NAT64 = IPv6Network("64:ff9b::/96")


class ForbiddenAddressError(OSError):
    """A name leads to an address inside some network."""


#: Whether an IP address may be connected to.
Allowed = Callable[[str], bool]


class PublicResolver(aiohttp.ThreadedResolver):
    """Finds the addresses of names that are outside with each of them, or as somebody else allows them."""

    def __init__(self, allowed: Allowed | None = None) -> None:
        super().__init__()
        self._allowed = allowed or public

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Every address of a host. Raises OSError: the name is not known, or ForbiddenAddressError."""
        found = await super().resolve(host, port, family)
        for address in found:
            _check(address["host"], host, self._allowed)
        return found


def public_socket(address: aiohttp.AddrInfoType, allowed: Allowed | None = None) -> socket.socket:
    """A socket for one address, which is connected to this very one; a host may be a number that nobody resolves.

    Raises:
        ForbiddenAddressError: the address is not public.
    """
    family, kind, protocol, _, place = address
    _check(str(place[0]), "the host", allowed or public)
    return socket.socket(family, kind, protocol)


def _check(address: str, host: str, allowed: Allowed) -> None:
    if not allowed(address):
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
