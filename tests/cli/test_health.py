"""`vton status` and `vton doctor` beside real processes: who is killed is missed, and what is not known is never fine."""

import json
import signal
import subprocess
import sys
import time

import pytest

from jobs.health.heartbeats import Heartbeats
from jobs.records import BatchId, TaskId
from tests.driver import rid
from tests.ports import free_port

#: For what comes by itself; a busy machine may take its time.
PATIENCE_S = 400


def health(shop, code, *words, **env):
    ended = shop.vton("status", *words, "--json", **env)
    assert ended.code == code, (ended.out, ended.err)
    return json.loads(ended.out)["health"]


def until(look, holds):
    """Looks until it holds."""
    ends = time.monotonic() + PATIENCE_S
    while not holds(found := look()):
        assert time.monotonic() < ends, found
        time.sleep(0.2)
    return found


@pytest.fixture
def worker(shop, elsewhere):
    """Starts `python -m worker` of a queue."""
    started = []

    def start(queue):
        argv = [sys.executable, "-m", "worker", queue, "2"]
        env = shop.env | elsewhere.env()
        out = subprocess.DEVNULL
        started.append(subprocess.Popen(argv, cwd=shop.folder, env=env, stdout=out, stderr=out))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait()


def any_health(shop, env):
    return lambda: json.loads(shop.vton("status", "--json", **env).out)["health"]


def test_the_only_worker_is_killed_and_missed(shop, elsewhere, driver, worker):
    driver.admit("a", ["x"], seal=True)
    driver.submitted()
    env = elsewhere.env()
    looked = any_health(shop, env)
    assert health(shop, 9, **env)["liveness"]["evidence"].startswith(
        "no worker lives; nobody's: 0 jobs waiting, 1 task"
    )
    process = worker("collect")
    lives = until(looked, lambda found: found["liveness"]["state"] == "ok")
    (said,) = lives["processes"]
    assert (said["role"], said["pid"], said["alive"]) == ("collect", process.pid, True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    missed = until(looked, lambda found: found["liveness"]["state"] == "wrong")
    assert f":{process.pid} was last heard" in missed["liveness"]["evidence"]
    assert (missed["code"], missed["processes"][0]["alive"]) == (9, False)


def test_a_worker_that_ends_in_order_is_no_dead_one(shop, elsewhere, driver, worker):
    driver.admit("a", ["x"], seal=True)
    driver.submitted()
    process = worker("collect")
    until(any_health(shop, elsewhere.env()), lambda found: found["processes"])
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    assert health(shop, 9, **elsewhere.env())["processes"] == []


def test_a_redis_that_is_gone_is_said_and_nothing_is_fine(shop):
    env = {"VTON_REDIS__URL": f"redis://127.0.0.1:{free_port()}"}
    found = health(shop, 7, **env)
    states = [found[name]["state"] for name in ("flow", "execution", "liveness")]
    assert states == ["unknown", "unknown", "wrong"]
    ended = shop.vton("status", **env)
    assert "liveness   wrong    redis.url: redis does not answer" in ended.out
    assert ended.err.startswith("vton: redis.url: redis does not answer")


def test_a_token_that_is_refused_is_wrong_though_workers_live(shop, elsewhere, driver, redis_settings):
    driver.admit("a", ["x"], seal=True)
    with Heartbeats(redis_settings, "worker"):
        until(lambda: driver.ledger.client.exists(driver.ledger.key("heartbeats")), bool)
        assert health(shop, 0, **elsewhere.env())["liveness"]["state"] == "ok"
        driver.gate(breaker="token", breaker_why="HTTP 401")
        found = health(shop, 7, **elsewhere.env())
    assert found["liveness"]["evidence"] == "1 worker without a token that HiDream takes: HTTP 401"
    assert (
        found["flow"]["action"]
        == found["liveness"]["action"]
        == "a new token (HIDREAM_TOKEN), then vton resume"
    )


def test_doctor_is_never_well_while_rows_wait_and_nobody_works(shop, elsewhere, driver):
    driver.admit("a", ["x"], seal=True)
    ended = shop.vton("doctor", **elsewhere.env())
    assert ended.code == 0
    assert "warning  workers" in ended.out
    assert "no worker lives; nobody's: 1 job waiting" in ended.out
    assert "all is well" not in ended.out


@pytest.mark.parametrize(
    ("bring", "code"), [("succeeded", 0), ("unknown", 5), ("retryable", 5), ("final", 6)]
)
def test_who_waits_for_a_batch_learns_its_own_code(shop, elsewhere, driver, bring, code):
    driver.admit("a", ["x"], seal=True)
    job = driver.submitted() if bring == "succeeded" else None
    process = shop.start("status", "a", "--wait", **elsewhere.env())
    process.stderr.readline()
    assert process.poll() is None
    match bring:
        case "succeeded":
            from jobs.ledger import steps
            from tests.driver import picture

            task = TaskId(job.task_id)
            driver.ledger.run(steps.ended(rid("x"), task, ["https://x/a.jpg"], "poll", 9))
            driver.ledger.run(steps.succeed(rid("x"), [picture()], None))
        case "unknown":
            driver.unknown()
        case _:
            driver.failed(retryable=bring == "retryable")
    assert driver.ledger.status(BatchId("a")).complete
    ended = shop.end(process)
    assert (ended.code, "complete" in ended.out) == (code, True)


def test_wait_needs_a_batch(shop):
    assert shop.vton("status", "--wait").code == 2


def test_a_deadline_by_hand_is_held_against_what_is_left(shop, elsewhere, driver, redis_settings):
    driver.admit("a", [f"p{n}" for n in range(60)], seal=True)
    with Heartbeats(redis_settings, "worker"):
        until(lambda: driver.ledger.client.exists(driver.ledger.key("heartbeats")), bool)
        late = health(shop, 10, "--deadline", "1s", VTON_LIMITS__IMAGES_PER_MINUTE="20", **elsewhere.env())
        assert late["flow"]["evidence"].startswith("60 rows open, ")
        assert health(shop, 0, "--deadline", "23h", **elsewhere.env())["flow"]["state"] == "ok"
