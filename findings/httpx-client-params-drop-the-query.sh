#!/usr/bin/env bash
# One would expect: Client(params={"app": "1"}) adds a parameter to every request; an address keeps the query it came with.
# What happens: any params, of the client or of the call, replace the whole query of the address. An empty dict removes it,
#   None keeps it. Parameters are merged between client and call only.
# Why it matters here: picture addresses come signed (?sig=...); with one default parameter on the client every download asks
#   without its signature and is refused.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check httpx==0.28.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import httpx

ADDRESS = "http://cdn.test/a.jpg?sig=abc"
print("httpx", httpx.__version__)
plain, client = httpx.Client(), httpx.Client(params={"app": "1"})
seen = {
    "no params": plain.build_request("GET", ADDRESS).url,
    "params=None": plain.build_request("GET", ADDRESS, params=None).url,
    "params={}": plain.build_request("GET", ADDRESS, params={}).url,
    "params={'b': 2}": plain.build_request("GET", ADDRESS, params={"b": 2}).url,
    "Client(params={'app': '1'})": client.build_request("GET", ADDRESS).url,
    "both": client.build_request("GET", ADDRESS, params={"b": 2}).url,
}
for how, url in seen.items():
    print(f"{how:28} {url}")
assert [url.query for url in seen.values()] == [b"sig=abc", b"sig=abc", b"", b"b=2", b"app=1", b"app=1&b=2"]
EOF
