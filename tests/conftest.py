"""One real Redis for a test run (one for each xdist worker); every test has key names of its own in it."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import hypothesis
import pytest
import redis
from pydantic import SecretStr

import jobs.ledger
from jobs.config.settings import RedisSettings
from jobs.ledger import Ledger
from jobs.local.redis_server import find_server
from jobs.producing.queue import Queue
from jobs.redis.client import connect
from tests.driver import Driver

# The same examples every time; a busy machine is no reason to fail.
hypothesis.settings.register_profile("tests", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("tests")


@pytest.fixture(scope="session")
def redis_socket() -> Iterator[Path]:
    """A server on a unix socket. Without a server program the tests fail: what they prove would not be proven."""
    server = find_server()
    if server is None:
        pytest.fail("no redis-server here: the tests need a real one (apt-get install redis-server)")
    # pytest's own folders have names too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="vton-"))
    socket = folder / "redis.sock"
    options = {"port": "0", "unixsocket": str(socket), "dir": str(folder), "save": "", "appendonly": "no"}
    command = [str(server), *(word for name, value in options.items() for word in (f"--{name}", value))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = []
            for line in process.stdout or ():
                said.append(line)
                if "eady to accept connections" in line:
                    break
            else:
                pytest.fail(f"{server} ended at once:\n{''.join(said)}")
            yield socket
        finally:
            process.terminate()
            process.communicate(timeout=10)
            shutil.rmtree(folder)


@pytest.fixture
def redis_settings(redis_socket: Path) -> RedisSettings:
    """Settings of this test's ledger and queue, with a prefix of its own."""
    return RedisSettings(url=SecretStr(f"unix://{redis_socket}"), prefix=f"t{uuid4().hex[:12]}", patience_s=1)


@pytest.fixture
def ledger(redis_settings: RedisSettings) -> Iterator[Ledger]:
    """An empty ledger; its keys are gone after the test."""
    client = connect(redis_settings, db=redis_settings.ledger_db, connections=64)
    yield Ledger(client, redis_settings.prefix)
    undocumented = list(stray_keys(client, redis_settings.prefix))
    flush(client, redis_settings.prefix)
    client.close()
    assert undocumented == [], "a key without a place in jobs/ledger/__init__.py must at least expire"


@pytest.fixture
def queue(redis_settings: RedisSettings) -> Iterator[Queue]:
    """An empty queue beside the ledger; its keys are gone after the test."""
    client = connect(redis_settings, db=redis_settings.queue_db)
    yield Queue(client, redis_settings.prefix)
    flush(client, redis_settings.prefix)
    client.close()


@pytest.fixture
def driver(ledger: Ledger) -> Driver:
    """The ledger, with short ways to bring jobs where a test wants them."""
    return Driver(ledger)


def stray_keys(client: redis.Redis, prefix: str) -> Iterator[str]:
    """Keys that the ledger's list of keys does not name, and that do not expire either."""
    listed = (jobs.ledger.__doc__ or "").split("\n\n")[1]
    kinds = {name.partition(":")[0] for line in listed.splitlines() for name in re.split(r"[, ]+", line[:16])}
    kinds |= {"ring", "reconciler", "export"}
    for key in client.scan_iter(f"{prefix}:*", count=1000):
        if key.split(":")[1] not in kinds and client.pttl(key) < 0:
            yield key


def flush(client: redis.Redis, prefix: str) -> None:
    """Removes the keys of one prefix."""
    for key in client.scan_iter(f"{prefix}:*", count=1000):
        client.unlink(key)
