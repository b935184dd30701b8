"""`python -m worker`, the process that `vton run` starts, beside a real Redis."""

import json
import os
import signal
import subprocess
import sys

import pytest

from jobs.config.settings import RedisSettings
from jobs.producing.queue import Queue

PATIENCE_S = 90


#: Makes all that a submit worker has, and says what it does without.
SUBMITTING = """
import asyncio, sys
from worker.app import App, read_credentials, read_settings

async def main():
    await App(read_settings(), read_credentials()).submission().aclose()

asyncio.run(main())
print(sorted({"PIL.Image", "httpx", "jinja2", "jobs.manifest"} & sys.modules.keys()))
"""


@pytest.fixture
def env(redis_settings: RedisSettings, tmp_path) -> dict[str, str]:
    return os.environ | {
        "VTON_REDIS__URL": redis_settings.url.get_secret_value(),
        "VTON_REDIS__PREFIX": redis_settings.prefix,
        "VTON_DATA_DIR": str(tmp_path),
        "HIDREAM_TOKEN": "sk-nobody-asks-for-it",
    }


@pytest.fixture(params=["submit", "collect"])
def process(request, env, queue: Queue, tmp_path):
    argv = [sys.executable, "-m", "worker", request.param, "2"]
    with subprocess.Popen(argv, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True) as made:
        yield made
        made.kill()


def test_a_worker_that_is_told_twice_to_end_ends_once_and_in_order(process):
    for line in process.stderr:
        if "worker.started" in line:
            # Whoever ends it does not wait until it is ready.
            break
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE_S)
    events = [json.loads(line)["event"] for line in said.splitlines()]
    assert (process.returncode, events.count("worker.stopped")) == (0, 1)


#: What a worker does first, and what TLS is then.
LOADING = """
import ssl
from jobs.deferred import certificates_left_out

before = ssl.create_default_context
with certificates_left_out():
    import aiohttp
from worker.hidream.session import make_ssl_context

print(ssl.create_default_context is before, len(make_ssl_context().get_ca_certs()) > 50)
"""


def test_certificates_that_are_left_out_while_a_library_is_loaded_are_there_for_us(env, tmp_path):
    argv = [sys.executable, "-c", LOADING]
    said = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=True).stdout
    assert said == "True True\n"


def test_a_submit_worker_is_without_what_opens_pictures_and_reads_manifests(env, tmp_path):
    argv = [sys.executable, "-c", SUBMITTING]
    ended = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
