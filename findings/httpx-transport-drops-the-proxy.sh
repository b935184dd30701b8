#!/usr/bin/env bash
# One would expect: `Client(transport=HTTPTransport(retries=2))` adds retries and leaves the rest as it is: HTTP_PROXY of the
#   environment is used, and the client's own `verify=`, `cert=`, `limits=` and `http2=` count.
# What happens: with a transport of one's own all of them are ignored without a word. Requests leave directly, not by the
#   proxy, and `verify=`, `limits=` have to be given to the transport. Only `proxy=` given to the client still works.
# Why it matters here: whoever adds retries, or swaps the transport for a faster one, goes past the company's proxy; where only
#   the proxy has a way out, every request fails, and limits on connections are gone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check httpx==0.28.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import http.server
import os
import threading

import httpx

seen = []


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        seen.append((self.server.role, self.client_address))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def serve(role):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.role = role
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


proxy, origin = serve("proxy"), serve("origin")
for name in ("NO_PROXY", "no_proxy", "http_proxy", "ALL_PROXY", "all_proxy"):
    os.environ.pop(name, None)
os.environ["HTTP_PROXY"] = proxy
ways = {}
for name, options in {
    "Client()": {},
    "Client(transport=HTTPTransport(retries=2))": {"transport": httpx.HTTPTransport(retries=2)},
    "Client(proxy=…, transport=…)": {"proxy": proxy, "transport": httpx.HTTPTransport(retries=2)},
}.items():
    seen.clear()
    with httpx.Client(**options) as client:
        client.get(f"{origin}/picture.jpg")
    ways[name] = seen[0][0]
    print(f"HTTP_PROXY is set; {name}: asked the {ways[name]}")
connections = {}
none_kept = httpx.Limits(max_keepalive_connections=0)
for name, options in {
    "Client(limits=…)": {"limits": none_kept},
    "Client(limits=…, transport=HTTPTransport())": {"limits": none_kept, "transport": httpx.HTTPTransport()},
}.items():
    seen.clear()
    with httpx.Client(**options) as client:
        for _ in range(3):
            client.get(f"{origin}/picture.jpg")
    connections[name] = len({address for _, address in seen})
    print(f"no connection shall be kept, 3 requests by {name}: {connections[name]} connections")
print("httpx", httpx.__version__)
assert list(ways.values()) == ["proxy", "origin", "proxy"], ways
assert list(connections.values()) == [3, 1], connections
EOF
