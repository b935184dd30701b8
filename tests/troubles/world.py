"""A shop with work under way, and what can happen to it: a real ledger, real heartbeats, and processes where they matter."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from jobs.cli.session import Session
from jobs.config.settings import RedisSettings, Settings
from jobs.ledger import steps
from jobs.ledger.high_water import HighWaterMark, Mark
from jobs.ledger.records import Heartbeat
from jobs.producing.queue import Queue
from jobs.records import BatchId, Failure, Owner
from tests.driver import Answer, Driver
from worker.metrics import Metrics

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
NAME = BatchId("evening")
#: How long what comes by itself may take on a busy machine, s.
PATIENCE_S = 500
#: A wait that no test outlasts, ms.
LONG_MS = 3_600_000


@dataclass
class World:
    """One shop, its processes and what is known of it outside of Redis."""

    driver: Driver
    redis: RedisSettings
    queue: Queue
    folder: Path
    #: Settings by section; `settings` has them with the folders.
    limits: dict[str, Any] = field(default_factory=lambda: {"in_flight": 5, "images_per_minute": 20})
    more: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: What the workers of this host have counted lately.
    counted: Metrics = field(default_factory=Metrics)
    #: Roles whose heartbeats come before each look; None: real processes send them.
    working: tuple[str, ...] | None = ("submit", "collect")
    versions: tuple[str, ...] = ("0.2.0", "0.2.0")
    #: Redis does not answer.
    away: bool = False
    _forker: "subprocess.Popen[str] | None" = None
    _pids: list[int] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        folders = {"data_dir": self.folder / "data", "output_dir": self.folder / "out"}
        return Settings(**folders, limits=self.limits, redis={"prefix": self.redis.prefix}, **self.more)

    @property
    def session(self) -> Session:
        return Session(settings=self.settings, redis=self.redis, ledger=self.driver.ledger, queue=self.queue)

    # -- work --------------------------------------------------------------------------------------------------

    def evening(self, rows: int = 4, *, under_way: int = 1, seal: bool = True) -> None:
        """A batch of which some tasks are under way, and workers that have submitted them."""
        self.driver.admit(NAME, [f"row{n}" for n in range(rows)], seal=seal)
        for _ in range(under_way):
            self.driver.submitted()
        self.counted.submits.labels("accepted").inc(max(1, under_way))

    def end_badly(self, kind: str, owner: Owner, times: int = 1) -> None:
        """So many jobs end without their picture."""
        for _ in range(times):
            job = self.driver.submitted()
            why = Failure(kind=kind, message="it did not work", retryable=True, owner=owner)
            assert self.driver.ledger.run(steps.fail(job.request_id, why))
        self.counted.tasks.labels("failed").inc(times)

    def answered(self, effect: str, why: str) -> None:
        """HiDream answers the next submit so that everybody has to wait."""
        permit: Answer = self.driver.submitting()
        given = self.driver.give_back_call(permit.request_id, permit.claim, effect, why, (LONG_MS, LONG_MS))
        assert self.driver.ledger.run(given)[0] == 1

    def later(self, seconds: float) -> None:
        """The ledger's clock goes on; who lives says so again."""
        self.driver.ledger.client.hincrby(self.driver.ledger.key("clock"), "ahead", int(seconds * 1000))

    def asked(self) -> None:
        """The collect workers have just asked for every task."""
        for name in self.driver.members("due"):
            self.driver.score("due", name, self.driver.ledger.now_ms() + 60_000)

    def lose_ledger(self, *, orders: int = 0) -> None:
        """What is in Redis is not what the data folder remembers: that many orders are missing, or all of it."""
        mark = self.driver.ledger.mark()
        assert mark is not None
        (self.folder / "data").mkdir()
        known = HighWaterMark(self.folder / "data", self.redis.prefix)
        known.raise_to(Mark(ledger=mark.ledger, orders=mark.orders + orders))
        if not orders:
            for key in self.driver.ledger.client.scan_iter(f"{self.redis.prefix}:*"):
                self.driver.ledger.client.unlink(key)

    # -- processes ---------------------------------------------------------------------------------------------

    def start(self, *who: tuple[str, str]) -> list[int]:
        """Real processes, each with a role and a host; returns their ids once all of them were heard."""
        self.working = None
        if self._forker is None:
            self._forker = subprocess.Popen(
                [sys.executable, "-m", "tests.troubles.procession"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._forker.stdin is not None
        assert self._forker.stdout is not None
        begun = []
        for role, host in who:
            self._forker.stdin.write(
                f"{self.redis.url.get_secret_value()} {self.redis.prefix} {role} {host}\n"
            )
            self._forker.stdin.flush()
            begun.append(int(self._forker.stdout.readline()))
        self._pids += begun
        self.heard(len(self._pids))
        return begun

    def heard(self, count: int) -> None:
        """Waits until so many processes have said that they live, since the clock was last moved."""
        ledger = self.driver.ledger

        def fresh() -> int:
            texts = ledger.client.hvals(ledger.key("heartbeats"))
            return sum(ledger.now_ms() - int(text.partition(" ")[0]) < 5_000 for text in texts)

        until(lambda: fresh() >= count)

    def strike(self, *pids: int, with_signal: signal.Signals = signal.SIGKILL) -> None:
        """Ends these, or cuts them off, and lets the time pass after which who is silent is dead."""
        for pid in pids:
            os.kill(pid, with_signal)
        self.later(20)
        self.asked()
        self.heard(len(self._pids) - len(pids))

    def beat(self) -> None:
        """The workers say that they live, as they do every few seconds; they have been up for long."""
        for number, (role, version) in enumerate(zip(self.working or (), self.versions, strict=False)):
            said = Heartbeat(role=role, host="h1", pid=number, version=version, up_ms=10**9)  # type: ignore[arg-type]
            self.driver.ledger.run(steps.heartbeat(f"h1-{role}", said))

    def close(self) -> None:
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._forker is not None:
            self._forker.communicate(timeout=PATIENCE_S)


def until(holds: Callable[[], T]) -> T:
    """Waits for something that comes by itself, however busy the machine is."""
    ends = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < ends
        time.sleep(0.02)
    return found
