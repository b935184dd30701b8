#!/usr/bin/env bash
# One would expect: `backoff.runtime`, made for the Retry-After of an answer, waits at least for as long as the server says; jitter adds to it.
# What happens: the default `full_jitter` applies here too: "Retry-After: 60" is a wait of anything between 0 and 60 seconds, 30 on
#   average. Only `jitter=None` waits for what was said, `jitter=backoff.random_jitter` for up to a second more.
# Why it matters here: a service that limits its callers is asked again too early, five times in a row, and the tries are used up
#   before the time it has named. The script does not wait: it notes the waits.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check backoff==2.2.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import time
from importlib.metadata import version

import backoff


def waits(**options):
    """The waits of 1,000 tries whose answer is 429 with Retry-After: 60, in seconds."""
    noted = []

    @backoff.on_predicate(
        backoff.runtime, lambda answer: answer["status"] == 429, value=lambda answer: int(answer["retry-after"]), max_tries=1001, **options
    )
    def ask():
        return {"status": 429, "retry-after": "60"}

    before, time.sleep = time.sleep, noted.append
    try:
        ask()
    finally:
        time.sleep = before
    return noted


print("backoff", version("backoff"))
usual, exact, added = waits(), waits(jitter=None), waits(jitter=backoff.random_jitter)
for name, noted in (("by default", usual), ("jitter=None", exact), ("jitter=random_jitter", added)):
    early = sum(wait < 60 for wait in noted)
    print(f"{name:21} {min(noted):6.2f} to {max(noted):5.2f} s, {sum(noted) / len(noted):5.2f} on average, too early: {early} of {len(noted)}")
assert len(usual) == 1000 and min(usual) < 6 and 20 < sum(usual) / 1000 < 40, usual
assert set(exact) == {60} and 60 <= min(added) <= max(added) <= 61
EOF
