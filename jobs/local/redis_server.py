"""The Redis of one machine: the first command that needs a data folder's server starts it, the last stops it.

Who lives is known by file locks, which the kernel gives back however a process ends, never by process ids:

- `start.lock` is held while somebody starts or stops the server.
- `users.lock` is shared by every user, commands and workers; who can have it alone is the last one and may stop the server.
- `server.lock` is inherited by the server itself: never two of them on the same files, whoever was killed.
"""

import fcntl
import os
import signal
import threading
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
from jobs.local.redis_folder import USERS, answers, forget_socket, socket_path, write_private
from jobs.local.redis_program import (
    WRITER,
    ServerVersion,
    find_server,
    server_config,
    server_environ,
    usable_server,
)

__all__ = ["EmbeddedRedis", "find_server"]

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
        try:
            self._start()
        except OSError as error:
            raise ConfigError(f"{self._folder}: {error.strerror or type(error).__name__}") from None

    def _start(self) -> None:
        _private_folder(self._folder)
        with self._locked("start.lock"):
            self._socket = socket_path(self._folder, running=self.alive())
            users = self._open(USERS)
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

    def ensure_running(self, stopping: threading.Event | None = None) -> None:
        """Starts the server again if it has died; used between `start` and `stop`. `stopping`: nobody waits any more.

        Raises:
            ConfigError: it cannot run on these files.
            RedisDownError: it does not answer, or another one listens in its place.
        """
        lock = self._open("server.lock")
        try:
            spawned = self._spawn(lock) if _flock_now(lock) else None
        finally:
            # The server has its own copy of the lock; ours must not outlive it.
            os.close(lock)
        if not self._answers(stopping):
            self._reap()
            if spawned:
                raise ConfigError(f"{self._folder / 'server.log'}: Redis ended at once: {self.last_words()}")
            # Somebody else's died, or somebody else only looked whether there is one.
            self.ensure_running(stopping)
        elif spawned:
            # Now that it has read them, the files are its own.
            with suppress(OSError):
                write_private(self._folder / WRITER, f"{spawned}\n".encode())

    def restart(self, stopping: threading.Event) -> None:
        """`ensure_running`, alone among all commands. Raises the same, and OSError."""
        with self._locked("start.lock"):
            self._reap()
            self.ensure_running(stopping)

    @property
    def folder(self) -> Path:
        """The server's own."""
        return self._folder

    def _spawn(self, lock: int) -> ServerVersion:
        server, version = usable_server(self._server, self._folder)
        if answers(self._socket):
            # We hold this folder's lock: whoever listens there is another folder's, a copy's original perhaps.
            raise RedisDownError(
                f"{self._socket}: another server listens there, which is not that of {self._folder}"
            )
        self._socket.unlink(missing_ok=True)
        config = self._folder / "redis.conf"
        if not config.exists() or config.read_bytes() != server_config(self._folder, self._socket):
            write_private(config, server_config(self._folder, self._socket))
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
        # The server writes it too; a full disk keeps neither from running.
        with suppress(OSError):
            write_private(self._folder / "server.pid", b"%d\n" % self._child)
        return version

    def _answers(self, stopping: threading.Event | None) -> bool:
        """Waits until it answers and has loaded its file; False when it has ended."""
        deadline = time.monotonic() + self._patience_s
        with self._client(timeout_s=min(2, self._patience_s)) as client:
            while time.monotonic() < deadline:
                # While it loads, the server answers with an error that counts as a lost connection.
                with suppress(redis.ConnectionError, redis.TimeoutError):
                    client.ping()
                    return True
                if not self.alive():
                    return False
                if stopping is not None and stopping.is_set():
                    break
                time.sleep(_STEP_S)
        raise RedisDownError(f"the Redis in {self._folder} does not answer; see its server.log")

    def _client(self, *, timeout_s: float) -> redis.Redis:
        once = Retry(NoBackoff(), 0)
        return redis.Redis(
            unix_socket_path=str(self._socket), socket_timeout=timeout_s, retry=once, driver_info=None
        )

    def _shut_down(self) -> None:
        # The reply to a good shutdown is a closed connection.
        with (
            suppress(redis.ConnectionError, redis.TimeoutError),
            self._client(timeout_s=self._patience_s) as client,
        ):
            client.execute_command("SHUTDOWN", "NOSAVE")
        deadline = time.monotonic() + self._patience_s
        while self.alive():
            if time.monotonic() > deadline:
                # Nothing acknowledged is lost by it: every write was synced before its reply.
                self._kill()
                deadline += self._patience_s
            time.sleep(_STEP_S)
        self._reap()

    def _kill(self) -> None:
        with suppress(OSError, ValueError):
            os.kill(int((self._folder / "server.pid").read_text()), signal.SIGKILL)

    def alive(self) -> bool:
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
        (self._folder / "server.pid").unlink(missing_ok=True)
        forget_socket(self._folder, self._socket)

    def last_words(self) -> str:
        """The last line of its log."""
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
