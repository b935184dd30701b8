"""Messages in bulk are what Dramatiq's own broker would have sent, and its own worker takes them."""

import asyncio
import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import dramatiq
import pytest
import structlog
from dramatiq.brokers.redis import RedisBroker
from hypothesis import given
from hypothesis import strategies as st

from jobs.config.settings import RedisSettings
from jobs.ledger import Ledger
from jobs.producing.producer import send_missing_messages
from jobs.producing.queue import COLLECT, EXPORT, SUBMIT, WAKE_UPS, Queue, envelope
from jobs.redis.client import connect
from tests.driver import Driver, rid
from worker.actors import STRANGER, TolerantBroker, declare
from worker.submit.submission import Submission


@pytest.fixture
def broker(redis_settings: RedisSettings) -> Iterator[RedisBroker]:
    client = connect(redis_settings, db=redis_settings.queue_db, decode=False)
    found = TolerantBroker(client=client, namespace=redis_settings.prefix, middleware=[])
    yield found
    found.close()
    client.close()


def stored(queue: Queue, prefix: str, name: str) -> dict[str, dict[str, object]]:
    """The messages of a queue, id → content, in the order in which they wait."""
    client = queue._client
    ids = client.lrange(f"{prefix}:{name}", 0, -1)
    found = client.hgetall(f"{prefix}:{name}.msgs")
    assert sorted(found) == sorted(ids)
    return {each: json.loads(found[each]) for each in ids}


@given(st.uuids().map(str), st.uuids().map(str), st.integers(0, 2**45))
def test_a_hand_made_envelope_is_a_dramatiq_message(argument: str, message_id: str, now_ms: int) -> None:
    message = dramatiq.Message.decode(envelope(SUBMIT, SUBMIT, argument, message_id, now_ms).encode())
    assert message == dramatiq.Message(
        queue_name=SUBMIT,
        actor_name=SUBMIT,
        args=(argument,),
        kwargs={},
        options={"redis_message_id": message_id},
        message_id=message_id,
        message_timestamp=now_ms,
    )
    assert message.encode() == envelope(SUBMIT, SUBMIT, argument, message_id, now_ms).encode()


def test_it_lies_where_dramatiqs_own_broker_would_have_put_it(
    broker: RedisBroker, queue: Queue, redis_settings: RedisSettings
) -> None:
    prefix = redis_settings.prefix
    broker.declare_queue(SUBMIT)
    broker.enqueue(
        dramatiq.Message(queue_name=SUBMIT, actor_name=SUBMIT, args=(rid("theirs"),), kwargs={}, options={})
    )
    keys = sorted(queue._client.scan_iter(f"{prefix}:*"))
    queue.wake(1)
    assert sorted(queue._client.scan_iter(f"{prefix}:*")) == keys
    theirs, ours = stored(queue, prefix, SUBMIT).values()
    assert list(theirs) == list(ours)
    assert ours["args"] == ["jobs wait"]
    changing = {"args", "message_id", "message_timestamp", "options"}
    assert {key: ours[key] for key in ours.keys() - changing} == {
        key: theirs[key] for key in theirs.keys() - changing
    }
    assert isinstance(ours["message_timestamp"], type(theirs["message_timestamp"]))
    assert set(ours["options"]) == set(theirs["options"]) == {"redis_message_id"}


def test_every_wake_up_is_a_message_of_its_own(queue: Queue, redis_settings: RedisSettings) -> None:
    queue.wake(7)
    assert queue.waiting(SUBMIT) == 7
    found = stored(queue, redis_settings.prefix, SUBMIT)
    assert [message["args"] for message in found.values()] == [["jobs wait"]] * 7


def test_two_senders_never_use_one_id(queue: Queue, redis_settings: RedisSettings) -> None:
    client = connect(redis_settings, db=redis_settings.queue_db)
    other = Queue(client, redis_settings.prefix)
    for sender in (queue, other, queue):
        sender.wake(3)
    assert len(stored(queue, redis_settings.prefix, SUBMIT)) == 9
    client.close()


def test_a_real_worker_takes_what_was_sent_in_bulk(broker: RedisBroker, queue: Queue) -> None:
    seen: list[tuple[str, str]] = []
    done = threading.Event()
    expected = 60

    def note(kind: str, argument: str) -> None:
        seen.append((kind, argument))
        if len(seen) == expected + 1:
            done.set()

    dramatiq.actor(lambda reason: note(SUBMIT, reason), broker=broker, queue_name=SUBMIT, actor_name=SUBMIT)
    dramatiq.actor(
        lambda batch_id: note(EXPORT, batch_id), broker=broker, queue_name=COLLECT, actor_name=EXPORT
    )
    queue.wake(expected)
    queue.export("night-1")
    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=50)
    worker.start()
    try:
        assert done.wait(20)
    finally:
        worker.stop()
    assert sorted(seen) == sorted([*[(SUBMIT, "jobs wait")] * expected, (EXPORT, "night-1")])
    assert queue.waiting(SUBMIT) == queue.waiting(COLLECT) == 0


def test_the_actors_are_declared_under_the_names_that_are_sent(broker: RedisBroker) -> None:
    declare(broker, lambda: pytest.fail("not asked for"), lambda: pytest.fail("not asked for"))
    assert {(actor.queue_name, name) for name, actor in broker.actors.items()} == {
        (SUBMIT, SUBMIT),
        (COLLECT, EXPORT),
        (COLLECT, STRANGER),
    }


def test_a_message_of_another_versions_actor_is_dropped_and_told(broker: RedisBroker, queue: Queue) -> None:
    done = threading.Event()
    exporter: Any = SimpleNamespace(follow=lambda _batch_id: done.set())
    declare(broker, lambda: pytest.fail("not asked for"), lambda: exporter)
    queue._send(COLLECT, "poll", ["x"])
    queue.export("night-1")
    worker = dramatiq.Worker(broker, queues={COLLECT}, worker_threads=1, worker_timeout=20)
    with structlog.testing.capture_logs() as events:
        worker.start()
        try:
            assert done.wait(20)
        finally:
            worker.stop()
    assert {"event": "message.unknown", "actor": "poll", "log_level": "warning"} in events
    assert broker.client.zcard(f"{broker.namespace}:{COLLECT}.XQ") == 0, "nothing is a dead letter"


def test_lost_messages_are_sent_again_and_spare_ones_are_not(
    ledger: Ledger, queue: Queue, driver: Driver
) -> None:
    driver.admit("a", ["x", "y", "z"])
    assert send_missing_messages(ledger, queue) == 3
    assert send_missing_messages(ledger, queue) == 0
    queue._client.ltrim(f"{queue._namespace}:{SUBMIT}", 0, 0)
    assert send_missing_messages(ledger, queue) == 2
    driver.granted()
    assert send_missing_messages(ledger, queue) == 0


def test_a_bounded_number_of_messages_is_enough_for_any_number_of_jobs(
    ledger: Ledger, queue: Queue, driver: Driver
) -> None:
    driver.admit("a", [f"p{number}" for number in range(WAKE_UPS + 20)])
    assert send_missing_messages(ledger, queue) == WAKE_UPS
    assert send_missing_messages(ledger, queue) == 0


def test_a_message_has_everything_submitted_that_waits(broker: RedisBroker, queue: Queue) -> None:
    left, done = list(range(100)), threading.Event()

    class Counted:
        async def submit_next(self) -> bool:
            if left:
                left.pop()
                return True
            done.set()
            return False

    def submit_all() -> None:
        asyncio.run(Submission.submit_all(cast("Any", Counted())))

    declare(broker, submit_all, lambda: pytest.fail("not asked for"))
    queue.wake(1)
    worker = dramatiq.Worker(broker, queues={SUBMIT}, worker_threads=2, worker_timeout=20)
    worker.start()
    try:
        assert done.wait(20)
    finally:
        worker.stop()
    assert left == []
