"""Fetches result pictures: from allowed hosts, bounded in bytes and time, proven whole, kept for good."""

import asyncio
import contextlib
import errno
import re
import ssl
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import ParamSpec, TypeVar

import aiohttp
import httpx
from yarl import URL

from jobs.addresses.public import ForbiddenAddressError, PublicResolver, public_socket
from jobs.config.settings import HiDreamSettings, PictureSettings
from jobs.pictures.store import PictureStore, Spool, StoreFullError
from jobs.pictures.verify import BrokenPictureError, Proof, prove
from jobs.records import Picture
from worker.collect.allowed_hosts import Hosts
from worker.hidream.session import MAX_CONNECTIONS, is_compressed, open_session, says_more
from worker.hidream.wire import words

#: Bytes gathered before a thread writes them; most pictures are written, proven and kept in one go.
_GATHER_BYTES = 1_000_000
#: Errors after which the store takes nothing more either, until somebody has looked.
ILL_STORE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM})
_BARE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_PICTURE_NAME = re.compile(r"(?i).+\.(jpe?g|png|webp)")
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _WithReason:
    reason: str


class Gone(_WithReason):
    """The address is no good (403, 404, another 4xx): ask for the result again, it brings a new one."""


class Transient(_WithReason):
    """The network or the host failed: the same address again, later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAllowed(_WithReason):
    """We do not fetch this: a host, a redirect or a size that is not allowed."""

    #: A setting would allow it.
    fixable: bool = False


class Broken(_WithReason):
    """Something came that is not a whole picture."""


class DiskFull(_WithReason):
    """The picture store takes no more: stop buying until a person has looked."""


NotFetched = Gone | Transient | NotAllowed | Broken | DiskFull
Fetched = Picture | NotFetched


class Downloader:
    """Fetches into a store; made and used inside one event loop."""

    def __init__(
        self,
        *,
        hidream: HiDreamSettings,
        pictures: PictureSettings,
        store: PictureStore,
        ssl_context: ssl.SSLContext,
        connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._hosts = Hosts.of(hidream)
        self._prefix = hidream.image_prefix
        self._deadline_s = hidream.download_timeout_s
        self._max_bytes = pictures.max_download_bytes
        self._max_pixels = pictures.max_pixels
        self._max_shown_bytes = pictures.max_bytes
        self._private = pictures.private_hosts == "allow"
        self._store = store
        # Decoded pixels are the memory of this process: one picture at a time.
        self._decoding = threading.Lock()
        #: For the operator's own host, which may be inside, and for all others.
        self._own = open_session(ssl_context, connections, connect_s=hidream.connect_timeout_s)
        self._others = open_session(
            ssl_context,
            connections,
            connect_s=hidream.connect_timeout_s,
            resolver=PublicResolver(),
            socket_factory=public_socket,
        )

    async def fetch(self, address: str) -> Fetched:
        """Fetches one picture, `download_timeout_s` at most for each address tried.

        Args:
            address: an http(s) address, or a bare id that is joined with `image_prefix`, as .jpg, then .png.
        """
        outcome: Fetched = NotAllowed(reason="neither an address nor a picture's id")
        for url in self._candidates(address):
            outcome = await self._fetch(url)
            if not isinstance(outcome, Gone):
                break
        return outcome

    async def read(self, address: str) -> bytes | NotFetched:
        """A picture of a manifest, in memory and as it comes; only what is public, unless private hosts are allowed."""
        try:
            url = httpx.URL(address)
        except (httpx.InvalidURL, ValueError):
            return NotAllowed(reason="not an address")
        if objection := self._hosts.objection_to_shown(url, private=self._private):
            return NotAllowed(reason=objection)
        session = self._own if self._private else self._others
        return await self._get(session, url, self._max_shown_bytes, self._gather)

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._own.close()
        await self._others.close()

    def _candidates(self, address: str) -> list[str]:
        if "://" in address:
            return [address]
        if not _BARE_ID.fullmatch(address):
            return []
        base = self._prefix + address
        return [base] if _PICTURE_NAME.fullmatch(address) else [f"{base}.jpg", f"{base}.png"]

    async def _fetch(self, address: str) -> Fetched:
        try:
            url = httpx.URL(address)
        except (httpx.InvalidURL, ValueError):
            return NotAllowed(reason="not an address")
        if objection := self._hosts.objection(url):
            return NotAllowed(reason=objection, fixable=True)
        try:
            with self._store.spool() as spool:
                end = await self._stream(url, spool)
                return await self._keep(address, spool, end) if isinstance(end, bytes) else end
        except StoreFullError as error:
            return DiskFull(reason=str(error))
        except BrokenPictureError as error:
            return Broken(reason=str(error))
        except OSError as error:
            # Ours, while what came was looked at: it says nothing about the picture.
            why = f"the picture store: {error.strerror or type(error).__name__}"
            return DiskFull(reason=why) if error.errno in ILL_STORE else Transient(reason=why)

    async def _stream(self, url: httpx.URL, spool: Spool) -> NotFetched | bytes:
        """Reads the whole picture into the spool, but for its end, which is returned."""
        session = self._own if self._hosts.is_own(url) else self._others
        return await self._get(session, url, self._max_bytes, lambda response: self._pour(response, spool))

    async def _get(
        self,
        session: aiohttp.ClientSession,
        url: httpx.URL,
        max_bytes: int,
        take: Callable[[aiohttp.ClientResponse], Awaitable[NotFetched | bytes]],
    ) -> NotFetched | bytes:
        try:
            async with (
                asyncio.timeout(self._deadline_s),
                session.get(_as_it_is(url), allow_redirects=False) as response,
            ):
                return _objection(response, max_bytes) or await take(response)
        except aiohttp.ClientConnectorError as error:
            forbidden = isinstance(error.os_error, ForbiddenAddressError)
            return NotAllowed(reason=str(error.os_error), fixable=True) if forbidden else _transient(error)
        except aiohttp.ClientError as error:
            return _transient(error)
        except TimeoutError:
            return Transient(reason=f"not fetched within {self._deadline_s:g} s")
        except (OSError, ValueError) as error:
            return _transient(error)

    async def _pour(self, response: aiohttp.ClientResponse, spool: Spool) -> NotFetched | bytes:
        gathered = bytearray()
        async for part in response.content.iter_any():
            gathered += part
            if spool.bytes + len(gathered) > self._max_bytes:
                return _too_long(self._max_bytes)
            if len(gathered) >= _GATHER_BYTES:
                await in_thread(spool.write, bytes(gathered))
                gathered.clear()
        return bytes(gathered)

    async def _gather(self, response: aiohttp.ClientResponse) -> NotFetched | bytes:
        gathered = bytearray()
        async for part in response.content.iter_any():
            gathered += part
            if len(gathered) > self._max_shown_bytes:
                return _too_long(self._max_shown_bytes)
        return bytes(gathered)

    async def _keep(self, address: str, spool: Spool, end: bytes) -> Picture:
        proof, name = await in_thread(self._prove_and_keep, spool, end)
        return Picture(
            name=name,
            url=address,
            sha256=spool.sha256,
            width=proof.width,
            height=proof.height,
            bytes=spool.bytes,
        )

    def _prove_and_keep(self, spool: Spool, end: bytes) -> tuple[Proof, str]:
        """What touches the disk and the pixels, in one thread's turn."""
        spool.write(end)
        with self._decoding:
            proof = prove(spool.path, max_pixels=self._max_pixels)
        return proof, spool.keep(proof.extension)


async def in_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """`asyncio.to_thread` that a cancellation does not leave running with a file we are about to remove."""
    task = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        # Looked at, so that nobody logs it as forgotten.
        task.exception()
        raise


def _too_long(max_bytes: int) -> NotAllowed:
    """A setting (pictures.max_download_bytes) would allow it."""
    return NotAllowed(reason=f"more than {max_bytes:,} bytes", fixable=True)


def _as_it_is(url: httpx.URL) -> URL:
    """The address for aiohttp, which would rewrite escapes and so break signatures: all of it is an encoded path."""
    path = url.raw_path.decode("ascii")
    return URL.build(scheme=url.scheme, authority=url.netloc.decode("ascii"), path=path, encoded=True)


def _transient(error: Exception) -> Transient:
    # Its words may hold the whole address, which may be signed, and a part of what came.
    said = error.message if isinstance(error, aiohttp.ClientResponseError) else error
    return Transient(reason=words(f"{type(error).__name__}: {said}"))


def _objection(response: aiohttp.ClientResponse, max_bytes: int) -> NotFetched | None:
    """What the status and the headers have against the body."""
    status = response.status
    if status == HTTPStatus.OK:
        if says_more(response.headers, max_bytes):
            return _too_long(max_bytes)
        return NotAllowed(reason="a compressed reply") if is_compressed(response.headers) else None
    said = f"HTTP {status}"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return NotAllowed(reason=f"{said}: redirects are not followed")
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING:
        return Gone(reason=said)
    return Transient(reason=said)
