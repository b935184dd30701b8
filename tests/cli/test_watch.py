"""What `vton run` looks at, and how often."""

import pytest

from jobs.cli.progress import Progress
from jobs.cli.session import Session
from jobs.cli.stopping import Stop
from jobs.cli.watch import QUIET_AFTER_S, QUIET_LOOK_S, Watch
from jobs.config.settings import Settings
from jobs.records import BatchId


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(ledger, queue, redis_settings, tmp_path) -> Session:
    return Session(settings=Settings(data_dir=tmp_path), redis=redis_settings, ledger=ledger, queue=queue)


@pytest.fixture
def looked(session, driver, clock):
    """Looks at the time that the clock shows; returns whether Redis was asked."""
    driver.admit("a", ["x"])
    watch, progress = Watch(session, BatchId("a"), clock=clock), Progress(BatchId("a"))

    def look() -> bool:
        watch.ledger.client.config_resetstat()
        assert watch.look(progress, Stop(), fed=True) is None
        return "cmdstat_hgetall" in watch.ledger.client.info("commandstats")

    yield look
    watch.ledger.client.close()


def test_a_batch_that_rests_is_looked_at_less_often(looked, clock):
    assert looked()
    clock.now += QUIET_AFTER_S - 1
    assert looked()
    clock.now += 1.1
    assert looked()
    clock.now += QUIET_LOOK_S - 0.1
    assert not looked()
    clock.now += 0.2
    assert looked()


def test_a_batch_that_moves_is_looked_at_each_time(looked, clock, driver):
    assert looked()
    clock.now += QUIET_AFTER_S + 1
    assert looked()
    clock.now += QUIET_LOOK_S
    driver.admit("a", ["y"], first=2)
    assert looked()
    clock.now += 0.1
    assert looked()
