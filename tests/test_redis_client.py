"""The way to Redis: how long one that is away is waited for, and what it is called then."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import SecretStr

from jobs.errors import ConfigError, RedisDownError
from jobs.redis_client import connect, connect_async, translated
from jobs.redis_retry import Waits
from jobs.settings import RedisSettings

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
