"""A TCP proxy that delays, resets and loses replies after the command has gone through.

It also knows which requests are unanswered now, and counts those whose client's end closes before their answer: on the
wire to the simulator that is a POST in flight at a kill.
"""

import asyncio
import re
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

_CHUNK = 65536
_REQUEST_ID = re.compile(rb'"request_id": ?"([0-9a-f-]{36})"')
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """One listening port in front of another one of this machine; its loop runs in a thread of its own."""

    def __init__(self, target_port: int, *, tls: ssl.SSLContext | None = None) -> None:
        """`tls`: what it is to its clients; a certificate loaded later is shown from the next handshake on."""
        self.target_port = target_port
        self._tls = tls
        #: Seconds added to every chunk, each way.
        self.delay_s = 0.0
        #: Every so manieth reply is thrown away and its connection reset; 0: none.
        self.lose_every = 0
        #: Replies thrown away, connections reset, and requests whose client died before their answer.
        self.lost = 0
        self.resets = 0
        self.orphaned = 0
        #: Request ids of the bodies that went up: which worker a POST is.
        self.posted: set[str] = set()
        self._replies = 0
        self._open: set[_Wire] = set()
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._stop = asyncio.Event()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(
            target=lambda: self._loop.run_until_complete(self._serve()), name="proxy"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait(5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    def reset_all(self) -> None:
        """Resets every connection that is open now."""
        self._loop.call_soon_threadsafe(self._reset_all)

    def unanswered(self) -> set[str]:
        """Request ids of the POSTs that have gone up and have not been answered."""
        return {
            wire.request_id for wire in list(self._open) if wire.asked and not wire.gone and wire.request_id
        }

    @contextmanager
    def replies_held(self) -> Iterator[None]:
        """Replies wait here meanwhile, so that what is unanswered stays so while somebody looks."""
        self._loop.call_soon_threadsafe(self._flowing.clear)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._flowing.set)

    def _reset_all(self) -> None:
        for wire in list(self._open):
            self.resets += 1
            wire.reset()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, sock=self._socket, ssl=self._tls)
        self._listening.set()
        await self._stop.wait()
        server.close()
        for wire in list(self._open):
            wire.reset()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=2)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = _Wire(writer)
        self._open.add(wire)
        try:
            server_reader, wire.server = await asyncio.open_connection("127.0.0.1", self.target_port)
            up = asyncio.create_task(self._up(reader, wire))
            down = asyncio.create_task(self._down(server_reader, wire))
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            for task in (up, down):
                task.cancel()
            await asyncio.wait({up, down})
        except OSError:
            pass
        finally:
            self._open.discard(wire)
            wire.reset()

    async def _up(self, reader: asyncio.StreamReader, wire: "_Wire") -> None:
        try:
            while chunk := await reader.read(_CHUNK):
                wire.asked = True
                for found in _REQUEST_ID.findall(chunk):
                    wire.request_id = found.decode()
                    self.posted.add(wire.request_id)
                await self._forward(chunk, wire.server)
        except OSError:
            return
        finally:
            # Only a client that went away by itself leaves an orphan, not one that we have reset.
            if wire.asked and not wire.gone:
                self.orphaned += 1

    async def _down(self, reader: asyncio.StreamReader, wire: "_Wire") -> None:
        try:
            while chunk := await reader.read(_CHUNK):
                await self._flowing.wait()
                self._replies += 1
                if self.lose_every and self._replies % self.lose_every == 0:
                    self.lost += 1
                    wire.gone = True
                    return
                wire.asked = False
                await self._forward(chunk, wire.client)
            wire.gone = True
        except OSError:
            wire.gone = True

    async def _forward(self, chunk: bytes, writer: asyncio.StreamWriter | None) -> None:
        assert writer is not None
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        writer.write(chunk)
        await writer.drain()


class _Wire:
    """One client's connection and its counterpart to the server."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        #: The id in the last body that went up; "" when it names none.
        self.request_id = ""
        #: A request has gone up and nothing has come back yet.
        self.asked = False
        #: It was not the client that ended it.
        self.gone = False

    def reset(self) -> None:
        self.gone = True
        for writer in (self.client, self.server):
            if writer is None or writer.transport.is_closing():
                continue
            raw = writer.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
