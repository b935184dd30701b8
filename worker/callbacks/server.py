"""The HTTP server of `vton serve`, bounded in connections, heads and patience.

uvicorn waits for a request's head for ever: silent connections would add up and keep callbacks out.
"""

import asyncio
from typing import Any, Final, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

#: Seconds from the connection to the end of its request's head.
HEAD_S: Final = 3.0
#: Connections at once; more are answered 503, which HiDream repeats and polling makes up for.
_CONNECTIONS: Final = 256
#: Bytes of a request's head.
_HEAD_BYTES: Final = 16_384


def bounded_server(app: ASGIApp, *, host: str, port: int, head_s: float = HEAD_S) -> uvicorn.Server:
    """A server for the receiver or the contact sheets; `serve()` is the coroutine, it ends at SIGTERM or SIGINT."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=_hurried(head_s),
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        h11_max_incomplete_event_size=_HEAD_BYTES,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def _hurried(head_s: float) -> type[asyncio.Protocol]:
    class HurriedProtocol(H11Protocol):
        """Hangs up when the head does not come in time; our answers leave no connection open for a second."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._deadline = self.loop.call_later(head_s, self._hang_up_on_the_silent)

        def connection_lost(self, exc: Exception | None) -> None:
            self._deadline.cancel()
            super().connection_lost(exc)

        def _hang_up_on_the_silent(self) -> None:
            if cast("RequestResponseCycle | None", self.cycle) is None:
                self.transport.abort()

    return HurriedProtocol
