"""A primary and its replica, which tests promote."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from jobs.config.settings import RedisSettings
from jobs.ledger import Ledger, steps
from jobs.ledger.records import Heartbeat
from jobs.ledger.term import KnownTerm
from jobs.redis.client import connect
from tests.driver import Driver
from tests.faults.outcome import SkippedError
from tests.faults.servers import RedisServer
from tests.faults.standby import cut_off, follow, hear_all, newest_server

BEAT = steps.heartbeat("p", Heartbeat(role="submit", host="h", pid=1, version="0", up_ms=1))


@dataclass
class Two:
    """A primary with a ledger, and its replica."""

    primary: RedisServer
    replica: RedisServer

    def cut_off(self) -> None:
        """What is written from now on does not reach the replica."""
        hear_all(self.replica, self.primary)
        cut_off(self.primary, self.replica)

    def promote(self) -> None:
        """The replica is promoted with what it has; the primary goes on, and takes itself for one."""
        with self.replica.client(1) as client:
            client.replicaof("NO", "ONE")

    def fail_over(self) -> None:
        """The same, and it has everything."""
        hear_all(self.replica, self.primary)
        self.promote()


def settings(server: RedisServer) -> RedisSettings:
    return RedisSettings(url=SecretStr(server.url()))


def opened(server: RedisServer, known: KnownTerm | None = None) -> Driver:
    """A driver of the ledger there, which is as patient as a command that is asked for by hand."""
    return Driver(Ledger(connect(settings(server), db=1, patience_s=0.2), "vton", known))


@pytest.fixture(scope="module")
def servers() -> Iterator[Two]:
    with tempfile.TemporaryDirectory(prefix="vton-") as folder:
        try:
            program = newest_server()
        except SkippedError as error:
            pytest.skip(str(error))
        two = Two(*(RedisServer(Path(folder, name), "word", program=program) for name in ("a", "b")))
        try:
            two.primary.start()
            two.replica.start()
            yield two
        finally:
            two.primary.kill()
            two.replica.kill()


@pytest.fixture
def two(servers: Two) -> Two:
    """With a new ledger, known to both."""
    with servers.primary.client(1) as client, servers.replica.client(1) as other:
        client.replicaof("NO", "ONE")
        client.flushall()
        other.flushall() if other.info("replication")["role"] == "master" else None
    follow(servers.replica, servers.primary, "word")
    driver = opened(servers.primary)
    driver.admit("a", ["x", "y", "z"])
    driver.ledger.run(BEAT)
    assert driver.ledger.term.text == "0"
    return servers
