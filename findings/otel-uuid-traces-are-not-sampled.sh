#!/usr/bin/env bash
# One would expect: a UUID is 128 bits and random, so it makes a good trace id, and traceidratio=0.1 then keeps a tenth of the
#   traces.
# What happens: none is kept up to a ratio of 0.5, and all are from 0.75 on. The sampler compares the lower 64 bits of the id
#   with the ratio, and these begin with the two bits of a UUID's variant: they lie between a half and three quarters.
# Why it matters here: the jobs of a shop have UUIDs already, and a trace that is found by the job's id needs no lookup. With
#   the usual ratios no trace of them would ever be there, and with 1.0, as everybody tries it first, all of them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-proto-http==1.45.2
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import uuid

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.sdk.version import __version__

COUNT = 4000
made = {
    "the library's own": [RandomIdGenerator().generate_trace_id() for _ in range(COUNT)],
    "uuid4().int": [uuid.uuid4().int for _ in range(COUNT)],
    "uuid5(…).int": [uuid.uuid5(uuid.NAMESPACE_URL, f"https://shop.example/{n}").int for n in range(COUNT)],
    "uuid4(), halves exchanged": [(each >> 64 | each << 64) & (1 << 128) - 1 for each in (uuid.uuid4().int for _ in range(COUNT))],
}
print("opentelemetry-sdk", __version__)
ratios = (0.1, 0.5, 0.75, 1.0)
kept = {}
for name, ids in made.items():
    kept[name] = [sum(TraceIdRatioBased(ratio).should_sample(None, each, "job").decision.is_sampled() for each in ids) / COUNT for ratio in ratios]
    print(f"{name:26}", ", ".join(f"of ratio {ratio}: {share:.2f}" for ratio, share in zip(ratios, kept[name], strict=True)))
assert kept["uuid4().int"] == kept["uuid5(…).int"] == [0, 0, 1, 1], kept
for name in ("the library's own", "uuid4(), halves exchanged"):
    assert all(abs(share - ratio) < 0.05 for share, ratio in zip(kept[name], ratios, strict=True)), kept
EOF
