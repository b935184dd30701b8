#!/usr/bin/env bash
# One would expect: "20261105", a date as ISO 8601 writes it without hyphens, is that day or an error; Python's own fromisoformat reads it.
# What happens: a `datetime` field of pydantic, and one of msgspec with strict=False, takes any text of digits for seconds since 1970:
#   "20261105" becomes 23 August 1970, "2026" half past midnight on 1 January 1970. With T and a time behind it both refuse it.
# Why it matters here: exports hold the end of a sale, or of a person's consent, in this form: it has passed long ago, and no row is
#   refused. A field of type `date` is no way out where a time may follow: it refuses the text as a "datetime with a non-zero time".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pydantic==2.14.3 msgspec==0.22.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from datetime import date, datetime

import msgspec
import pydantic


def answer(read, text):
    try:
        return read(text).isoformat()
    except ValueError as error:
        return f"refused ({type(error).__name__})"


by_pydantic = pydantic.TypeAdapter(datetime).validate_python
readers = {
    "Python": datetime.fromisoformat,
    "pydantic": by_pydantic,
    "msgspec": lambda text: msgspec.convert(text, datetime, strict=False),
    "pydantic date": pydantic.TypeAdapter(date).validate_python,
}
print("pydantic", pydantic.VERSION, "msgspec", msgspec.__version__)
seen = {}
for text in ("20261105", "2026", "20261105T120000", "2026-11-05T12:00:00"):
    for name, read in readers.items():
        seen[text, name] = answer(read, text)
        print(f"{text:20} {name:14} {seen[text, name]}")
assert seen["20261105", "Python"] == "2026-11-05T00:00:00"
assert seen["20261105", "pydantic"] == seen["20261105", "msgspec"] == "1970-08-23T12:05:05+00:00"
assert seen["2026", "pydantic"] == seen["2026", "msgspec"] == "1970-01-01T00:33:46+00:00"
assert seen["20261105", "pydantic date"].startswith("refused")
assert seen["20261105T120000", "pydantic"].startswith("refused"), seen
assert seen["2026-11-05T12:00:00", "pydantic"] == "2026-11-05T12:00:00"
EOF
