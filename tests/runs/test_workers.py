"""The processes one by one, as a service manager starts them: producer, submit worker, collect worker, one Redis."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager

import psutil
import pytest
import redis
import yaml

from jobs.local.redis_server import EmbeddedRedis
from tests.runs.shop import ROOT, SECRET


@contextmanager
def worker(shop, queue):
    """A worker of one queue; ended by SIGTERM."""
    process = shop.start_worker(queue)
    try:
        yield process
    finally:
        process.terminate()
        code = process.wait(60)
        said = (shop.folder / f"{queue}.log").read_text()
        assert "Traceback" not in said, said
        assert code == 0, said


def scraped(shop, queue):
    """The metrics of a worker, from where its log says that they are."""
    events = [
        json.loads(line) for line in (shop.folder / f"{queue}.log").read_text().splitlines() if line[0] == "{"
    ]
    (served,) = [each for each in events if each["event"] == "metrics.served"]
    with urllib.request.urlopen(f"http://{served['host']}:{served['port']}/metrics", timeout=30) as answer:
        return served["port"], answer.read().decode()


def test_a_manifest_enqueued_for_workers_of_their_own_completes(shop, redis_socket, free_port):
    vendor = shop.vendor
    shop.env["VTON_METRICS__PORT"] = str(free_port)
    shop.env["VTON_REDIS__URL"] = f"unix://{redis_socket}"
    shop.env["VTON_REDIS__PREFIX"] = "apart"
    shop.env["VTON_OUTPUT_DIR"] = str(shop.folder / "out")
    shop.env["VTON_DATA_DIR"] = str(shop.folder / ".vton")
    vendor.set(latency_s=0.2)
    manifest = shop.urls(10)
    said = shop.vton("enqueue", manifest).out
    batch_id = said.partition(":")[0]
    assert "10 rows, 10 to submit" in said
    assert "(resumed)" in shop.vton("enqueue", manifest).out
    assert not vendor.submits
    vendor.set(submit_delay_s=2)
    ended = shop.start_worker("submit")
    vendor.wait_for(lambda seen: seen.submits)
    # As a terminal that closes signals them: the master and its worker, and the worker once more by its master.
    (child,) = psutil.Process(ended.pid).children()
    child.send_signal(signal.SIGHUP)
    ended.send_signal(signal.SIGHUP)
    assert ended.wait(60) == 0
    first = list(vendor.submits)
    assert (shop.folder / "submit.log").read_text().count("submit.accepted") == len(first)
    vendor.set(submit_delay_s=0)
    with ExitStack() as workers:
        for queue in ("submit", "collect"):
            workers.enter_context(worker(shop, queue))
        watched = shop.vton("status", batch_id, "--watch")
        assert watched.code == 0, watched.err
        (submit, submits), (collect, collects) = (scraped(shop, queue) for queue in ("submit", "collect"))
        assert free_port <= min(submit, collect) < max(submit, collect) < free_port + 32
        assert f'vton_submits_total{{outcome="accepted"}} {10 - len(first)}.0' in submits
        assert 'vton_tasks_total{status="succeeded"} 10.0' in collects
        # A third producer, while the workers run and all is bought: nothing to do.
        assert "0 to submit" in shop.vton("enqueue", manifest).out
    status = json.loads(shop.vton("status", batch_id, "--json").out)
    assert status["complete"]
    assert status["counts"] == {"succeeded": 10}
    assert shop.vton("results", batch_id).code == 0
    batch = shop.only_batch()
    shop.agree(batch)
    assert set(vendor.bought().values()) == {1}
    assert len(vendor.submits) == 10
    assert '"event":"submit.accepted"' in (shop.folder / "submit.log").read_text()
    assert '"event":"image.saved"' in (shop.folder / "collect.log").read_text()


def test_a_worker_asked_to_end_does_not_wait_for_a_redis_that_hangs(shop):
    with EmbeddedRedis(shop.folder / "elsewhere") as server:
        shop.env["VTON_REDIS__URL"] = server.url
        shop.env["VTON_HIDREAM__SUBMIT_TIMEOUT_S"] = "2"
        pid = int((shop.folder / "elsewhere" / "redis" / "server.pid").read_text())
        process = shop.start_worker("submit")
        shop.vton("enqueue", shop.urls(1))
        shop.vendor.wait_for(lambda seen: seen.submits)
        os.kill(pid, signal.SIGSTOP)
        try:
            process.terminate()
            assert process.wait(60) == 1
        finally:
            os.kill(pid, signal.SIGCONT)
    assert "worker.cut" in (shop.folder / "submit.log").read_text()


def test_a_receiver_is_healthy_until_it_ends_at_a_hang_up(shop, redis_socket, free_port):
    shop.env |= {
        "VTON_REDIS__URL": f"unix://{redis_socket}",
        "VTON_CALLBACKS__PUBLIC_URL": "https://hooks.example",
        "VTON_CALLBACKS__PORT": str(free_port),
        "VTON_CALLBACKS__SECRET": SECRET,
    }
    process = shop.start("serve")
    for line in process.stderr:
        if "Uvicorn running" in line:
            break
    # As the compose file asks it.
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    _, python, *check = compose["services"]["receiver"]["healthcheck"]["test"]
    assert python == "python"
    subprocess.run(
        [sys.executable, *(word.replace("8780", str(free_port)) for word in check)], check=True, timeout=60
    )
    ledger = redis.Redis(unix_socket_path=str(redis_socket), db=1, decode_responses=True)
    mine = f'"pid":{process.pid},'
    while not [said for said in ledger.hvals("vton:heartbeats") if mine in said]:
        time.sleep(0.05)
    process.send_signal(signal.SIGHUP)
    assert "Finished server process" in shop.end(process).err
    assert not [said for said in ledger.hvals("vton:heartbeats") if mine in said], "it has ended in order"
    ledger.close()


@pytest.mark.parametrize(
    ("missing", "said"), [("VTON_REDIS__URL", "redis.url: not set"), ("HIDREAM_TOKEN", "no token")]
)
def test_a_worker_without_a_setting_it_needs_says_so_in_one_line_and_ends_with_7(shop, missing, said):
    shop.env = shop.env | {"VTON_REDIS__URL": "redis://127.0.0.1:1"} | {missing: ""}
    process = shop.start_worker("submit")
    assert process.wait(60) == 7
    (line,) = [
        line for line in (shop.folder / "submit.log").read_text().splitlines() if "dramatiq" not in line
    ]
    assert line.startswith(f"vton: {said}")
