"""Steps that replicas confirm: what is sent, on which connection, what is no confirmation. Real servers, really stopped."""

import asyncio
import hashlib
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from jobs.config.settings import RedisSettings
from jobs.errors import ConfigError, UnconfirmedError
from jobs.ledger.confirmed import AsyncConfirmedRunner, ConfirmedRunner, Way
from jobs.ledger.script import Call, Script
from jobs.records import TaskId
from jobs.redis.client import connect, connect_async
from tests.faults.outcome import SkippedError
from tests.faults.servers import RedisServer
from tests.faults.standby import follow, newest_server, until

TEXT = "redis.call('HINCRBY', KEYS[1] .. ':meta', ARGV[1], 1) return 'ran'"


def step(name: str, text: str = TEXT) -> Call[str]:
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return Call(Script(text, sha), (name,), str)


class Pair:
    """A primary and its replica."""

    def __init__(self, folder: Path, config: str = "", of_replica: str = "") -> None:
        try:
            program = newest_server()
        except SkippedError as error:
            pytest.skip(str(error))
        self.primary = RedisServer(folder / "primary", "word", program=program, config=config)
        self.replica = RedisServer(folder / "replica", "word", program=program, config=of_replica)

    def start(self) -> None:
        self.primary.start()
        self.replica.start()
        follow(self.replica, self.primary, "word")

    @property
    def settings(self) -> RedisSettings:
        return RedisSettings(url=SecretStr(self.primary.url()))

    @contextmanager
    def runner(self, replicas: int = 1) -> Iterator[ConfirmedRunner]:
        client = connect(self.settings, db=1, patience_s=60)
        yield ConfirmedRunner(client, "vton", Way(replicas))
        client.close()

    def run_async(self, call: Call[str]) -> str:
        async def go() -> str:
            client = connect_async(self.settings, db=1, patience_s=60)
            try:
                return await AsyncConfirmedRunner(client, "vton", Way(1)).run(call)
            finally:
                await client.aclose()

        return asyncio.run(go())

    def runs(self, name: str) -> int:
        with self.primary.client(1) as client:
            return int(client.hget("vton:meta", name) or 0)

    @contextmanager
    def replica_stopped(self) -> Iterator[None]:
        self.replica.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.replica.signal(signal.SIGCONT)


@contextmanager
def pair_of(config: str = "", of_replica: str = "") -> Iterator[Pair]:
    with tempfile.TemporaryDirectory(prefix="vton-") as folder:
        made = Pair(Path(folder), config, of_replica)
        try:
            made.start()
            yield made
        finally:
            made.primary.kill()
            made.replica.kill()


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with pair_of() as made:
        yield made


Runs = Callable[[Pair, Call[str]], str]


def by_thread(pair: Pair, call: Call[str]) -> str:
    with pair.runner() as runner:
        return runner.run(call)


def by_coroutine(pair: Pair, call: Call[str]) -> str:
    return pair.run_async(call)


def surely(run: Runs, pair: Pair, call: Call[str]) -> str:
    """Runs a call until it is confirmed: on a busy machine a replica takes longer than it is waited for."""
    found: list[str] = []

    def done() -> bool:
        with suppress(UnconfirmedError):
            found.append(run(pair, call))
        return bool(found)

    until(done, "replicas confirm it")
    return found[0]


def heard(pair: Pair, work: Callable[[], object]) -> list[tuple[str, str]]:
    """Connection and command of all that the primary is sent, up to the end of the first wait for replicas."""
    with pair.primary.client(0) as client, client.monitor() as monitor:
        with suppress(UnconfirmedError):
            work()
        found: list[tuple[str, str]] = []
        while not found or not found[-1][1].startswith(("WAITAOF 1 1", "WAIT 1 2000")):
            told: dict[str, Any] = monitor.next_command()
            words = told["command"].split()
            if told["client_type"] != "lua":
                found.append((f"{told['client_address']}:{told['client_port']}", " ".join(words[:3])))
        return found


@pytest.mark.parametrize("run", [by_thread, by_coroutine])
def test_the_wait_comes_behind_the_script_on_its_own_connection(pair: Pair, run: Runs) -> None:
    surely(run, pair, step("warm"))
    said = heard(pair, lambda: run(pair, step("same")))
    last = said[-4:]
    assert len({connection for connection, _ in last}) == 1
    assert [words.split()[0] for _, words in last] == ["EVALSHA", "INCR", "WAIT", "WAITAOF"]
    assert last[-1][1] == "WAITAOF 1 1"


@pytest.mark.parametrize("run", [by_thread, by_coroutine])
def test_a_script_that_the_server_does_not_know_is_sent_whole_and_confirmed(pair: Pair, run: Runs) -> None:
    with pair.primary.client(0) as client:
        client.script_flush()
    name = f"unknown {run.__name__}"
    assert surely(run, pair, step(name)) == "ran"
    with pair.replica.client(1) as client:
        assert client.hget("vton:meta", name) == str(pair.runs(name)), "it was waited for"


@pytest.mark.parametrize("run", [by_thread, by_coroutine])
def test_a_replica_that_stands_still_confirms_nothing(pair: Pair, run: Runs) -> None:
    name = f"still {run.__name__}"
    with (
        pair.replica_stopped(),
        pytest.raises(UnconfirmedError, match="0 of 1 replicas have the last write after 2 s"),
    ):
        run(pair, step(name))
    assert pair.runs(name) == 1
    assert surely(run, pair, step(name)) == "ran"


@pytest.mark.parametrize("run", [by_thread, by_coroutine])
def test_a_connection_that_is_lost_meanwhile_is_no_confirmation_and_nothing_is_sent_again(
    pair: Pair, run: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new connection has written nothing, so that its wait would be over at once."""
    monkeypatch.setattr("jobs.ledger.confirmed.WAIT_MS", 60_000)  # the wait must not end before it is cut
    name = f"lost {run.__name__}"
    surely(run, pair, step("warm"))

    def cut() -> None:
        with pair.primary.client(0) as client:
            until(lambda: waiting(client), "somebody waits", step_s=0.01)
            for each in waiting(client):
                client.client_kill_filter(_id=each["id"])

    def waiting(client: Any) -> list[dict[str, str]]:
        return [each for each in client.client_list() if each["cmd"] == "waitaof"]

    with pair.replica_stopped():
        cutting = threading.Thread(target=cut)
        cutting.start()
        with pytest.raises(UnconfirmedError, match="does not answer"):
            run(pair, step(name))
        cutting.join()
    assert pair.runs(name) == 1


def test_owners_of_tasks_are_told_with_what_the_replicas_say(pair: Pair) -> None:
    async def ask() -> tuple[list[str | None], UnconfirmedError | None]:
        client = connect_async(pair.settings, db=1, patience_s=60)
        try:
            return await AsyncConfirmedRunner(client, "vton", Way(1)).owners_of(
                [TaskId("t-1"), TaskId("t-2")]
            )
        finally:
            await client.aclose()

    with pair.primary.client(1) as client:
        client.hset("vton:tasks", "t-1", "job-1")
    until(lambda: asyncio.run(ask()) == (["job-1", None], None), "replicas know it too")
    with pair.replica_stopped():
        owners, fault = asyncio.run(ask())
    assert owners == ["job-1", None], "what the primary says is worth hearing, to put it right"
    assert "0 of 1 replicas" in str(fault)


def test_an_error_of_the_script_stays_one(pair: Pair) -> None:
    with pair.primary.client(1) as client:
        client.set("vton:text", "a text")
    with pair.runner() as runner, pytest.raises(ConfigError, match=r"redis\.prefix"):
        runner.run(step("any", "return redis.call('HGET', KEYS[1] .. ':text', 'a')"))


def test_more_replicas_than_there_are_never_confirm(pair: Pair) -> None:
    with pair.runner(replicas=2) as runner, pytest.raises(UnconfirmedError, match=r"[01] of 2 replicas"):
        runner.run(step("two"))


def test_an_older_server_and_one_without_a_file_are_asked_for_the_memory_of_replicas() -> None:
    with pair_of(config='rename-command WAITAOF ""') as older:
        said = heard(older, lambda: by_thread(older, step("older")))
        assert said[-1][1] == "WAIT 1 2000"
        with older.replica_stopped(), pytest.raises(UnconfirmedError, match="0 of 1"):
            by_thread(older, step("older"))
    with pair_of() as unfiled:
        with unfiled.primary.client(0) as client:
            client.config_set("appendonly", "no")
        assert heard(unfiled, lambda: by_thread(unfiled, step("unfiled")))[-1][1] == "WAIT 1 2000"


def test_a_replica_without_a_file_of_its_own_does_not_count() -> None:
    with pair_of() as made:
        with made.replica.client(0) as client:
            client.config_set("appendonly", "no")
        with pytest.raises(UnconfirmedError, match="0 of 1"):
            by_thread(made, step("in memory"))
