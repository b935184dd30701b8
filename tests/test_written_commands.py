"""Every command that stands in Dockerfile, compose file, units and pages is executed as far as it goes without an engine."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml
from dramatiq.cli import make_argument_parser

from jobs.cli.commands import COMMANDS as COMMAND_NAMES
from jobs.cli.commands import load
from jobs.local.redis_server import find_server

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
COMMANDS = {name: load(name) for name in COMMAND_NAMES}


def blocks(*kinds: str) -> list[tuple[str, str]]:
    """Page and text of the code blocks of some kinds."""
    return [
        (page.name, text)
        for page in PAGES
        for kind, text in FENCE.findall(page.read_text("utf-8"))
        if kind in kinds
    ]


def unit() -> str:
    (found,) = [text for _, text in blocks("ini")]
    return found


def commands() -> set[tuple[str, ...]]:
    """Every `vton …` and `dramatiq …` of pages, units, crontab lines and containers, word by word."""
    text = "\n".join(text for _, text in blocks("sh", "console", "crontab", "ini")).replace("\\\n", " ")
    found = set(re.findall(r"(?:^|[\s=/])((?:vton|dramatiq) [a-z][^#\n|>&]*)", text, re.MULTILINE))
    words = {tuple(shlex.split(each)) for each in found}
    # `docker compose run --rm [--entrypoint vton] producer …` gives its words to the service's own entrypoint.
    for entrypoint, rest in re.findall(r"compose run --rm (?:--entrypoint (\w+) )?producer ([^\n#]*)", text):
        words.add(
            (*(entrypoint.split() or COMPOSE["services"]["producer"]["entrypoint"]), *shlex.split(rest))
        )
    words |= {
        tuple(each["command"])
        for each in COMPOSE["services"].values()
        if each["command"][0] in {"vton", "dramatiq"}
    }
    return {each for each in words if each[1] != "producer"}


@pytest.mark.parametrize("words", sorted(commands()), ids=" ".join)
def test_a_written_command_is_understood_by_its_program(words, tmp_path):
    program, *rest = [word.replace("%i", "submit") for word in words]
    if program == "dramatiq":
        assert make_argument_parser().parse_args(rest).broker == "worker.app"
        return
    name, *options = rest
    with COMMANDS[name].make_context(name, options) as context:
        assert context.command.name == name


def test_there_are_commands_of_every_place():
    found = {" ".join(words[:2]) for words in commands()}
    assert {"vton run", "vton enqueue", "vton serve", "vton status", "dramatiq worker.app"} <= found


@pytest.mark.parametrize(("page", "text"), blocks("sh"))
def test_a_block_for_the_shell_is_one_the_shell_can_read(page, text):
    done = subprocess.run(["/bin/sh", "-n"], input=text, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), page


def test_the_unit_is_one_that_systemd_takes(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd here")
    path = tmp_path / "vton@submit.service"
    path.write_text(unit().replace("/srv/vton/.venv/bin/dramatiq", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, check=False
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if "vton@" in line]
    assert said == []


def test_the_unit_does_not_start_again_what_only_a_person_can_mend():
    assert "RestartPreventExitStatus=7" in unit()


def healthcheck() -> list[str]:
    (found,) = re.findall(
        r"^HEALTHCHECK (?:.*\\\n)? *CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    command = json.loads(found)
    assert command[0] == "python"
    return [sys.executable, *command[1:]]


def test_the_health_of_the_containers_redis_is_asked_with_its_password(tmp_path):
    """Its own script writes its settings, a real server reads them, its own check asks it."""
    # pytest's own folders have names too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="vton-"))
    server = find_server()
    client = server and shutil.which(
        "redis-cli", path=f"{server.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    )
    if client is None:
        pytest.skip("no redis-cli here")
    service = COMPOSE["services"]["redis"]
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "NAME": "redis", "PROFILES": ""}
    conf, socket, secret = tmp_path / "redis.conf", folder / "r.sock", tmp_path / "redis_password"
    secret.write_text("letters4711")

    def here(command: str) -> str:
        return command.replace("$$", "$").replace("/run/secrets/redis_password", str(secret))

    script = (
        here(service["command"][2])
        .replace("/data/redis.conf", str(conf))
        .replace("dir /data", f"dir {tmp_path}")
    )
    subprocess.run(["/bin/sh", "-ec", script.replace("exec redis-server", "true")], check=True, env=environ)
    shim = tmp_path / "redis-cli"
    shim.write_text(f'#!/bin/sh\nexec "{client}" -s "{socket}" "$@"\n')
    shim.chmod(0o700)
    check = ["/bin/sh", "-c", here(service["healthcheck"]["test"][1])]
    assert subprocess.run(check, env=environ, check=False, capture_output=True, timeout=60).returncode != 0
    options = ["--port", "0", "--unixsocket", str(socket)]
    with subprocess.Popen([server, conf, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert any("eady to accept connections" in line for line in process.stdout or ())
            assert subprocess.run(check, env=environ, check=False, timeout=60).returncode == 0
            secret.write_text("another")
            assert (
                subprocess.run(check, env=environ, check=False, capture_output=True, timeout=60).returncode
                != 0
            )
        finally:
            process.terminate()
            process.communicate(timeout=10)
            shutil.rmtree(folder)
