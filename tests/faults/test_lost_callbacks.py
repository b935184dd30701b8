"""Lost callbacks must not teach patience: found by the harness as tasks that were polled later and later."""

import math

import pytest

from jobs.config.settings import TaskSettings
from jobs.records import Latency
from worker.collect.schedule import PollSchedule

SCHEDULE = PollSchedule(tasks=TaskSettings(latency_s=12))


def learnt(callback_share: float, samples: int = 50) -> Latency:
    return Latency(mean=math.log(12_000), variance=0.1, samples=samples, callback_share=callback_share)


@pytest.mark.parametrize(
    "latency",
    [None, learnt(callback_share=0.0), learnt(callback_share=0.5), learnt(callback_share=1.0, samples=2)],
)
def test_callbacks_that_have_not_proven_to_arrive_delay_no_poll(latency: Latency | None) -> None:
    assert SCHEDULE.first_ms(latency, callbacks=True) == SCHEDULE.first_ms(latency, callbacks=False)


def test_callbacks_that_arrive_are_waited_for() -> None:
    assert SCHEDULE.first_ms(learnt(callback_share=0.9), callbacks=True) > 2 * SCHEDULE.first_ms(
        learnt(callback_share=0.9), callbacks=False
    )
