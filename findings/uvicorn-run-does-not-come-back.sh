#!/usr/bin/env bash
# One would expect: SIGTERM lets uvicorn.run() shut down in an orderly way and return; the lines behind it, a `finally` around it
#   and atexit functions then run, and the process ends with code 0.
# What happens: after its own shutdown uvicorn raises the signal again with the handler that was there before, which for SIGTERM
#   ends the process at once: nothing behind it, no `finally`, no atexit; the exit status is "killed by signal 15". With
#   SIGINT everything runs. The lifespan's shutdown is the one place that both reach.
# Why it matters here: supervisors and containers stop with SIGTERM, people at a keyboard with SIGINT: what is written at the
#   end of a callback receiver (leases, metrics, buffered answers) works in every trial and never in production.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check uvicorn==0.54.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import signal
import subprocess
import sys

import uvicorn

PROGRAM = """
import atexit
import uvicorn

async def app(scope, receive, send):
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.startup":
            print("ready", flush=True)
        else:
            print("lifespan shutdown", flush=True)
            return

atexit.register(lambda: print("atexit", flush=True))
try:
    uvicorn.run(app, port=0, log_level="error")
    print("behind run()", flush=True)
finally:
    print("finally", flush=True)
"""
print("uvicorn", uvicorn.__version__)
seen = {}
for signum in (signal.SIGTERM, signal.SIGINT):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    process.stdout.readline()
    process.send_signal(signum)
    words, _ = process.communicate(timeout=60)
    seen[signum] = words.splitlines(), process.returncode
    print(f"{signum.name}: {seen[signum][0]}, exit status {process.returncode}")
assert seen[signal.SIGTERM] == (["lifespan shutdown"], -signal.SIGTERM), seen
assert seen[signal.SIGINT] == (["lifespan shutdown", "behind run()", "finally", "atexit"], 0), seen
EOF
