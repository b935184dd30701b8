#!/usr/bin/env bash
# One would expect: a compressed reply whose compressed stream is cut off, though the HTTP message is complete, raises
#   DecodingError; and a stream of two gzip members is read to its end.
# What happens: the half that could be unpacked is returned with status 200 and no error, for gzip and deflate alike, since
#   the end of the stream is never asked for. Of several members only the first is returned. Python's gzip does both right.
# Why it matters here: product feeds come compressed, and log-like exports are appended member by member: half a catalog
#   looks like a catalog. A reply that is to be trusted whole must not be asked for compressed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check httpx==0.28.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import gzip
import socket
import threading
import zlib

import httpx


def fetch(body, coding):
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(body)) + body)

    threading.Thread(target=answer, daemon=True).start()
    response = httpx.get(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    return response.status_code, response.text.count("\n")


print("httpx", httpx.__version__)
feed = "".join(f"S{number},person.jpg,shirt.jpg\n" for number in range(5000)).encode()
packed, deflated = gzip.compress(feed), zlib.compress(feed)
half = fetch(packed[: len(packed) // 2], b"gzip")
flat = fetch(deflated[: len(deflated) // 2], b"deflate")
twice = fetch(gzip.compress(feed) + gzip.compress(feed), b"gzip")
print(f"half of a gzip of 5000 rows:      status {half[0]}, {half[1]} rows")
print(f"half of a deflate of 5000 rows:   status {flat[0]}, {flat[1]} rows")
print(f"two gzip members of 5000 rows:    status {twice[0]}, {twice[1]} rows; gzip.decompress: {gzip.decompress(packed + packed).count(10)}")
assert half[0] == flat[0] == 200 and 100 < half[1] < 4900 and 100 < flat[1] < 4900 and twice == (200, 5000)
EOF
