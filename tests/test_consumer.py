"""Consumers that Redis wakes, inside a real Dramatiq worker on a real Redis."""

import threading
import time

import dramatiq
import pytest
from pydantic import SecretStr

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


def start(client, redis_settings: RedisSettings, taken: list[float]) -> dramatiq.Worker:
    broker = TolerantBroker(client=client, namespace=redis_settings.prefix, middleware=[WakesConsumers()])

    def submit(_reason: str) -> None:
        taken.append(time.monotonic())

    dramatiq.actor(submit, broker=broker, queue_name=SUBMIT, actor_name=SUBMIT)
    made = dramatiq.Worker(broker, queues={SUBMIT}, worker_threads=1, worker_timeout=20)
    made.start()
    return made


@pytest.fixture
def worker(redis_settings: RedisSettings, queue: Queue, client, taken: list[float]):
    made = start(client, redis_settings, taken)
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
    wait_for(lambda: blocked(client) == 1)
    sent = time.monotonic()
    queue.wake(3)
    wait_for(lambda: len(taken) == 3)
    assert max(taken) - sent < IDLE_S / 2
    assert queue.waiting(SUBMIT) == 0


def test_an_idle_worker_asks_redis_for_little(worker, client, queue):
    wait_for(lambda: blocked(client) == 1)
    client.config_resetstat()
    threading.Event().wait(1)
    calls = client.info("commandstats")
    assert calls.get("cmdstat_evalsha", {"calls": 0})["calls"] <= 2


def test_a_worker_that_blocks_ends_at_once(worker, client):
    wait_for(lambda: blocked(client) == 1)
    told = time.monotonic()
    worker.stop()
    assert time.monotonic() - told < IDLE_S / 2


@pytest.fixture
def denied() -> list[str]:
    return []


@pytest.fixture
def forbidden(client, redis_settings, queue, taken, denied):
    """The worker as a user of Redis that may not wake connections, nor what else is denied."""
    denied = ["~*", "&*", "+@all", "-@admin", "-@dangerous", "+info", "+keys", *denied]
    client.execute_command("ACL", "SETUSER", "shopkeeper", "on", ">shopkeeper", *denied)
    path = redis_settings.url.get_secret_value().removeprefix("unix://")
    url = SecretStr(f"unix://shopkeeper:shopkeeper@{path}")
    with connect(redis_settings.model_copy(update={"url": url}), db=0, decode=False) as theirs:
        made = start(theirs, redis_settings, taken)
        yield made
        made.stop(timeout=PATIENT_S * 1000)
    client.execute_command("ACL", "DELUSER", "shopkeeper")


def test_a_worker_that_may_not_wake_its_consumers_ends_soon_all_the_same(forbidden, client, queue, taken):
    wait_for(lambda: blocked(client) == 1)
    queue.wake(1)
    wait_for(lambda: len(taken) == 1)
    wait_for(lambda: blocked(client) == 1)
    told = time.monotonic()
    forbidden.stop()
    assert time.monotonic() - told < IDLE_S / 2
    assert not any(each.is_alive() for each in forbidden.consumers.values())


@pytest.mark.parametrize("denied", [["-blmove"], ["-client"]])
def test_a_worker_that_may_not_block_asks_and_says_nothing_of_it(forbidden, queue, taken, caplog):
    for number in range(3):
        queue.wake(1)
        wait_for(lambda number=number: len(taken) > number)
    forbidden.stop()
    assert [each.message for each in caplog.records if each.levelname == "CRITICAL"] == []
