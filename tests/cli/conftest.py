"""A shop for commands that start no worker, and a Redis that is somebody else's."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

from jobs.config.settings import RedisSettings
from jobs.ledger import Ledger
from jobs.producing.queue import Queue
from tests.runs.shop import TOKEN, Shop, open_shop
from tests.runs.vendor import Vendor


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    vendor = Vendor()
    vendor.token = TOKEN
    made = open_shop(tmp_path, vendor)
    yield made
    made.close()
    vendor.close()
    assert not vendor.submits
    assert made.leaks() == []


@dataclass
class Elsewhere:
    """The test's Redis as a command meets it that was told of it by `redis.url`."""

    socket: Path
    prefix: str
    client: redis.Redis
    _before: dict[str, str] = field(default_factory=dict)
    _users: list[str] = field(default_factory=list)

    def env(self, user: str = "") -> dict[str, str]:
        """The settings of a command; `user`: one that `forbid` has made."""
        who = f"{user}:shopkeeper@" if user else ""
        return {"VTON_REDIS__URL": f"unix://{who}{self.socket}", "VTON_REDIS__PREFIX": self.prefix}

    def configure(self, **settings: str) -> None:
        """Changes its redis.conf until the test is over."""
        for name, value in settings.items():
            known = name.replace("_", "-")
            self._before |= self.client.config_get(known) | self._before
            self.client.config_set(known, value)

    def forbid(self, user: str, *commands: str) -> None:
        """Makes a user that may do everything else."""
        denied = [f"-{command}" for command in commands]
        self.client.execute_command("ACL", "SETUSER", user, "on", ">shopkeeper", "~*", "&*", "+@all", *denied)
        self._users.append(user)

    def restore(self) -> None:
        for name, value in self._before.items():
            self.client.config_set(name, value)
        for user in self._users:
            self.client.execute_command("ACL", "DELUSER", user)


@pytest.fixture
def elsewhere(
    redis_socket: Path, redis_settings: RedisSettings, ledger: Ledger, queue: Queue
) -> Iterator[Elsewhere]:
    """Its keys are those of the fixtures `ledger`, `queue` and `driver`."""
    client = redis.Redis(unix_socket_path=str(redis_socket), decode_responses=True)
    made = Elsewhere(socket=redis_socket, prefix=redis_settings.prefix, client=client)
    yield made
    made.restore()
    client.close()
