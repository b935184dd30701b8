"""The sockets under the HTTP server, for replies that HTTP does not allow."""

import asyncio
import socket
import struct

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol


class Wires:
    """The open connections by the caller's address."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], asyncio.Transport] = {}

    def protocol(self) -> type[H11Protocol]:
        """A protocol class for uvicorn whose connections are listed here."""
        wires = self._open

        class ListedProtocol(H11Protocol):
            """uvicorn's own, listed."""

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
                super().connection_made(transport)
                # asyncio leaves Nagle's delay on for sockets made by `create_server`: 40 ms a reply.
                sock = transport.get_extra_info("socket")
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.client is not None:
                    wires[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                if self.client is not None:
                    wires.pop(self.client, None)
                super().connection_lost(exc)

        return ListedProtocol

    def of(self, scope: Scope) -> asyncio.Transport | None:
        """The connection of a request; None when it is gone."""
        return self._open.get(tuple(scope["client"]))

    def cut(self, scope: Scope) -> None:
        """Ends the connection with a reset."""
        transport = self.of(scope)
        if transport is None:
            return
        sock = transport.get_extra_info("socket")
        # Linger of zero: the kernel sends RST instead of FIN.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    def drop_all(self) -> None:
        """Ends every connection at once."""
        for transport in list(self._open.values()):
            transport.abort()
