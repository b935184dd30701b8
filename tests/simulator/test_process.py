"""`python -m worker.simulator` as others start it."""

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings

import httpx
import pytest

from jobs.errors import UsageError
from tests.simulator.conftest import Client
from worker.simulator.options import Options, read_options
from worker.simulator.server import Server

QUICK = ["--port", "0", "--latency-s", "0", "--submit-delay-s", "0"]


def start(*words: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "worker.simulator", *QUICK, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline()
    assert line.startswith("simulator ready http://127.0.0.1:"), process.communicate()
    return process, line.split()[-1]


def test_it_says_one_line_and_a_signal_ends_it_at_once_though_a_caller_hangs(tmp_path):
    script = tmp_path / "faults.yaml"
    script.write_text("[{at: submit, do: hang-after}]")
    process, address = start("--faults", str(script))
    client, gone = Client(address), threading.Event()

    def hang() -> None:
        with pytest.raises(httpx.TransportError):
            client.submit()
        gone.set()

    thread = threading.Thread(target=hang)
    thread.start()
    watcher = Client(address)
    with watcher.http:
        assert any(watcher.totals()["tasks"] for _ in range(2000))
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")
    assert gone.wait(60)
    thread.join()
    client.http.close()


@pytest.mark.parametrize("turns", range(5))
def test_a_connection_that_is_being_accepted_when_it_ends_is_closed(turns):
    """A caller that only looks whether somebody listens is gone before it was accepted."""

    async def play() -> None:
        ready = asyncio.Event()
        server = Server(Options(port=0), ready=lambda _: ready.set())
        work = asyncio.create_task(server.work())
        await ready.wait()
        host, _, port = server.address.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))):
            for _ in range(turns):
                await asyncio.sleep(0)
            server.stop()
            await work

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        asyncio.run(play())
        gc.collect()
    assert [str(each.message) for each in said] == []


def test_a_killed_simulator_keeps_its_books(tmp_path):
    process, address = start("--state", str(tmp_path / "state.db"), "--credits", "3")
    client = Client(address)
    with client.http:
        task_id = client.task_id("r1")
    process.kill()
    process.communicate()
    process, address = start("--state", str(tmp_path / "state.db"), "--credits", "3")
    client = Client(address)
    with client.http:
        totals = client.totals()
        (part,) = client.parts(task_id)
        assert client.http.get(httpx.URL(part["image"]).path).status_code == 200
    process.terminate()
    process.communicate(timeout=60)
    assert (totals["charges"], totals["credits"], totals["by_request_id"]["r1"]["tasks"]) == (1, 2, 1)


def test_it_ends_with_the_process_it_was_asked_to_follow():
    parent = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    process, _ = start("--parent-pid", str(parent.pid))
    parent.communicate()
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--faults", "missing.yaml"], 4, "no such file: missing.yaml"),
        (["--latency-s", "soon"], 2, "number of seconds"),
        (["--port", "99999"], 2, "port"),
        (["--host", "203.0.113.1"], 7, "cannot listen"),
        (["--state", "/proc/none/x.db"], 7, "cannot be opened"),
        (["--state", __file__], 7, "cannot be used"),
        (["--nonsense"], 2, "--nonsense"),
    ],
)
def test_what_cannot_be_is_one_line_and_an_exit_code(words, code, said):
    done = subprocess.run(
        [sys.executable, "-m", "worker.simulator", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert said in done.stderr


def test_an_unknown_word_in_the_fault_file_is_exit_7(tmp_path):
    script = tmp_path / "faults.yaml"
    script.write_text("- {at: submit, do: hiccup}\n")
    done = subprocess.run(
        [sys.executable, "-m", "worker.simulator", "--faults", str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        env=os.environ | {"PYTHONWARNINGS": "default"},
    )
    assert (done.returncode, done.stderr.count("\n")) == (7, 1)
    assert "rule 1" in done.stderr


def test_every_switch_has_its_default_and_bad_values_are_usage_errors():
    assert read_options([]) == Options()
    given = ["--dedupe", "--in-flight", "3", "--credits", "0"]
    assert read_options(given) == Options(dedupe=True, in_flight=3, credits=0)
    for words in (
        ["--sub-tasks", "0"],
        ["--in-flight", "-1"],
        ["--extension", "x"],
        ["--latency-s", "inf"],
    ):
        with pytest.raises(UsageError):
            read_options(words)
