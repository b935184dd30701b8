"""The Redis of one machine: the first command that needs a data folder's server starts it, the last stops it.

Who lives is told by file locks, which the kernel gives back however a process ends, never by process ids:

- `start.lock` is held while somebody starts or stops the server.
- `users.lock` is shared by every user; who can have it alone is the last one and may stop the server.
- `server.lock` is inherited by the server itself: never two of them on the same files, whoever was killed.
"""

import fcntl
import os
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from jobs.errors import ConfigError, RedisDownError
from jobs.redis_program import find_server, server_config, server_environ, usable_server

__all__ = ["EmbeddedRedis", "find_server"]

#: A socket's address holds 108 bytes on Linux and 104 elsewhere, the closing zero among them.
_SOCKET_BYTES = 100
_LOG_BYTES = 1_000_000
_PATIENCE_S = 120.0
_STEP_S = 0.01


class EmbeddedRedis:
    """The Redis server of a data folder, durable at every write, reachable only by this user.

    `start` attaches when the folder's server is already running, be it another command's or left by one that
    was killed. `stop` ends the server unless somebody else still uses it.
    """

    def __init__(
        self, data_dir: Path, *, server: Path | None = None, patience_s: float = _PATIENCE_S
    ) -> None:
        """Nothing is started yet.

        Args:
            data_dir: its subfolder `redis` is the server's.
            server: the program; found when None.
            patience_s: how long a server may take to load its file, and how long to end, in seconds.
        """
        self._folder = data_dir.resolve() / "redis"
        self._server = server
        self._patience_s = patience_s
        self._users: int | None = None
        #: The server's process id if it is our child.
        self._child: int | None = None
        self._socket = self._folder / "server.sock"

    @property
    def url(self) -> str:
        """The address for `redis.url`, without a database; known once started."""
        return f"unix://{quote(str(self._socket))}"

    @property
    def started(self) -> bool:
        """Whether `start` had to start the server; False when it attached to a running one."""
        return self._child is not None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the server or attaches to it; returns when it answers and has loaded its file.

        Raises:
            ConfigError: there is no server program, it is too old, or it cannot run on these files.
            RedisDownError: a running one does not answer.
        """
        if self._users is not None:
            return
        _private_folder(self._folder)
        with self._locked("start.lock"):
            self._socket = self._socket_path()
            users = self._open("users.lock")
            try:
                fcntl.flock(users, fcntl.LOCK_SH)
                self.ensure_running()
            except BaseException:
                # Whoever comes next waits for our lock: nobody else can be using what we have just spawned.
                if self._child is not None:
                    self._kill()
                    self._reap()
                os.close(users)
                raise
            self._users = users

    def stop(self) -> None:
        """Ends the server if nobody else uses it; every acknowledged write is on disk already."""
        if self._users is None:
            return
        with self._locked("start.lock"):
            try:
                alone = _flock_now(self._users)
                if alone:
                    self._shut_down()
                    self._forget()
            finally:
                os.close(self._users)
                self._users = None
                self._child = None

    def ensure_running(self) -> None:
        """Starts the server again if it has died; used between `start` and `stop`."""
        lock = self._open("server.lock")
        try:
            if _flock_now(lock):
                self._spawn(lock)
        finally:
            # The server has its own copy of the lock; ours must not outlive it.
            os.close(lock)
        self._await_answer()

    def _spawn(self, lock: int) -> None:
        server = usable_server(self._server, self._folder)
        self._socket.unlink(missing_ok=True)
        _write_private(self._folder / "redis.conf", server_config(self._folder, self._socket))
        log = self._folder / "server.log"
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        os.set_inheritable(lock, True)
        # A process group of its own: Ctrl-C in a terminal is for the command, which stops the server last.
        self._child = os.posix_spawn(
            server,
            [str(server), str(self._folder / "redis.conf")],
            server_environ(),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setpgroup=0,
            setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGPIPE],
        )
        _write_private(self._folder / "server.pid", b"%d\n" % self._child)

    def _await_answer(self) -> None:
        deadline = time.monotonic() + self._patience_s
        with self._client(timeout_s=min(2, self._patience_s)) as client:
            while time.monotonic() < deadline:
                # While it loads, the server answers with an error that counts as a lost connection.
                with suppress(redis.ConnectionError, redis.TimeoutError):
                    client.ping()
                    return
                if not self._alive():
                    self._reap()
                    raise ConfigError(f"Redis ended at once: {self._last_words()}")
                time.sleep(_STEP_S)
        raise RedisDownError(f"the Redis in {self._folder} does not answer; see its server.log")

    def _client(self, *, timeout_s: float) -> redis.Redis:
        once = Retry(NoBackoff(), 0)
        return redis.Redis(unix_socket_path=str(self._socket), socket_timeout=timeout_s, retry=once)

    def _shut_down(self) -> None:
        # The reply to a good shutdown is a closed connection.
        with (
            suppress(redis.ConnectionError, redis.TimeoutError),
            self._client(timeout_s=self._patience_s) as client,
        ):
            client.execute_command("SHUTDOWN", "NOSAVE")
        deadline = time.monotonic() + self._patience_s
        while self._alive():
            if time.monotonic() > deadline:
                # Nothing acknowledged is lost by it: every write was synced before its reply.
                self._kill()
                deadline += self._patience_s
            time.sleep(_STEP_S)
        self._reap()

    def _kill(self) -> None:
        with suppress(OSError, ValueError):
            os.kill(int((self._folder / "server.pid").read_text()), signal.SIGKILL)

    def _alive(self) -> bool:
        """Whether a server holds its lock."""
        lock = self._open("server.lock")
        try:
            return not _flock_now(lock)
        finally:
            os.close(lock)

    def _reap(self) -> None:
        if self._child is not None:
            with suppress(ChildProcessError):
                os.waitpid(self._child, 0)
            self._child = None

    def _forget(self) -> None:
        """Removes what only a running server needs."""
        for path in (self._folder / "server.pid", self._socket):
            path.unlink(missing_ok=True)
        if self._socket.parent != self._folder:
            (self._folder / "socket").unlink(missing_ok=True)
            with suppress(OSError):
                self._socket.parent.rmdir()

    def _socket_path(self) -> Path:
        """Inside the folder; else in a private temporary one, whose name the folder keeps for the next."""
        inside = self._folder / "server.sock"
        if len(os.fsencode(inside)) < _SOCKET_BYTES:
            return inside
        note = self._folder / "socket"
        if note.exists():
            kept = Path(os.fsdecode(note.read_bytes()))
            if _is_private(kept.parent):
                return kept
        made = Path(tempfile.mkdtemp(prefix="vton-")) / "server.sock"
        _write_private(note, os.fsencode(made))
        return made

    def _last_words(self) -> str:
        log = self._folder / "server.log"
        words = log.read_text(errors="replace").strip() if log.exists() else ""
        return words.rpartition("\n")[2] or "no word in its log"

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        lock = self._open(name)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _open(self, name: str) -> int:
        return os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _flock_now(lock: int) -> bool:
    """Takes the lock alone if nobody else has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made: {error.strerror}") from None


def _is_private(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _write_private(path: Path, content: bytes) -> None:
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(target, "wb") as file:
        file.write(content)
