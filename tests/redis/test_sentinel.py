"""A Redis behind sentinels: its address, its primary before and after a fail-over, and what a replica's refusal means."""

import asyncio
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import ReadOnlyError, ResponseError

from jobs.cli.doctor.check import State
from jobs.cli.doctor.replicas import check_fail_over
from jobs.config.redis_address import passwords, shown_place
from jobs.config.sentinel_address import sentinel_address
from jobs.config.settings import RedisSettings
from jobs.redis.client import connect, connect_async
from jobs.redis.sentinel import primary_only
from tests.faults.standby import Standby, until

PATIENT_S = 120


@pytest.fixture
def standby() -> Iterator[Standby]:
    with (
        tempfile.TemporaryDirectory(prefix="vton-") as folder,
        Standby(Path(folder), "word", replicas=1) as made,
    ):
        yield made


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
        found = {check.name: check for check in check_fail_over(opened)}
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
