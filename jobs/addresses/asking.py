"""Asks for the picture at one address: HEAD, then its first bytes where that tells nothing. Every redirect is looked at."""

import asyncio
import os
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus

import aiohttp
import httpx
from yarl import URL

from jobs.addresses.findings import HEAD_BYTES, OK, Answer, Busy, Finding, judge
from jobs.addresses.public import Allowed, ForbiddenAddressError, PublicResolver, public_socket

_REDIRECTS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})
_KEEPALIVE_S = 4.0
_HEADERS = {
    "User-Agent": "vton-batch",
    "Accept": "image/jpeg,image/png,image/webp,*/*;q=0.1",
    "Accept-Encoding": "identity",
}
_FIRST = {"Range": f"bytes=0-{HEAD_BYTES - 1}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AskLimits:
    """What one address may take."""

    #: Of a picture.
    max_bytes: int
    #: For all of it, redirects too.
    timeout_s: float
    #: What takes longer is a warning.
    slow_s: float


@dataclass(slots=True)
class _Asked:
    """One address on its way through its redirects."""

    url: URL
    #: Where it led on to, scheme and host; the last one counts.
    leads_to: list[str] = field(default_factory=list)


class Asker:
    """Asks over kept connections; made and used inside one event loop. Connects to allowed addresses only."""

    def __init__(
        self,
        limits: AskLimits,
        *,
        connections: int,
        allowed: Allowed | None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """`allowed`: which IP addresses may be connected to, whatever name or redirect leads there."""
        self._limits = limits
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=ssl_context or httpx.create_ssl_context(),
                limit=connections,
                keepalive_timeout=_KEEPALIVE_S,
                resolver=PublicResolver(allowed),
                socket_factory=partial(public_socket, allowed=allowed),
            ),
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._session.close()

    async def ask(self, address: str) -> Finding | Busy:
        """What is at an address; words about it never hold the address itself, which may be signed."""
        begun = time.monotonic()
        try:
            # A text that is all ASCII goes out letter for letter, since signatures are over letters.
            asked = _Asked(URL(address, encoded=address.isascii()))
            async with asyncio.timeout(self._limits.timeout_s):
                found = await self._find(asked)
        except TimeoutError:
            return Finding(kind="timeout", words=f"no answer within {self._limits.timeout_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _broken(error)
        if isinstance(found, Busy) or (found.kind != "ok" and not asked.leads_to):
            return found
        return self._with_way(found, asked, time.monotonic() - begun)

    def _with_way(self, found: Finding, asked: _Asked, seconds: float) -> Finding:
        """What was found, and how one got there."""
        to = asked.leads_to[-1] if asked.leads_to else ""
        if found.kind != "ok":
            return Finding(kind=found.kind, words=f"{found.words}; the address leads on to “{to}”")
        if seconds > self._limits.slow_s:
            return Finding(kind="slow", words=f"the host answers after {seconds:.0f} s")
        if to:
            words = f"the address leads on to “{to}”; HiDream may not follow, give the address of the picture itself"
            return Finding(kind="redirected", words=words)
        return OK

    async def _find(self, asked: _Asked) -> Finding | Busy:
        # A host that does not know HEAD may also keep silent or hang up.
        with suppress(TimeoutError, aiohttp.ServerDisconnectedError, aiohttp.ClientResponseError):
            async with asyncio.timeout(self._limits.timeout_s / 3):
                found = self._judged(await self._answer("HEAD", asked, {}))
            if found is not None:
                return found
        found = self._judged(await self._answer("GET", asked, _FIRST))
        assert found is not None, "the first bytes always tell something"
        return found

    def _judged(self, answer: Answer | Finding) -> Finding | Busy | None:
        return answer if isinstance(answer, Finding) else judge(answer, self._limits.max_bytes)

    async def _answer(self, method: str, asked: _Asked, headers: Mapping[str, str]) -> Answer | Finding:
        """The answer behind all redirects, or why there is none."""
        for _ in range(_REDIRECTS + 1):
            async with self._session.request(
                method, asked.url, headers=headers, allow_redirects=False
            ) as response:
                location = response.headers.get("Location", "")
                if response.status not in _MOVED or not location:
                    return await _read(method, response)
                response.close()
            asked.url = asked.url.join(URL(location, encoded=location.isascii()))
            if asked.url.scheme not in {"http", "https"} or not asked.url.host:
                return Finding(kind="redirects", words="it does not lead to an http(s) address")
            asked.leads_to.append(str(asked.url.origin()))
        return Finding(kind="redirects", words=f"it leads on more than {_REDIRECTS} times")


async def _read(method: str, response: aiohttp.ClientResponse) -> Answer:
    begins = None
    if method != "HEAD":
        read = bytearray()
        if response.status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            while len(read) < HEAD_BYTES and (part := await response.content.read(HEAD_BYTES - len(read))):
                read += part
        begins = bytes(read)
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            # The whole picture would come.
            response.close()
    return Answer(status=response.status, headers=response.headers, begins=begins)


def _broken(error: Exception) -> Finding:
    """Why there was no answer. The error's own words may hold the whole address."""
    if isinstance(getattr(error, "os_error", error), ForbiddenAddressError):
        kind, words = (
            "private",
            "HiDream cannot reach it: it leads into a private network; give a public address",
        )
    elif isinstance(error, aiohttp.ClientConnectorDNSError):
        kind, words = "dns", f"there is no host “{error.host}”"
    elif isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "") or "not valid"
        kind, words = "tls", f"the host's certificate cannot be trusted: {why}"
    elif isinstance(error, aiohttp.ClientSSLError):
        kind, words = "tls", "the host speaks no TLS that can be used"
    elif isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        why = os.strerror(number) if number else type(error.os_error).__name__
        kind, words = "unreachable", f"the host takes no connection: {why}"
    elif isinstance(error, ValueError):
        kind, words = "refused", "the address is not valid"
    else:
        kind, words = "unreachable", "the host ended the connection without a whole answer"
    return Finding(kind=kind, words=words)
