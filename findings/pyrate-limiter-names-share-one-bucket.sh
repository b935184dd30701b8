#!/usr/bin/env bash
# One would expect: `limiter.try_acquire("shop-b")` asks for what shop B has left, as the key of other limiters does.
# What happens: the name is noted and decides nothing: all names draw from one bucket. Two calls by shop A, and shop B, which has called
#   never, is refused; five shops get no more than one. A bucket for each name needs a BucketFactory of one's own.
# Why it matters here: where each tenant or each key of a picture service has its own limit, one tenant's run stops all the others.
#   A test with a single name shows nothing of it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pyrate-limiter==4.5.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from importlib.metadata import version

from pyrate_limiter import Duration, Limiter, Rate

limiter = Limiter(Rate(2, Duration.MINUTE))
asked = ("shop-a", "shop-a", "shop-b", "shop-c")
answers = [limiter.try_acquire(name, blocking=False) for name in asked]
print("pyrate-limiter", version("pyrate-limiter"), "two calls a minute")
print(", ".join(f"{name}: {answer}" for name, answer in zip(asked, answers, strict=True)))
limiter.close()
own = {name: Limiter(Rate(2, Duration.MINUTE)) for name in ("shop-a", "shop-b")}
each = [own[name].try_acquire(name, blocking=False) for name in asked[:3]]
for one in own.values():
    one.close()
print("a limiter for each:", each)
assert answers == [True, True, False, False] and each == [True, True, True], (answers, each)
EOF
