"""A Redis behind sentinels: its address, its primary before and after a fail-over, and what a replica's refusal means."""

import asyncio
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
import redis
import structlog
from pydantic import SecretStr
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import ReadOnlyError, ResponseError

from jobs.cli.doctor.check import State
from jobs.cli.doctor.redis import check_server
from jobs.cli.doctor.replicas import check_replicas, check_sentinels
from jobs.config.redis_address import passwords, shown_place
from jobs.config.sentinel_address import sentinel_address
from jobs.config.settings import RedisSettings
from jobs.errors import ConfigError, RedisDownError
from jobs.local.redis_server import find_server
from jobs.redis.client import connect, connect_async, translated
from jobs.redis.sentinel import primary_only
from tests.faults.servers import RedisServer
from tests.faults.standby import Standby, follow, until
from tests.ports import free_port

PATIENT_S = 120


@pytest.fixture
def standby() -> Iterator[Standby]:
    with (
        tempfile.TemporaryDirectory(prefix="vton-") as folder,
        Standby(Path(folder), "word", replicas=1) as made,
    ):
        yield made


class Lone:
    """A primary of before that has become a replica, the primary, and a sentinel of each that knows no other one."""

    def __init__(self, folder: Path) -> None:
        config = "repl-diskless-sync-delay 0\n"
        self.servers = [RedisServer(folder / name, "word", config=config) for name in ("before", "now")]
        self._ports = [free_port(), free_port()]
        self._folder = folder
        self._sentinels: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        return f"redis+sentinel://:word@{','.join(f'127.0.0.1:{port}' for port in self._ports)}/mymaster"

    def __enter__(self) -> Self:
        program = find_server()
        assert program is not None
        for server in self.servers:
            server.start()
        for server, port in zip(self.servers, self._ports, strict=True):
            config = self._folder / f"sentinel-{port}.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {self._folder}\nlogfile {self._folder}/sentinel-{port}.log\n"
                f"sentinel monitor mymaster 127.0.0.1 {server.port} 1\nsentinel auth-pass mymaster word\n"
                "sentinel down-after-milliseconds mymaster 600000\n"
            )
            argv = [program, config, "--sentinel"]
            self._sentinels.append(subprocess.Popen(argv, stdout=subprocess.DEVNULL))
        until(lambda: all(map(self._answers, self._ports)), "the sentinels answer")
        follow(self.servers[0], self.servers[1], "word")
        return self

    def __exit__(self, *_: object) -> None:
        for sentinel in self._sentinels:
            sentinel.kill()
            sentinel.wait()
        for server in self.servers:
            server.kill()

    @staticmethod
    def _answers(port: int) -> bool:
        try:
            with redis.Redis(port=port) as sentinel:
                return bool(sentinel.ping())
        except redis.RedisError:
            return False


def settings(standby: Standby, **more: Any) -> RedisSettings:
    return RedisSettings(url=SecretStr(standby.url), **more)


def test_an_address_names_sentinels_service_and_what_holds_for_the_servers() -> None:
    text = (
        "rediss+sentinel://u:p%40@h1,[::1]:7/mine?ssl_ca_certs=/ca.pem"
        "&sentinel_username=s&sentinel_password=w%2Fx"
    )
    found = sentinel_address(text)
    assert found is not None
    assert found.sentinels == (("h1", 26379), ("::1", 7))
    assert (found.service, found.username, found.password) == ("mine", "s", "w/x")
    assert found.server == "rediss://u:p%40@sentinel?ssl_ca_certs=%2Fca.pem"
    assert passwords(text) == ["p%40", "p@", "w/x"]
    assert shown_place(text) == "mine of the sentinels h1:26379,[::1]:7"
    assert not {"p%40", "w/x"} & set(repr(found).replace("'", " ").split())
    assert sentinel_address("redis://h1") is None


@pytest.mark.parametrize(
    "refusal",
    [
        ReadOnlyError("You can't write against a read only replica."),
        ResponseError(
            "Error running script (call to f_1): -READONLY You can't write against a read only replica."
        ),
        ResponseError(
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
        ),
    ],
)
def test_whoever_has_become_a_replica_is_left(refusal: ResponseError) -> None:
    with pytest.raises(LostConnectionError), primary_only():
        raise refusal


def test_any_other_refusal_stays_what_it_is() -> None:
    with pytest.raises(ResponseError, match="WRONGTYPE"), primary_only():
        raise ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")


def test_clients_of_a_primary_that_dies_wait_for_the_next_one_and_go_there(standby: Standby) -> None:
    client = connect(settings(standby), db=1, patience_s=PATIENT_S)
    primary, (replica,) = standby.primary, standby.replicas()

    async def both() -> list[Any]:
        other = connect_async(settings(standby), db=1, patience_s=PATIENT_S)
        said = [await other.set("a", "b"), await other.config_get("port")]
        with replica.client(1) as there:
            until(lambda: there.get("a") == "b", "the replica has it")
        primary.kill()
        # The connection that has just served is tried again: it must not go back to the dead one.
        said += [await other.get("a"), await other.config_get("port")]
        await other.aclose()
        return said

    assert client.ping()
    ports = [{"port": str(server.port)} for server in (primary, replica)]
    assert asyncio.run(both()) == [True, ports[0], "b", ports[1]]
    assert client.get("a") == "b"
    client.close()


def test_a_primary_that_falls_silent_is_left_within_its_time_out(standby: Standby) -> None:
    client = connect(settings(standby), db=1, patience_s=PATIENT_S)
    assert client.connection_pool.connection_kwargs["socket_timeout"] < 10
    primary, (replica,) = standby.primary, standby.replicas()
    assert client.config_get("port") == {"port": str(primary.port)}
    primary.signal(signal.SIGSTOP)
    try:
        assert client.config_get("port") == {"port": str(replica.port)}
    finally:
        primary.signal(signal.SIGCONT)
        client.close()


def test_doctor_tells_of_sentinels_and_replicas(standby: Standby) -> None:
    def looked(replicas: int) -> dict[str, Any]:
        redis = settings(standby, replicas=replicas)
        client = connect(redis, db=1, patience_s=PATIENT_S)
        opened: Any = SimpleNamespace(
            settings=SimpleNamespace(redis=redis), ledger=SimpleNamespace(client=client, prefix="vton")
        )
        checks = (*check_sentinels(redis), *check_replicas(opened))
        found = {check.name: check for check in checks}
        client.close()
        return found

    # A busy replica takes longer than it is waited for.
    until(lambda: looked(1)["replicas"].state is State.OK, "the replica confirms")
    found = looked(1)
    assert "3 of 3 answer; mymaster is 127.0.0.1:" in found["sentinels"].message
    assert found["replicas"].message.startswith("1 replica: 127.0.0.1:")
    assert found["sentinels"].state is State.OK
    unwaited = looked(0)["replicas"]
    assert (unwaited.state, "redis.replicas is 0" in unwaited.message) == (State.WARNING, True)
    too_many = looked(2)["replicas"]
    assert too_many.state is State.WRONG
    assert "of 2 replicas have the last write after 2 s" in too_many.message
    standby.silence(1)
    silent = looked(1)["sentinels"]
    assert (silent.state, "2 of 3 answer" in silent.message) == (State.WARNING, True)
    assert "word" not in silent.message


def sentinels_check(url: str) -> Any:
    return next(iter(check_sentinels(RedisSettings(url=SecretStr(url)))))


def test_where_no_primary_is_named_doctor_tells_what_each_sentinel_says(standby: Standby) -> None:
    other = standby.url.replace("/mymaster", "/other")
    found = sentinels_check(other)
    assert (found.state, "0 of 3 answer; other is not known" in found.message) == (State.WRONG, True)
    assert found.message.count("it knows no other; services that it knows: mymaster") == 3
    address = sentinel_address(other)
    assert address is not None
    host, port = address.sentinels[0]
    with redis.Redis(host=host, port=port) as sentinel:
        sentinel.execute_command("ACL", "SETUSER", "default", "-sentinel|masters")
        said = sentinels_check(other).message
        sentinel.execute_command("ACL", "SETUSER", "default", "+@all")
    assert (said.count("No such master"), said.count("services that it knows")) == (1, 2)
    with (
        pytest.raises(RedisDownError, match="no sentinel names a primary of other; vton doctor") as caught,
        translated(),
    ):
        connect(RedisSettings(url=SecretStr(other)), db=1, patience_s=0.1).ping()
    assert "word" not in str(caught.value)
    servers = f"redis+sentinel://:word@127.0.0.1:{standby.primary.port}/mymaster?sentinel_password="
    assert "it refuses sentinel_password" in sentinels_check(f"{servers}wrong").message
    with pytest.raises(ConfigError, match="is no sentinel"), translated():
        connect(RedisSettings(url=SecretStr(f"{servers}word")), db=1, patience_s=0.1).ping()


def test_doctor_tells_of_an_address_that_leads_to_a_replica(standby: Standby) -> None:
    (replica,) = standby.replicas()
    redis = RedisSettings(url=SecretStr(replica.url()))
    with replica.client(1) as client:
        opened: Any = SimpleNamespace(
            settings=SimpleNamespace(redis=redis), ledger=SimpleNamespace(client=client)
        )
        found = check_server(opened)
    assert (found.state, f"a replica of 127.0.0.1:{standby.primary.port}" in found.message) == (
        State.WRONG,
        True,
    )


def test_a_sentinel_that_still_names_the_primary_of_before_keeps_nobody_there(tmp_path: Path) -> None:
    with Lone(tmp_path) as lone:
        settings = RedisSettings(url=SecretStr(lone.url))

        async def other() -> Any:
            client = connect_async(settings, db=1, patience_s=PATIENT_S)
            try:
                return await client.set("a", "b"), await client.config_get("port")
            finally:
                await client.aclose()

        client = connect(settings, db=1, patience_s=PATIENT_S)
        assert client.set("a", "b")
        assert client.config_get("port") == {"port": str(lone.servers[1].port)}
        client.close()
        client = connect(settings, db=1, patience_s=0.1)
        with structlog.testing.capture_logs() as events, pytest.raises(LostConnectionError):
            client.eval("return redis.error_reply('READONLY fenced: of before')", 0)
        client.close()
        assert [(event["event"], event["why"].split(" script:")[0]) for event in events] == [
            ("redis.fenced", "of before")
        ]
        assert asyncio.run(other()) == (True, {"port": str(lone.servers[1].port)})
