#!/usr/bin/env bash
# One would expect: `submit()`, which puts an order into a queue for money, is sent once; whether a lost answer was an order is the caller's question.
# What happens: fal-client sends the POST up to ten times when the answer is lost (the server hangs up), each time as a new order
#   without any key by which the server could know it; a 503, which says that nothing was taken, is sent once and raised.
# Why it matters here: the retry meets the one case in which nobody knows whether it was bought. The script takes a minute: it waits between the tries.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check fal-client==1.0.3
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import importlib.metadata
import socket
import threading

import fal_client
from fal_client import client as module

heard = []
answer = b""


def serve(listener):
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as sent:
            head = {}
            request = sent.readline().decode().split()
            while (line := sent.readline().strip()):
                name, _, value = line.decode().partition(":")
                head[name.lower()] = value.strip()
            sent.read(int(head.get("content-length", 0)))
            heard.append((request[0], [name for name in head if "idempot" in name or "request-id" in name]))
            connection.sendall(answer)


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(listener,), daemon=True).start()
# Only the address of its queue is another one.
module.QUEUE_URL_FORMAT = f"http://127.0.0.1:{listener.getsockname()[1]}/"
print("fal-client", importlib.metadata.version("fal-client"))
for what, answer in (
    ("503", b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
    ("a lost answer", b""),
):
    heard.clear()
    try:
        fal_client.SyncClient(key="a:b").submit("fal-ai/try-on", arguments={"garment": "a.jpg"})
        raise SystemExit("an answer came")
    except Exception as error:
        print(what, "->", len(heard), "orders,", type(error).__name__)
    assert heard == [("POST", [])] * (1 if what == "503" else 10), heard
EOF
