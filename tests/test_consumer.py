"""Consumers that Redis wakes, inside a real Dramatiq worker on a real Redis."""

import threading
import time

import dramatiq
import pytest

from jobs.config.settings import RedisSettings
from jobs.producing.queue import SUBMIT, Queue
from jobs.redis.client import connect
from worker.actors import TolerantBroker
from worker.consumer import IDLE_S, WakesConsumers

PATIENT_S = 60


@pytest.fixture
def client(redis_settings: RedisSettings):
    with connect(redis_settings, db=redis_settings.queue_db, decode=False) as made:
        yield made


@pytest.fixture
def taken() -> list[float]:
    """When each message was worked on."""
    return []


@pytest.fixture
def worker(redis_settings: RedisSettings, queue: Queue, client, taken: list[float]):
    broker = TolerantBroker(client=client, namespace=redis_settings.prefix, middleware=[WakesConsumers()])

    def submit(_reason: str) -> None:
        taken.append(time.monotonic())

    dramatiq.actor(submit, broker=broker, queue_name=SUBMIT, actor_name=SUBMIT)
    made = dramatiq.Worker(broker, queues={SUBMIT}, worker_threads=1, worker_timeout=20)
    made.start()
    yield made
    made.stop(timeout=PATIENT_S * 1000)


def blocked(client) -> int:
    return sum(each["cmd"] == "blmove" for each in client.client_list())


def wait_for(holds) -> None:
    deadline = time.monotonic() + PATIENT_S
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_a_message_for_a_worker_that_blocks_is_taken_long_before_it_would_look_by_itself(
    worker, client, queue, taken
):
    wait_for(lambda: blocked(client) == 2)
    sent = time.monotonic()
    queue.wake(3)
    wait_for(lambda: len(taken) == 3)
    assert max(taken) - sent < IDLE_S / 2
    assert queue.waiting(SUBMIT) == 0


def test_an_idle_worker_asks_redis_for_little(worker, client, queue):
    wait_for(lambda: blocked(client) == 2)
    client.config_resetstat()
    threading.Event().wait(1)
    calls = client.info("commandstats")
    assert calls.get("cmdstat_evalsha", {"calls": 0})["calls"] <= 2


def test_a_worker_that_blocks_ends_at_once(worker, client):
    wait_for(lambda: blocked(client) == 2)
    told = time.monotonic()
    worker.stop()
    assert time.monotonic() - told < IDLE_S / 2


def test_a_worker_that_may_not_wake_its_consumers_ends_when_they_wake_by_themselves(
    worker, client, monkeypatch
):
    wait_for(lambda: blocked(client) == 2)

    def refuse(*_args):
        raise dramatiq.brokers.redis.redis.ResponseError("NOPERM")

    monkeypatch.setattr(client, "client_unblock", refuse)
    worker.stop()
    assert not any(each.is_alive() for each in worker.consumers.values())
