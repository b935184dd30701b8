"""Asks for every address of a manifest: a few hosts at once, each in parallel within limits and at a pace."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jobs.addresses.asking import Asker
from jobs.addresses.findings import Busy, Finding
from jobs.addresses.found import Found
from jobs.config.settings import AddressCheckSettings

#: Hosts that are asked at once.
HOSTS = 8
#: How often an address is asked for whose host wants to be left alone for a while.
_TRIES = 3
#: Addresses of one host without any answer, one after the other, after which it is left alone.
_ENOUGH = 10
_NO_ANSWER = frozenset({"dns", "tls", "unreachable", "timeout", "private"})
_LEFT_ALONE = Finding(kind="not_asked", words=f"not asked: its host gave no answer {_ENOUGH} times in a row")
_BUSY = Finding(kind="busy", words="the host wants to be asked less often")


async def check(
    found: Found, asker: Asker, settings: AddressCheckSettings, tell: Callable[[int], None]
) -> None:
    """Asks for all that is not known yet; `tell` hears of every one that is done."""
    hosts = found.hosts()
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(HOSTS):
                group.create_task(_check_hosts(hosts, found, asker, settings, tell))
    finally:
        # Whoever interrupts it keeps what was found.
        found.flush()


async def _check_hosts(
    hosts: Iterator[tuple[str, int]],
    found: Found,
    asker: Asker,
    settings: AddressCheckSettings,
    tell: Callable[[int], None],
) -> None:
    for host, count in hosts:
        checked = _Host(found.waiting(host), found, asker, _Pace(settings.per_second), tell)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(count, settings.parallel)):
                group.create_task(checked.work())


class _Pace:
    """When the next request to a host may begin."""

    def __init__(self, per_second: float) -> None:
        self._gap_s = 1 / per_second
        #: By the loop's clock: the next turn, and until when nobody has one.
        self._next_s = self._held_s = 0.0

    async def turn(self) -> None:
        """Waits for the next turn."""
        now = asyncio.get_running_loop().time()
        begins, self._next_s = max(now, self._next_s), max(now, self._next_s) + self._gap_s
        while (wait_s := begins - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(wait_s)
            begins = max(begins, self._held_s)

    def hold(self, seconds: float) -> None:
        """Nobody has a turn for so long."""
        until = asyncio.get_running_loop().time() + seconds
        self._held_s = max(self._held_s, until)
        self._next_s = max(self._next_s, until)


@dataclass(slots=True)
class _Host:
    """One host's addresses, which several coroutines work through."""

    waiting: Iterator[tuple[int, str]]
    found: Found
    asker: Asker
    pace: _Pace
    tell: Callable[[int], None]
    #: Addresses without an answer since the last one with an answer.
    unanswered: int = 0

    async def work(self) -> None:
        """Asks for one address after the other."""
        for number, url in self.waiting:
            finding = _LEFT_ALONE if self.unanswered >= _ENOUGH else await self._ask(url)
            self.found.save(number, finding)
            self.tell(1)

    async def _ask(self, url: str) -> Finding:
        for _ in range(_TRIES):
            await self.pace.turn()
            finding = await self.asker.ask(url)
            if not isinstance(finding, Busy):
                self.unanswered = self.unanswered + 1 if finding.kind in _NO_ANSWER else 0
                return finding
            self.pace.hold(finding.wait_s)
        return _BUSY
