"""The Redis of a data folder outlasts kills, full disks, copies of its folder and commands that were killed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis

from jobs.errors import RedisDownError
from jobs.local import redis_folder
from jobs.local.redis_keeper import RedisKeeper
from jobs.local.redis_reserve import RESERVE_BYTES
from jobs.local.redis_server import EmbeddedRedis

ROOT = Path(__file__).parents[2]
WORKER = "import sys\nimport worker.app\nprint('ready', flush=True); sys.stdin.read()"
COMMAND = (
    "import sys; from pathlib import Path; from jobs.local.redis_server import EmbeddedRedis\n"
    "server = EmbeddedRedis(Path(sys.argv[1])); server.start()\n"
    "print(server.url, flush=True); sys.stdin.read()"
)


def until(holds: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        os.sched_yield()


@contextmanager
def process(code: str, *words: str, **env: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        env=os.environ | env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def first_line(running: "subprocess.Popen[str]") -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def pings(url: str) -> bool:
    with suppress(redis.RedisError), redis.Redis.from_url(url) as client:
        return bool(client.ping())
    return False


def kill_server(data_dir: Path) -> None:
    os.kill(int((data_dir / "redis" / "server.pid").read_text()), signal.SIGKILL)


def test_a_later_command_does_not_stop_the_server_under_workers_of_a_killed_one(tmp_path: Path) -> None:
    with process(COMMAND, str(tmp_path)) as run:
        url = first_line(run)
        env = {"VTON_REDIS__URL": url, "VTON_DATA_DIR": str(tmp_path), "HIDREAM_TOKEN": "t"}
        with process(WORKER, **env) as worker:
            assert first_line(worker).endswith("ready")
            run.kill()
            run.wait()
            with EmbeddedRedis(tmp_path) as later:
                assert not later.started
            assert pings(url), "its workers still use it"
            worker.communicate()
        with EmbeddedRedis(tmp_path):
            pass
        assert not pings(url), "nobody uses it any more"


def test_only_the_data_folders_own_server_is_used(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "one") as server:
        assert redis_folder.use(tmp_path / "two", server.url) is None
        assert redis_folder.use(tmp_path / "one", "redis://localhost:1") is None
        used = redis_folder.use(tmp_path / "one", server.url)
        assert used is not None
        os.close(used)


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A data folder whose path is too long for a socket's address."""
    folder = tmp_path / ("d" * 60) / ("e" * 60)
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("earlier_version", [False, True])
def test_a_copy_of_a_data_folder_has_a_server_of_its_own(deep: Path, earlier_version: bool) -> None:
    with EmbeddedRedis(deep) as original, redis.Redis.from_url(original.url) as client:
        client.set("whose", "the original's")
        if earlier_version:
            (deep / "redis" / "socket").write_bytes(os.fsencode(original._socket))
        copy = deep.with_name("f" * 60)
        shutil.copytree(deep, copy, ignore=shutil.ignore_patterns("*.sock"))
        with EmbeddedRedis(copy) as other, redis.Redis.from_url(other.url) as its_client:
            assert other.started
            assert other.url != original.url
            its_client.set("whose", "the copy's")
            with EmbeddedRedis(deep) as later:
                assert later.url == original.url
            assert client.get("whose") == b"the original's"
        assert pings(original.url)


def test_a_socket_that_answers_is_not_taken_away(tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="vton-"))
    with EmbeddedRedis(folder / "one") as one:
        (folder / "two" / "redis").mkdir(parents=True)
        (folder / "two" / "redis" / "server.sock").symlink_to(folder / "one" / "redis" / "server.sock")
        with pytest.raises(RedisDownError, match="another server listens there"):
            EmbeddedRedis(folder / "two").start()
        assert pings(one.url)
    shutil.rmtree(folder)


def test_a_server_that_dies_is_started_again(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server, RedisKeeper(server), redis.Redis.from_url(server.url) as client:
        client.set("job", "bought")
        for _ in range(2):
            kill_server(tmp_path)
            until(lambda: pings(server.url))
        assert client.get("job") == b"bought"
    assert not pings(server.url)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for three reserves and a little; only root can make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = 3 * RESERVE_BYTES + 8_000_000
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Takes all the room that is left, to the last byte."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        for block in (1 << 20, 1):
            with suppress(OSError):
                while True:
                    os.write(file.fileno(), bytes(block))
    return filler


def write_until_it_fails(client: redis.Redis) -> None:
    for number in range(10_000):
        client.set(f"more{number}", "2" * 1000)


def test_a_full_disk_costs_the_reserve_and_not_the_ledger(small_disk: Path) -> None:
    reserve = small_disk / "redis" / "reserve"
    with EmbeddedRedis(small_disk) as server, RedisKeeper(server):
        until(reserve.exists)
        with redis.Redis.from_url(server.url) as client:
            client.set("before", "1" * 1000)
            filler = fill(small_disk)
            with pytest.raises(redis.RedisError):
                write_until_it_fails(client)
            until(lambda: not reserve.exists())
            until(lambda: pings(server.url))
            client.set("after", "3")
            assert (client.get("before"), client.get("after")) == (b"1" * 1000, b"3")
            last = (
                max(n for n in range(10_000) if client.exists(f"more{n}")) if client.exists("more0") else -1
            )
            assert all(client.exists(f"more{n}") for n in range(last)), "no hole"
        filler.unlink()
    with EmbeddedRedis(small_disk) as server, RedisKeeper(server):
        until(reserve.exists)
        with redis.Redis.from_url(server.url) as client:
            assert client.get("after") == b"3"
