#!/usr/bin/env bash
# One would expect: an environment variable, which wins over the file, replaces the file's value; an empty JSON object empties a
#   table; keys keep their letters.
# What happens: lists are replaced, tables are merged into the file's: {} changes nothing and an entry can never be taken out.
#   Written as one variable for each key (SHOP__VENDOR__CODES__...), the keys are turned into small letters, so that they
#   stand beside the file's instead of overriding them.
# Why it matters here: a table of vendor codes decides what is paid for again; who takes a code out by the environment believes
#   it is gone. (With nested_model_default_partial_update the defaults in the code behave like the file.)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pydantic-settings==2.16.3 pydantic==2.14.4 pyyaml==6.0.4
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import os
from importlib.metadata import version

from pydantic import BaseModel
from pydantic_settings import BaseSettings, SettingsConfigDict, YamlConfigSettingsSource


class Vendor(BaseModel):
    codes: dict[str, str] = {}
    hosts: list[str] = []


class Shop(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP__", env_nested_delimiter="__")
    vendor: Vendor = Vendor()

    @classmethod
    def settings_customise_sources(cls, settings_cls, env_settings, **_):
        return env_settings, YamlConfigSettingsSource(settings_cls, "shop.yaml")


def read(**environ):
    os.environ.update(environ)
    try:
        return Shop().vendor
    finally:
        for name in environ:
            del os.environ[name]


with open("shop.yaml", "w") as file:
    file.write("vendor:\n  codes: {Busy: retry, Paid: final}\n  hosts: [a.test, b.test]\n")
print("pydantic-settings", version("pydantic-settings"))
both = {"Busy": "retry", "Paid": "final"}
cases = {
    "nothing": (read().codes, both),
    'SHOP__VENDOR__CODES={"Busy": "final"}': (read(SHOP__VENDOR__CODES='{"Busy": "final"}').codes, both | {"Busy": "final"}),
    "SHOP__VENDOR__CODES={}": (read(SHOP__VENDOR__CODES="{}").codes, both),
    "SHOP__VENDOR__CODES__Busy=final": (read(SHOP__VENDOR__CODES__Busy="final").codes, both | {"busy": "final"}),
    'SHOP__VENDOR__HOSTS=["c.test"]': (read(SHOP__VENDOR__HOSTS='["c.test"]').hosts, ["c.test"]),
    "SHOP__VENDOR__HOSTS=[]": (read(SHOP__VENDOR__HOSTS="[]").hosts, []),
}
for name, (found, _) in cases.items():
    print(f"{name:40} {found}")
assert all(found == known for found, known in cases.values()), cases
EOF
