"""Serves metrics over HTTP in a thread."""

from dataclasses import dataclass
from threading import Thread
from typing import Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

#: Ports that processes try, from `metrics.port` on.
PORTS: Final = 32
#: What every process says of itself: role, pid, version and the prefix of its ledger.
INFO: Final = "vton_process_info"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsServer:
    """A running exposition; `close` ends it."""

    #: The port it listens on.
    port: int
    server: WSGIServer
    thread: Thread

    def close(self) -> None:
        """Stops listening and waits for the thread."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def serve(registry: CollectorRegistry, port: int, *, host: str = "127.0.0.1") -> MetricsServer:
    """Exposes a registry; port 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """
    server, thread = start_http_server(port, addr=host, registry=registry)
    return MetricsServer(port=server.server_port, server=server, thread=thread)
