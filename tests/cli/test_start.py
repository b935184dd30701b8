"""What a command loads before it does its work: most of its time, when the work is little."""

import os
import subprocess
import sys

import pytest

#: Libraries and parts of them that only some commands use.
HEAVY = {
    "PIL",
    "PIL.Image",
    "jinja2",
    "rich.console",
    "importlib.metadata._adapters",
    "pydantic_settings",
    "redis.asyncio.client",
    "jobs.results.exporter",
    "jobs.manifest",
}


def loaded(folder, *words):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("VTON_", "HIDREAM_"))}
    argv = [sys.executable, "-X", "importtime", "-c", "from jobs.cli import main; main()", *words]
    ended = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=True)
    names = (line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if "import time:" in line)
    return set(names) & HEAVY


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--help",), {"rich.console"}),
        (("--version",), {"importlib.metadata._adapters"}),
        (("config",), set()),
        (("status",), set()),
    ],
)
def test_a_command_loads_what_it_uses(words, wanted, tmp_path):
    assert loaded(tmp_path, *words) == wanted


def test_a_plan_of_addresses_opens_no_picture(tmp_path):
    addresses = "https://shop.example/p.jpg,https://shop.example/d.jpg"
    (tmp_path / "list.csv").write_text(f"sku,person,dress\n1,{addresses}\n")
    assert loaded(tmp_path, "plan", "list.csv").isdisjoint({"PIL.Image", "jinja2", "redis.asyncio.client"})
