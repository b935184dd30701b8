"""The pictures behind a manifest's addresses, fetched for the contact sheet once a job's own picture is recorded.

They are for people's eyes only: nothing waits for them, and whatever fails here, nothing else does. An address is asked for
once by a process, few at a time, and its host is left alone for a while when it does not answer.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import structlog

from jobs.records import Pair, Picture, Url
from jobs.report.thumbnails import Thumbnails, address_key
from worker.collect.download import Downloader, in_thread
from worker.collect.picture_process import PictureProcess

log = structlog.get_logger()

#: How long an address may take, s.
_WAIT_S: Final = 5.0
#: Addresses asked for at once, and those that may wait for it; more are not asked for.
_AT_ONCE: Final = 4
_WAITING: Final = 200
#: Failures in a row after which a host is left alone, and for how long, s.
_ENOUGH: Final = 2
_REST_S: Final = 600.0
#: Addresses that are remembered as asked for.
_REMEMBERED: Final = 200_000


@dataclass(slots=True)
class _Host:
    failures: int = 0
    rests_until_s: float = 0


@dataclass(slots=True, kw_only=True)
class ShownPictures:
    """Fetches what was put into collected jobs; one per event loop."""

    thumbnails: Thumbnails
    downloader: Downloader
    #: Makes them small.
    process: PictureProcess
    #: Suffixes of hosts that a manifest's pictures are fetched from; `*`: every public one.
    hosts: tuple[str, ...]
    clock: Callable[[], float] = time.monotonic
    _asked: set[str] = field(default_factory=set)
    _resting: dict[str, _Host] = field(default_factory=dict)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _under_way: set["asyncio.Task[None]"] = field(default_factory=set)

    def offer(self, pair: Pair, pictures: Sequence[Picture]) -> None:
        """Has everything that is shown of a job made small and measured some time; never waits, never raises."""
        try:
            self.process.offer(pair, pictures)
            for _, source in pair.slots():
                if isinstance(source, Url) and len(self._under_way) < _WAITING and self._wants(source.url):
                    task = asyncio.get_running_loop().create_task(self._fetch(source.url))
                    self._under_way.add(task)
                    task.add_done_callback(self._under_way.discard)
        except Exception as error:  # noqa: BLE001 the pictures are bought and recorded, whatever their thumbnails meet
            log.debug("thumbnail.failed", what="internal", reason=type(error).__name__)

    async def settle(self) -> None:
        """Waits for the fetches that are under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def _wants(self, url: str) -> bool:
        """Whether an address is to be asked for now; it then counts as asked for."""
        host = _host(url)
        allowed = bool(host) and any(
            suffix in {"*", host} or host.endswith(f".{suffix}") for suffix in self.hosts
        )
        key = address_key(url)
        resting = self._resting.get(host, _Host()).rests_until_s > self.clock()
        if not allowed or resting or key in self._asked or self.thumbnails.has(key):
            return False
        if len(self._asked) >= _REMEMBERED:
            self._asked.clear()
        self._asked.add(key)
        return True

    async def _fetch(self, url: str) -> None:
        try:
            async with self._room, asyncio.timeout(_WAIT_S):
                content = await self.downloader.read(url)
                if isinstance(content, bytes):
                    self._resting.pop(_host(url), None)
                    await in_thread(self._hand_on, address_key(url), content)
                    return
            log.debug("thumbnail.failed", what=type(content).__name__.lower(), reason=content.reason)
        except Exception as error:  # noqa: BLE001 a session that was closed meanwhile, a full disk
            log.debug("thumbnail.failed", what=type(error).__name__.lower(), reason=str(error))
        self._failed(url)

    def _hand_on(self, key: str, content: bytes) -> None:
        file = self.thumbnails.under_way()
        file.write_bytes(content)
        if not self.process.offer_file(key, file):
            file.unlink()

    def _failed(self, url: str) -> None:
        state = self._resting.setdefault(_host(url), _Host())
        state.failures += 1
        if state.failures >= _ENOUGH:
            state.failures = 0
            state.rests_until_s = self.clock() + _REST_S


def _host(url: str) -> str:
    """An address' host in small letters; empty when it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
