"""The process: one socket, one event loop, one line on stdout when it is ready, and a quick end."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Generator

import uvicorn

from jobs.errors import ConfigError
from worker.simulator.account import Account
from worker.simulator.app import build_app
from worker.simulator.options import Options
from worker.simulator.wires import Wires

_PARENT_CHECK_S = 0.5
#: uvicorn counts in tenths of a second: it renews its Date header every tenth tick.
_TICK_S = 0.1
#: For replies that are being made when the end comes.
_GRACE_S = 0.5


class Server(uvicorn.Server):
    """uvicorn that says when it listens, and ends at once with its connections."""

    def __init__(self, options: Options, *, ready: Callable[[str], None]) -> None:
        """Binds the socket and opens the account.

        Args:
            options: the switches.
            ready: called with the address as soon as requests are answered.

        Raises:
            ConfigError: the address is taken or the fault script is wrong.
            NotFoundError: there is no such fault script.
        """
        self._wires = Wires()
        account = Account(options)
        config = uvicorn.Config(
            build_app(account, self._wires),
            http=self._wires.protocol(),
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_level="warning",
            access_log=False,
            # The address of the caller is the key of its connection: it must stay the socket's own.
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=75,
        )
        super().__init__(config)
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
        watch = asyncio.create_task(self._watch_parent(self._parent)) if self._parent else None
        await self.serve(sockets=[self._socket])
        if watch is not None:
            watch.cancel()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to listen and says so."""
        await super().startup(sockets)
        self._ready(self.address)

    async def main_loop(self) -> None:
        """Uvicorn's ticks, which `stop` does not have to wait for."""
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends without uvicorn's grace: nobody waits for a simulator."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        self._wires.drop_all()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_GRACE_S)
        await self.lifespan.shutdown()

    def stop(self) -> None:
        """Ends the server and every connection; call it in the loop's thread."""
        self.should_exit = True
        self._stopping.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Ends quietly on a signal; uvicorn would raise it again after its shutdown."""
        loop, caught = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)
        # Outside of the main thread (a server inside a test) signals belong to somebody else.
        with contextlib.suppress(ValueError, RuntimeError):
            for number in caught:
                loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            with contextlib.suppress(ValueError, RuntimeError):
                for number in caught:
                    loop.remove_signal_handler(number)

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
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from None
