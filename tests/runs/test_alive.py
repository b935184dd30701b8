"""The health check of the image and the probes of Kubernetes, asked beside real workers."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from jobs.local.redis_server import EmbeddedRedis
from tests.ports import free_port
from tests.runs.shop import PATIENCE_S, ROOT
from tests.test_written_commands import healthcheck
from worker.alive import STALE_S, files_of, ready_file, why_not


def ask(words: list[str], file: Path) -> tuple[bool, str]:
    """Whether a check with this file instead of the image's finds the worker well, and what it says."""
    words = [word.replace("/tmp/vton-alive", str(file)) for word in words]
    assert str(file) in words
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode == 0, done.stderr


def age(*files: Path) -> None:
    """As if they had been touched too long ago: only who lives touches them again."""
    past_s = time.time() - STALE_S - 1
    for file in files:
        with suppress(FileNotFoundError):
            os.utime(file, (past_s, past_s))


def wait_for(words: list[str], file: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not (asked := ask(words, file))[0]:
        assert time.monotonic() < until, asked
        time.sleep(0.2)


@pytest.mark.parametrize("queue", ["submit", "collect"])
def test_a_check_fails_when_the_worker_is_stuck_or_dead_or_its_redis_is_away(shop, queue):
    ready, alive = healthcheck(), [word for word in healthcheck() if word != "--ready"]
    file = shop.folder / "alive"
    shop.env["VTON_WORKERS__ALIVE_FILE"] = str(file)
    with EmbeddedRedis(shop.folder / "elsewhere") as server:
        shop.env["VTON_REDIS__URL"] = server.url
        pid = int((shop.folder / "elsewhere" / "redis" / "server.pid").read_text())
        assert not ask(alive, file)[0], "no worker has begun"
        process = shop.start_worker(queue)
        wait_for(ready, file)
        age(file, ready_file(file))
        wait_for(ready, file)
        os.kill(pid, signal.SIGSTOP)
        try:
            age(file, ready_file(file))
            wait_for(alive, file)
            well, said = ask(ready, file)
            assert not well
            assert "the ledger does not answer" in said
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_for(ready, file)
        # Stuck: nothing of it comes to its turn.
        (child,) = psutil.Process(process.pid).children()
        child.suspend()
        age(file, ready_file(file))
        well, said = ask(alive, file)
        assert not well
        assert "no worker answers" in said
        child.resume()
        wait_for(ready, file)
        # Dead: its file stays as it was.
        child.kill()
        process.wait(PATIENCE_S)
        age(file, ready_file(file))
        assert not ask(alive, file)[0]
        assert not ask(ready, file)[0]


def test_of_a_runs_workers_one_that_hangs_is_seen_beside_those_that_work(shop):
    file = shop.write("alive", "submit-7")
    shop.env |= {"VTON_WORKERS__ALIVE_FILE": str(file), "VTON_METRICS__PORT": str(free_port())}
    shop.vendor.set(latency_s=1000)
    process = shop.start("run", shop.urls(1), "-o", "out")
    shop.vendor.wait_for(lambda seen: seen.submits)
    wait_for(healthcheck(), file)
    names = {"alive.collect-1", "alive.submit-1"}
    assert {each.name for each in files_of(file)} == names
    for name in sorted(names):
        role = name.removeprefix("alive.").removesuffix("-1")
        (hung,) = [
            each
            for each in psutil.Process(process.pid).children(recursive=True)
            if each.cmdline()[1:4] == ["-m", "worker", role]
        ]
        hung.suspend()
        age(file.with_name(name))
        well, said = ask(healthcheck(), file)
        hung.resume()
        assert not well
        assert name in said
        wait_for(healthcheck(), file)
    process.terminate()
    shop.end(process)
    assert "No such file" in ask(healthcheck(), file)[1]


def test_a_worker_that_has_ended_in_order_is_alive_no_more(shop, redis_socket):
    file = shop.folder / "alive"
    shop.env |= {"VTON_REDIS__URL": f"unix://{redis_socket}", "VTON_WORKERS__ALIVE_FILE": str(file)}
    process = shop.start_worker("submit")
    wait_for(healthcheck(), file)
    process.terminate()
    assert process.wait(PATIENCE_S) == 0
    assert not file.exists()
    assert not ask(healthcheck(), file)[0]


def test_a_file_that_cannot_be_touched_is_said_and_hurts_no_work(shop, redis_socket):
    file = shop.folder / "nowhere" / "alive"
    shop.env |= {"VTON_REDIS__URL": f"unix://{redis_socket}", "VTON_WORKERS__ALIVE_FILE": str(file)}
    process = shop.start_worker("submit")
    log = shop.folder / "submit.log"
    until = time.monotonic() + PATIENCE_S
    while '"alive.unwritten"' not in log.read_text():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.1)
    shop.vton("enqueue", shop.urls(1))
    shop.vendor.wait_for(lambda seen: seen.submits)
    process.terminate()
    assert process.wait(PATIENCE_S) == 0
    assert log.read_text().count("alive.unwritten") == 1


def test_a_file_says_for_a_minute_that_its_worker_lives(tmp_path):
    file = tmp_path / "alive"
    assert "no worker answers" in why_not(file, 0)
    file.touch()
    touched_s = file.stat().st_mtime
    assert why_not(file, touched_s + STALE_S) == ""
    assert why_not(file, touched_s - 5) == "", "a clock that was set back"
    assert "61 s ago" in why_not(file, touched_s + STALE_S + 1)
    assert "the ledger does not answer" in why_not(file, touched_s, ready=True)
    ready_file(file).touch()
    assert why_not(file, touched_s, ready=True) == ""


def test_a_check_loads_nothing_but_the_standard_library():
    code = "import worker.alive, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    said = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert set(said.split()) - sys.stdlib_module_names <= {"worker", "__main__"}
