"""A task that was asked for too early is asked for again when its end is plausible, not half a minute later."""

import math

import pytest

from jobs.config.settings import TaskSettings
from jobs.records import Latency
from worker.collect.schedule import PollSchedule


@pytest.mark.parametrize("elapsed_ms", [0, 1, 100, 500, 1000, 1485])
def test_after_an_early_poll_the_next_one_comes_when_an_end_is_plausible(elapsed_ms):
    schedule = PollSchedule(tasks=TaskSettings())
    latency = Latency(mean=math.log(1560), variance=1e-5, samples=4)
    plausible_ms = schedule.first_ms(latency, callbacks=False)
    next_ms = elapsed_ms + schedule.next_ms(latency, elapsed_ms)
    assert plausible_ms <= next_ms <= plausible_ms + 200
