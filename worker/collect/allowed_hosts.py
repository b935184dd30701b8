"""Where pictures may come from, and a network that goes nowhere else.

A name is resolved once, every address it has is checked, and the connection goes to a checked address: a name
that answers otherwise a moment later (DNS rebinding) gains nothing. TLS still proves the name itself.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpcore
import httpx

from jobs.config.settings import HiDreamSettings
from worker.hidream.transport import KEEPALIVE_S

_PORTS = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")
_Option = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class ForbiddenAddressError(httpcore.ConnectError):
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


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Resolves, checks, connects."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[_Option] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to the first checked address that answers; `timeout` seconds for each.

        Raises:
            ForbiddenAddressError: one of the host's addresses is not public.
        """
        addresses = await resolve(host, port)
        if (host.lower().rstrip("."), port) != self._hosts.own:
            for address in addresses:
                if not public(address):
                    raise ForbiddenAddressError(f"{host} leads to {address}, which is not public")
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class CheckedTransport(httpx.AsyncHTTPTransport):
    """One connection of httpx over `CheckedBackend`: the pool and TLS know the name, the socket the address."""

    def __init__(self, hosts: Hosts, ssl_context: ssl.SSLContext) -> None:
        super().__init__(verify=ssl_context, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context,
            max_connections=1,
            max_keepalive_connections=1,
            keepalive_expiry=KEEPALIVE_S,
            network_backend=CheckedBackend(hosts),
        )


async def resolve(host: str, port: int) -> list[str]:
    """Every address of a host, each once, in the resolver's order.

    Raises:
        httpcore.ConnectError: the name is not known.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"{host} cannot be resolved") from error
    return list(dict.fromkeys(str(address[4][0]) for address in found))


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
