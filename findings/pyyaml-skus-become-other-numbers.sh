#!/usr/bin/env bash
# One would expect: a SKU such as 2024_11 or 12:30 is text, since it is no number; the known traps are "no" and leading zeros.
# What happens: underscores are dropped wherever digits allow it, and digits with colons are read to base 60: 2024_11 becomes
#   202411, 1__2 and 12_ become 12, 12:30 becomes 750, 190:20:30.15 a fraction. 0123 is 83 and 0129 is text, in one
#   column. Two different SKUs can become the same number, and dumping does not give the old text back.
# Why it matters here: results and picture names go back to the shop under a SKU that it does not have. Read keys and SKUs as
#   text: from the events, or with a loader that has no implicit numbers.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pyyaml==6.0.4
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import yaml

print("PyYAML", yaml.__version__)
expected = {
    "2024_11": 202411,
    "12_": 12,
    "1__2": 12,
    "12:30": 750,
    "190:20:30.15": 685230.15,
    "0123": 83,
    "0129": "0129",
    "1e3": "1e3",
    "2024-11": "2024-11",
}
for loader in filter(None, (yaml.SafeLoader, getattr(yaml, "CSafeLoader", None))):
    seen = {text: yaml.load(f"sku: {text}", loader)["sku"] for text in expected}  # noqa: S506 both are safe
    print(loader.__name__, ", ".join(f"{text} -> {value!r}" for text, value in seen.items()))
    assert seen == expected, seen
text = yaml.load("sku: 2024_11", yaml.BaseLoader)["sku"]
print(f"BaseLoader, which knows no numbers: {text!r}")
assert text == "2024_11"
EOF
