#!/usr/bin/env bash
# One would expect: when the server goes away in the middle of a big request body, httpx raises WriteError: the request never
#   left whole. When it goes away after the last byte, RemoteProtocolError or ReadError: it may have been accepted.
# What happens: the same RemoteProtocolError with the same words for both. httpcore swallows the failed write and reads on
#   for an early reply, so the type of the error never tells how much was sent.
# Why it matters here: one of the two may be sent again for nothing, the other may already be bought. The body must be an
#   iterator that notes whether it was asked for more after its last piece.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check httpx==0.28.1 httpcore==1.0.9 h11==0.16.0 anyio==4.16.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import socket
import struct
import threading

import httpcore
import httpx

SIZE = 40_000_000


def serve(read_all):
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        connection, _ = listener.accept()
        with connection:
            got = 0
            while got < (SIZE if read_all else 100_000):
                got += len(connection.recv(1 << 20))
            # Reset, as a crashing or restarting gateway does.
            if not read_all:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    threading.Thread(target=answer, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def send(read_all):
    state = {"whole": False}

    def body():
        for _ in range(SIZE // 100_000):
            yield b"x" * 100_000
        state["whole"] = True

    try:
        httpx.post(serve(read_all), content=body(), headers={"Content-Length": str(SIZE)}, timeout=60)
    except httpx.TransportError as error:
        return type(error).__name__, str(error), state["whole"]


print("httpx", httpx.__version__, "httpcore", httpcore.__version__)
half, lost = send(read_all=False), send(read_all=True)
print(f"body cut off:          {half[0]}: {half[1]} (body handed over whole: {half[2]})")
print(f"reply lost:            {lost[0]}: {lost[1]} (body handed over whole: {lost[2]})")
assert half == ("RemoteProtocolError", "Server disconnected without sending a response.", False), half
assert lost == ("RemoteProtocolError", "Server disconnected without sending a response.", True), lost
EOF
