import io
import math
import random
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.benches.bound import MEDIAN_S, SIGMA, best
from benchmarks.frame.books import Task, most_at_once, rate_used, utilisation, windows_over
from benchmarks.frame.load import pictures_on_disk
from worker.simulator.pictures import plain

ROOT = Path(__file__).resolve().parents[1]
SUBMIT = "/api-pub/ec/v3/image/vton/async"


def task(number, arrived, began, ended):
    return Task(
        task_id=f"t{number}",
        request_id="",
        sub_task_id="",
        arrived=arrived,
        began=began,
        ended=ended,
        polls=0,
        seen=None,
        downloaded=None,
    )


def test_utilisation_counts_only_what_lies_between_the_first_and_the_last_submit():
    tasks = [task(0, 0.0, 1.0, 5.0), task(1, 10.0, 11.0, 20.0), task(2, 2.0, 2.0, 12.0)]
    assert utilisation(tasks, 2) == pytest.approx((4 + 8) / 20)


def test_utilisation_of_one_task_is_unknown():
    assert utilisation([task(0, 0.0, 0.0, 1.0)], 1) is None


def test_a_window_is_over_when_one_more_arrival_falls_into_it():
    assert windows_over([0.0, 0.5, 1.0, 1.5], 2, 1.0) == (0, 2)
    assert windows_over([0.0, 0.5, 0.99, 1.5], 2, 1.0) == (1, 3)


def test_the_rate_used_is_measured_between_arrivals():
    assert rate_used([0.0, 0.1, 0.2, 0.3], 20) == pytest.approx(0.5)


def test_tasks_at_once_are_counted_from_arrival_to_end():
    tasks = [task(0, 0.0, 1.0, 5.0), task(1, 4.0, 4.0, 6.0), task(2, 5.0, 5.5, 9.0)]
    assert most_at_once(tasks) == 2


def test_a_picture_on_disk_names_its_sub_task(tmp_path):
    name = "0123456789abcdef" * 2
    (tmp_path / "a.jpg").write_bytes(content := plain(name, "jpg"))
    with Image.open(io.BytesIO(content)) as image:
        image.load()
    assert pictures_on_disk(tmp_path).keys() == {name}
    assert 15_000 < len(content) < 30_000


@pytest.mark.parametrize("period_s", [0.134, 0.27, 0.67])
def test_no_fixed_period_of_polls_beats_the_bound(period_s):
    dice = random.Random(3)
    times = [MEDIAN_S * math.exp(dice.gauss(0, SIGMA)) for _ in range(20_000)]
    polls = [math.ceil(time / period_s) for time in times]
    late_s = sum(count * period_s - time for count, time in zip(polls, times, strict=True)) / len(times)
    cost_s = 0.01
    bound = best(cost_s)
    assert bound.late_s + cost_s * bound.polls < late_s + cost_s * sum(polls) / len(times)
