"""The compose file's profile `sentinel`, its own commands on hosts of their own: the primary dies, and comes back."""

import contextlib
import ctypes
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import redis
import yaml

from tests.faults.doubles import against_double
from tests.faults.failover import AREA, StandbyRig
from tests.faults.network import Network
from tests.faults.outcome import Outcome, SkippedError, scenario
from tests.faults.servers import RedisServer
from tests.faults.standby import Standby, until
from tests.faults.verdict import judge

_COMPOSE: Final = Path(__file__).parents[2] / "docker-compose.yml"
_CLONE_NEWNS: Final = 0x00020000
SERVERS: Final = ("redis", "redis-2", "redis-3")
SENTINELS: Final = ("sentinel-1", "sentinel-2", "sentinel-3")
_SENTINEL_PORT: Final = 26379


class Names:
    """What /etc/hosts says to this process and all it starts, as an engine's own DNS: who is gone has no name."""

    def __init__(self, file: Path, network: Network) -> None:
        self._file = file
        self._network = network
        self._known = set(SERVERS + SENTINELS)
        self._write()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNS) != 0:
            raise SkippedError("mount namespaces are not allowed here")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        subprocess.run(["mount", "--bind", file, "/etc/hosts"], check=True)

    def know(self, name: str) -> None:
        self._known.add(name)
        self._write()

    def forget(self, name: str) -> None:
        self._known.discard(name)
        self._write()

    def _write(self) -> None:
        lines = [f"{self._network.address(name)} {name}" for name in sorted(self._known)]
        self._file.write_text("\n".join(["127.0.0.1 localhost", *lines, ""]), encoding="utf-8")


class Service(RedisServer):
    """A service of the compose file: its command, its variables, a volume of its own."""

    def __init__(self, name: str, folder: Path, password: str, network: Network, names: Names) -> None:
        super().__init__(folder, password, host=network.address(name), inside=network.inside(name))
        self.name = name
        self.port = _SENTINEL_PORT if name in SENTINELS else 6379
        self._names = names
        (folder / "password").write_text(password, encoding="utf-8")
        (folder / "volume").mkdir()

    def start(self) -> None:
        service: dict[str, Any] = yaml.safe_load(_COMPOSE.read_text(encoding="utf-8"))["services"][self.name]
        script: str = service["command"][2].replace("$$", "$")
        for place, here in (
            ("/tmp/", f"{self._folder}/"),
            ("dir /tmp", f"dir {self._folder}"),
            (" /data/", f" {self._folder}/volume/"),
            ("dir /data", f"dir {self._folder}/volume"),
            ("/run/secrets/redis_password", f"{self._folder}/password"),
        ):
            script = script.replace(place, here)
        given = {
            name: re.sub(r"\$\{COMPOSE_PROFILES:-\}", "sentinel", value)
            for name, value in service["environment"].items()
        }
        self._names.know(self.name)
        self._process = subprocess.Popen(
            [*self.inside, "sh", "-ec", script],
            env={**os.environ, **given},
            stdout=(self._folder / "server.log").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        until(self._answers, f"{self.name} answers")

    def kill(self) -> None:
        super().kill()
        self._names.forget(self.name)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "server.log").read_text(errors="replace")[-2000:]
        try:
            with redis.Redis.from_url(self.url()) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


class Composed(Standby):
    """All services of the profile."""

    def __init__(self, folder: Path, password: str, network: Network) -> None:
        names = Names(folder / "hosts", network)
        self.password = password
        made = {name: Service(name, folder / name, password, network, names) for name in SERVERS + SENTINELS}
        self.servers = [made[name] for name in SERVERS]
        self.sentinels = [made[name] for name in SENTINELS]

    @property
    def url(self) -> str:
        return (
            f"redis+sentinel://:{self.password}@{','.join(SENTINELS)}/vton?sentinel_password={self.password}"
        )

    @property
    def primary(self) -> RedisServer:
        found = [self._told(sentinel)["ip"] for sentinel in self.sentinels]
        name = max(set(found), key=found.count)
        return self.servers[SERVERS.index(name)]

    def _start(self) -> None:
        for each in (*self.servers, *self.sentinels):
            each.start()
        until(self._whole, "the sentinels know each other and the replicas")

    def _whole(self) -> bool:
        told = [self._told(sentinel) for sentinel in self.sentinels]
        return all((each["num-other-sentinels"], each["num-slaves"]) == (2, 2) for each in told)

    def _told(self, sentinel: Service) -> dict[str, Any]:
        with redis.Redis.from_url(sentinel.url(), decode_responses=True) as client:
            return dict(client.sentinel_master("vton"))

    def _end(self) -> None:
        for each in (*self.servers, *self.sentinels):
            RedisServer.kill(each)


@contextlib.contextmanager
def composing(*others: str) -> Iterator[tuple[Composed, Network]]:
    """All services of the profile, each on a host of its own, and `others` as hosts beside them.

    Raises:
        SkippedError: this machine lacks a program, or rights.
    """
    if missing := [name for name in ("redis-server", "redis-cli", "mount") if shutil.which(name) is None]:
        raise SkippedError(f"no {missing[0]} here")
    beside = Path(tempfile.mkdtemp(prefix="composed-"))
    try:
        with (
            Network(*SERVERS, *SENTINELS, *others) as network,
            Composed(beside, f"redis-canary-{os.urandom(12).hex()}", network) as composed,
        ):
            yield composed, network
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@scenario(AREA, "the compose file's primary dies with its name, and comes back")
def comes_back(folder: Path, *, jobs: int = 400) -> Outcome:
    """A sentinel starts anew while the dead one has no name; the dead one comes back as a replica from its first moment."""
    setup = against_double(submit=2, in_flight=20, env={"VTON_REDIS__REPLICAS": "1"})
    with composing() as (composed, _), StandbyRig(folder, setup, composed) as rig:
        return _lost_and_back(rig, composed, jobs)


def _lost_and_back(rig: StandbyRig, composed: Composed, jobs: int) -> Outcome:
    batch = rig.enqueue("batch", range(jobs))
    rig.until(lambda: rig.arrived(jobs // 4), "submits have begun", step_s=0.01)
    former = composed.primary
    former.kill()
    rig.until(lambda: composed.promoted(former), "another one is promoted")
    promoted = time.time()
    composed.sentinels[0].kill()
    composed.sentinels[0].start()
    going = rig.going_again(promoted)
    type(former).start(former)  # past the rig, which starts none
    role = _role(former)
    rig.finish(batch, within_s=600)
    primary = composed.primary
    verdict = judge(rig, batch, unknown_at_most=rig.setup.submit * rig.setup.threads)
    for each in (*composed.sentinels, *composed.servers):
        type(each).kill(each)
    # As after a power cut: no sentinel answers yet.
    for each in composed.servers:
        type(each).start(each)
    first = [each for each in composed.servers if _role(each) == "master"]
    broken = [] if role == "slave" else ["the dead one came back as a second primary"]
    broken += [] if first == [primary] else ["after all have started anew another one is the primary"]
    return Outcome(
        verdict=verdict,
        faults=4,
        recovery_s=going,
        broken=broken,
    )


def _role(server: RedisServer) -> str:
    with server.client(0) as client:
        return str(client.info("replication")["role"])
