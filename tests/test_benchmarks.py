import io
import json
import math
import random
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.benches.bound import MEDIAN_S, SIGMA, best
from benchmarks.stub.ledger import Task, rate_used, utilisation, windows_over
from benchmarks.stub.picture import make_picture, task_of, with_task

ROOT = Path(__file__).resolve().parents[1]
SUBMIT = "/api-pub/ec/v3/image/vton/async"


def task(number, arrived, created, ended):
    return Task(
        number=number,
        task_id=f"t{number}",
        request_id="",
        latency_s=ended - created,
        arrived=arrived,
        created=created,
        ended=ended,
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
    assert rate_used([0.0, 0.1, 0.2, 0.3], 20, 1.0) == pytest.approx(0.5)


def test_a_result_picture_is_whole_and_names_its_task():
    content = with_task(make_picture(), "t3-17")
    with Image.open(io.BytesIO(content)) as image:
        image.load()
    assert task_of(content) == "t3-17"
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


@pytest.fixture
def stub():
    command = [sys.executable, "-m", "benchmarks.stub"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip().removeprefix("http://")
        connection = HTTPConnection(address, timeout=10)
        yield lambda method, path, body=None: _ask(connection, method, path, body)
        connection.close()
        process.terminate()


def _ask(connection, method, path, body):
    connection.request(method, path, body=None if body is None else json.dumps(body))
    reply = connection.getresponse()
    return reply.status, reply.read()


def test_the_stub_refuses_a_submit_without_a_free_slot_and_notes_it(stub):
    stub("POST", "/_stub/reset", {"submit_delay_s": 0, "slots": 1, "median_s": 100})
    order = {"person": "p", "dress": "d", "request_id": "a"}
    assert [stub("POST", SUBMIT, order)[0] for _ in range(2)] == [200, 429]
    summary = json.loads(stub("GET", "/_stub/report")[1])["summary"]
    assert (summary["arrivals"], summary["created"], summary["refused_parallel"]) == (2, 1, 1)


def test_the_latency_of_a_task_depends_only_on_its_ordinal_and_the_seed(stub):
    drawn = []
    for _ in range(2):
        stub("POST", "/_stub/reset", {"submit_delay_s": 0, "median_s": 50, "seed": 5})
        for name in "abc":
            stub("POST", SUBMIT, {"person": "p", "dress": "d", "request_id": name})
        drawn.append([each["latency_s"] for each in json.loads(stub("GET", "/_stub/report")[1])["tasks"]])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 3
