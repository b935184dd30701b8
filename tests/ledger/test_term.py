"""Terms: what a fail-over makes of them, and what a server of an earlier one is told. Real servers, really promoted."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import ReadOnlyError

from jobs.config.settings import LimitSettings
from jobs.errors import RedisDownError
from jobs.ledger import AsyncRunner
from jobs.ledger.confirmed import AsyncConfirmedRunner, ConfirmedRunner, Way
from jobs.ledger.high_water import HighWaterMark, Mark
from jobs.ledger.term import KnownTerm
from jobs.producing.control import resume
from jobs.redis.client import connect, connect_async
from jobs.redis.sentinel import primary_only
from tests.driver import Driver
from tests.faults.servers import RedisServer
from tests.faults.standby import follow
from tests.ledger.conftest import BEAT, Two, opened, settings
from tests.on_loop import gate_of
from worker.collect.pipelined import PipelinedRunner


def there(server: RedisServer) -> dict[str, Any]:
    """All of the ledger but how often replicas were waited for."""
    return {name: content for name, content in opened(server).snapshot().items() if name != "confirmed"}


def by_thread(server: RedisServer, known: KnownTerm) -> None:
    opened(server, known).ledger.run(BEAT)


def by_thread_confirmed(server: RedisServer, known: KnownTerm) -> None:
    # Nobody has to confirm it: what is asked is how a refusal is met.
    ConfirmedRunner(connect(settings(server), db=1, patience_s=0.2), "vton", Way(0), term=known).run(BEAT)


def by_coroutine(kind: Callable[..., AsyncRunner]) -> Callable[[RedisServer, KnownTerm], None]:
    def run(server: RedisServer, known: KnownTerm) -> None:
        async def go() -> None:
            client = connect_async(settings(server), db=1, patience_s=0.2)
            try:
                await kind(client, "vton", term=known).run(BEAT)
            finally:
                await client.aclose()

        asyncio.run(go())

    return run


DOORS = [
    by_thread,
    by_thread_confirmed,
    by_coroutine(AsyncRunner),
    by_coroutine(PipelinedRunner),
    by_coroutine(lambda *args, **more: AsyncConfirmedRunner(*args, Way(0), **more)),
]


@pytest.mark.parametrize("run", DOORS)
def test_a_promotion_begins_a_term_which_every_door_learns_and_no_door_changes_the_old_primary(
    two: Two, run: Callable[[RedisServer, KnownTerm], None]
) -> None:
    two.fail_over()
    known = KnownTerm()
    run(two.replica, known)
    assert known.text == "0", "it has recognised the promotion, which was no earlier term then"
    run(two.replica, known)
    assert known.text.startswith("1-")
    before = there(two.primary)
    with pytest.raises(RedisDownError):
        run(two.primary, known)
    assert there(two.primary) == before
    run(two.replica, known)


def test_calls_that_are_refused_at_once_are_all_sent_again(two: Two) -> None:
    two.fail_over()
    opened(two.replica).ledger.run(BEAT)

    async def go() -> list[int]:
        client = connect_async(settings(two.replica), db=1, patience_s=0.2)
        try:
            runner = PipelinedRunner(client, "vton", term=KnownTerm())
            return await asyncio.gather(*(runner.run(BEAT) for _ in range(4)))
        finally:
            await client.aclose()

    assert len(asyncio.run(go())) == 4


def test_every_intent_looks_who_serves_the_ledger(two: Two) -> None:
    permit = opened(two.primary).granted()
    two.fail_over()
    promoted = opened(two.replica)
    promoted.begin(permit.request_id, permit.claim)
    promoted.begin(permit.request_id, permit.claim)
    assert promoted.ledger.term.text.startswith("1-")


def test_a_server_that_was_the_primary_before_is_told_of_once(two: Two) -> None:
    two.fail_over()
    known = KnownTerm()
    promoted = opened(two.replica, known)
    for _ in "ab":
        promoted.ledger.run(BEAT)
    old = opened(two.primary, known)
    with structlog.testing.capture_logs() as events:
        for _ in "ab":
            with pytest.raises(RedisDownError, match="takes no writes"):
                old.ledger.run(BEAT)
    assert [event["event"] for event in events] == ["redis.fenced"]
    assert known.text in events[0]["why"]


def test_two_primaries_of_one_term_are_two(two: Two) -> None:
    """Each may have been promoted by somebody else: whoever has begun with one does not go on with the other."""
    two.fail_over()
    known = KnownTerm()
    for _ in "ab":
        opened(two.replica, known).ledger.run(BEAT)
    with two.primary.client(1) as client:
        client.hset("vton:clock", "term", "1-00000000")
    with pytest.raises(RedisDownError):
        opened(two.primary, known).ledger.run(BEAT)


def test_a_connection_to_it_is_left_as_one_to_a_replica_is() -> None:
    with structlog.testing.capture_logs() as events, pytest.raises(LostConnectionError), primary_only():
        raise ReadOnlyError("fenced: this server is of term 0, and term 1-00000000 is known")
    assert [event["event"] for event in events] == ["redis.fenced"]


def test_a_server_that_starts_anew_and_one_that_gets_its_first_replica_begin_no_term(two: Two) -> None:
    with two.replica.client(0) as client:
        client.replicaof("NO", "ONE")
    two.primary.kill()
    two.primary.start()
    driver = opened(two.primary)
    history = driver.ledger.client.hget("vton:meta", "history")
    driver.ledger.run(BEAT)
    restarted = driver.ledger.client.hget("vton:meta", "history")
    follow(two.replica, two.primary, "word")
    driver.ledger.run(BEAT)
    followed = driver.ledger.client.hget("vton:meta", "history")
    assert len({history, restarted, followed}) == 3
    driver.ledger.run(BEAT)
    assert driver.ledger.term.text == "0"


def test_a_process_that_starts_knows_the_term_that_its_host_has_noted(two: Two, tmp_path: Path) -> None:
    two.fail_over()
    mark = HighWaterMark(tmp_path, "vton")
    limits = LimitSettings(in_flight=100, images_per_minute=1e6)

    def gate(server: RedisServer) -> Any:
        return gate_of(opened(server).ledger, limits, submit_timeout_s=60, mark=mark)

    opened(two.replica).ledger.run(BEAT)
    resume(opened(two.replica).ledger)
    buyer = gate(two.replica)
    permit = buyer.acquire()
    assert buyer.begin(permit) == "go"
    buyer.stop()
    noted = mark.read()
    assert noted is not None
    assert noted.term.startswith("1-")
    with pytest.raises(RedisDownError):
        gate(two.primary).acquire()


def test_an_older_state_that_a_person_accepts_goes_on_from_the_term_that_was_seen(driver: Driver) -> None:
    driver.admit("a", ["x"])
    ledger_id = driver.ledger.ledger_id() or ""
    driver.ledger.accept([Mark(ledger=ledger_id, orders=7, term="3-12345678")])
    assert driver.granted(seen_orders=7).kind == "granted"
    assert driver.ledger.term.text == "3-12345678"
    driver.ledger.accept([Mark(ledger=ledger_id, orders=7, term="2-12345678")])
    assert driver.ledger.term.text == "3-12345678"


def test_of_two_servers_that_were_promoted_a_person_accepts_one_and_everybody_comes_over(two: Two) -> None:
    two.fail_over()
    opened(two.replica).ledger.run(BEAT)
    term = two.replica.client(1).hget("vton:clock", "term")
    elsewhere = opened(two.replica, KnownTerm("1-12345678"))
    with pytest.raises(RedisDownError):
        elsewhere.ask()
    accepting = opened(two.replica).ledger
    for _ in range(2):
        accepting.accept([Mark(ledger=accepting.ledger_id() or "", orders=0, term="1-12345678")])
    assert elsewhere.ask().kind == "granted"
    assert elsewhere.ledger.term.text == term.replace("1-", "2-", 1)
