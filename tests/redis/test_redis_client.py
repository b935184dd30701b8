"""The way to Redis: how long one that is away is waited for, and what it is called then."""

import asyncio
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis
import uvloop
from pydantic import SecretStr
from redis.backoff import ConstantBackoff
from redis.exceptions import ResponseError
from redis.retry import Retry

from jobs.config.settings import RedisSettings, Settings
from jobs.errors import ConfigError, RedisDownError
from jobs.ledger import Ledger
from jobs.local.redis_server import find_server
from jobs.records import BatchId
from jobs.redis.client import check_clients, clients_of_run, connect, connect_async, translated
from jobs.redis.retry import Waits

#: What a busy machine may add, s; far below what one more time-out of 15 s would.
BUSY_S = 9


@pytest.fixture
def hanging() -> Iterator[int]:
    """The port of a server that takes every connection and never says a word."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:

        def take() -> None:
            with suppress(OSError):
                while True:
                    held.append(listening.accept()[0])

        thread = threading.Thread(target=take)
        thread.start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    for each in held:
        each.close()


@pytest.fixture
def refusing() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def settings(port: int) -> RedisSettings:
    return RedisSettings(url=SecretStr(f"redis://127.0.0.1:{port}"))


def outlasts(port: int, patience_s: float) -> float:
    """Seconds until a command gives up."""
    client = connect(settings(port), db=0, patience_s=patience_s)
    began = time.monotonic()
    with pytest.raises(RedisDownError), translated():
        client.ping()
    client.close()
    return time.monotonic() - began


async def outlasts_async(port: int, patience_s: float) -> float:
    client = connect_async(settings(port), db=0, patience_s=patience_s)
    began = time.monotonic()
    with pytest.raises(RedisDownError), translated():
        await client.ping()
    await client.aclose()
    return time.monotonic() - began


def test_a_refusing_server_is_waited_for_by_the_clock(refusing: int) -> None:
    assert 1 <= outlasts(refusing, 2) < 2 + BUSY_S
    assert 1 <= asyncio.run(outlasts_async(refusing, 2)) < 2 + BUSY_S


def test_a_hanging_server_does_not_multiply_the_time(hanging: int) -> None:
    assert outlasts(hanging, 1) < 7 + BUSY_S
    assert asyncio.run(outlasts_async(hanging, 1)) < 7 + BUSY_S


def test_waits_stay_short_after_any_number_of_failures() -> None:
    assert all(Waits().compute(failures) <= 1 for failures in (1, 10, 1024, 100_000))


def test_a_wrong_password_is_not_waited_for(redis_socket: Path) -> None:
    wrong = RedisSettings(url=SecretStr(f"unix://nobody:wrong@{redis_socket}"))
    client = connect(wrong, db=0, patience_s=60)
    began = time.monotonic()
    with pytest.raises(ConfigError, match="wrong or missing password"), translated():
        client.ping()
    assert time.monotonic() - began < 30
    client.close()


# -- what is refused, in a line of its own -------------------------------------------------------------------


@pytest.fixture
def narrow() -> Iterator[redis.Redis]:
    """A server of one database."""
    folder = Path(tempfile.mkdtemp(prefix="vton-"))
    path = folder / "redis.sock"
    words = {"port": "0", "unixsocket": str(path), "databases": "1", "save": "", "dir": str(folder)}
    argv = [str(find_server()), *(word for name, value in words.items() for word in (f"--{name}", value))]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
        client = redis.Redis(unix_socket_path=str(path), retry=Retry(ConstantBackoff(0.05), 600))
        client.ping()
        yield client
        client.close()
        process.terminate()
    shutil.rmtree(folder)


def address(client: redis.Redis) -> str:
    return f"unix://{client.connection_pool.connection_kwargs['path']}"


def test_too_few_databases_are_told_with_the_settings_to_change(narrow: redis.Redis) -> None:
    client = connect(RedisSettings(url=SecretStr(address(narrow))), db=1, patience_s=1)
    with (
        pytest.raises(ConfigError, match=r"fewer databases than redis\.queue_db and redis\.ledger_db"),
        translated(),
    ):
        client.ping()
    client.close()


def test_too_many_clients_are_told_before_a_run_and_while_it_lasts(narrow: redis.Redis) -> None:
    narrow.config_set("maxclients", 10)
    with pytest.raises(
        ConfigError, match="takes 10 clients and has 1; a run needs 48 more: raise its maxclients"
    ):
        check_clients(narrow, clients_of_run(Settings()))
    check_clients(narrow, 9)
    narrow.config_set("maxclients", 1)
    client = connect(RedisSettings(url=SecretStr(address(narrow))), db=0, patience_s=1)
    with pytest.raises(RedisDownError), translated():
        client.ping()
    client.close()


def test_a_key_that_is_not_ours_is_told(ledger: Ledger) -> None:
    ledger.client.set(ledger.key("meta"), "somebody else's")
    with pytest.raises(ConfigError, match=r"name another redis\.prefix"):
        ledger.mark()
    with pytest.raises(ConfigError, match=r"name another redis\.prefix"):
        ledger.open_batch(BatchId("a"))


def test_a_missing_right_is_told(ledger: Ledger, redis_settings: RedisSettings) -> None:
    ledger.client.execute_command(
        "ACL", "SETUSER", "looker", "on", ">word", "~*", "+@all", "-hmget", "-eval", "-evalsha"
    )
    url = redis_settings.url.get_secret_value().replace("unix://", "unix://looker:word@")
    client = connect(redis_settings.model_copy(update={"url": SecretStr(url)}), db=1, patience_s=1)
    try:
        with pytest.raises(ConfigError, match=r"no right to do what is needed, see docs/deploy\.md"):
            Ledger(client, redis_settings.prefix).mark()
        with pytest.raises(ConfigError, match="no right"):
            Ledger(client, redis_settings.prefix).open_batch(BatchId("a"))
    finally:
        client.close()
        ledger.client.execute_command("ACL", "DELUSER", "looker")


def test_a_server_whose_replicas_are_away_is_waited_for(ledger: Ledger) -> None:
    # Beside Sentinel it refuses writes until one is back: whoever holds an answer keeps trying.
    ledger.client.config_set("min-replicas-to-write", 1)
    try:
        with pytest.raises(RedisDownError, match="takes no writes: NOREPLICAS"):
            ledger.seal(BatchId("b"))
    finally:
        ledger.client.config_set("min-replicas-to-write", 0)


def test_an_error_of_ours_stays_one(ledger: Ledger) -> None:
    with pytest.raises(ResponseError), translated():
        ledger.client.eval("return no_such_word()", 0)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_connection_that_was_cut_is_made_anew_in_any_loop(redis_settings: RedisSettings, loop: Any) -> None:
    """uvloop raises RuntimeError where a closed connection is written to, which redis-py takes for no lost connection."""

    async def go() -> list[object]:
        client = connect_async(redis_settings, db=0, patience_s=5)
        found = [await client.ping()]
        for connection in list(client.connection_pool._available_connections):
            connection._writer.transport.abort()
        found.append(await client.ping())
        await client.aclose()
        return found

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(go()) == [True, True]
