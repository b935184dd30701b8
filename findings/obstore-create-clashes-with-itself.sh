#!/usr/bin/env bash
# One would expect: put(mode="create") raises AlreadyExistsError only if somebody else's object was there before.
# What happens: when the reply to the PUT is lost, obstore repeats it by itself; the store has the first one and answers 412, and
#   the caller is told AlreadyExistsError of the object that this very call has written.
# Why it matters here: a paid picture that was stored would be reported as a clash and its row as failed. On that error compare
#   size and hash before believing it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check obstore==0.12.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import S3Store

objects, puts = {}, []


class Store(BaseHTTPRequestHandler):
    """Stores an object; the reply to the first PUT of each key is lost."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        known, only_new = self.path in objects, self.headers["If-None-Match"] == "*"
        puts.append(self.path)
        if not (known and only_new):
            objects[self.path] = content
        if not known:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(412 if only_new else 200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
threading.Thread(target=server.serve_forever, daemon=True).start()
keys = {"access_key_id": "key", "secret_access_key": "secret", "region": "us-east-1"}
store = S3Store("shop", endpoint=f"http://127.0.0.1:{server.server_port}", client_options={"allow_http": True}, **keys)
print("obstore", obstore.__version__)
seen = {}
for mode in ("create", "overwrite"):
    try:
        obstore.put(store, f"{mode}.jpg", b"picture", mode=mode)
        seen[mode] = "stored"
    except AlreadyExistsError as error:
        seen[mode] = type(error).__name__
    print(f"put(mode={mode!r}), reply lost: {seen[mode]}; PUTs sent: {puts.count(f'/shop/{mode}.jpg')}; stored: {objects[f'/shop/{mode}.jpg']}")
server.shutdown()
assert seen == {"create": "AlreadyExistsError", "overwrite": "stored"}, seen
assert len(puts) == 4 and set(objects.values()) == {b"picture"}
EOF
