"""The process: one socket, one event loop, one line on stdout when it is ready, and a quick end."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable

from jobs.errors import ConfigError
from worker.simulator.account import Account
from worker.simulator.app import App
from worker.simulator.options import Options
from worker.simulator.wire import Connection

_PARENT_CHECK_S = 0.5
_BACKLOG = 2048
#: Turns of the loop from an accepted connection to one that is made, and to one that is lost again.
_ACCEPTING = 5


class Server:
    """Says when it listens, and ends at once with its connections: nobody waits for a simulator."""

    def __init__(self, options: Options, *, ready: Callable[[str], None]) -> None:
        """Binds the socket and opens the account.

        Args:
            options: the switches.
            ready: called with the address as soon as requests are answered.

        Raises:
            ConfigError: the address is taken or the fault script is wrong.
            NotFoundError: there is no such fault script.
        """
        self.account = Account(options)
        self.app = App(self.account)
        self._ready = ready
        self._stopping = asyncio.Event()
        self._parent = options.parent_pid
        self._socket = _listen(options.host, options.port)

    @property
    def address(self) -> str:
        """`http://host:port`."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def work(self) -> None:
        """Serves until `stop`."""
        loop, connections = asyncio.get_running_loop(), set[Connection]()
        # Outside of the main thread (a server inside a test) signals belong to somebody else.
        with contextlib.suppress(ValueError, RuntimeError):
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.stop)
        listening = await loop.create_server(
            lambda: Connection(self.app, connections), sock=self._socket, backlog=_BACKLOG
        )
        self.account.wake()
        self._ready(self.address)
        watch = asyncio.create_task(self._watch_parent(self._parent)) if self._parent else None
        await self._stopping.wait()
        if watch is not None:
            watch.cancel()
        # What was accepted just before is made in the next turns of the loop, and would be nobody's; asyncio makes it only
        # while its server is open.
        loop.remove_reader(self._socket)
        for _ in range(_ACCEPTING):
            for connection in list(connections):
                connection.reset()
            await asyncio.sleep(0)
        listening.close()
        await self.account.close()

    def stop(self) -> None:
        """Ends the server and every connection; call it in the loop's thread."""
        self._stopping.set()

    async def _watch_parent(self, pid: int) -> None:
        """Stops when that process is gone; our own parent is gone as soon as we have another one."""
        ours = os.getppid() == pid
        while _lives(pid) and (not ours or os.getppid() == pid):  # noqa: ASYNC110 nothing announces this death
            await asyncio.sleep(_PARENT_CHECK_S)
        self.stop()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from None
