"""A receiver on loopback with a store that remembers, as the composition root would run it."""

import asyncio
import socket
import threading
from dataclasses import dataclass, field

import pytest

from jobs.errors import RedisDownError
from worker.callbacks.address import CallbackAddresses
from worker.callbacks.app import Receiver as CallbackReceiver
from worker.callbacks.server import bounded_server

NEW, OLD = "n" * 32, "o" * 32
NOW = 1_764_000_000.0
JOB = "4f5c9ad2-9e62-5d5c-8a0c-3a2f6a8f6c11"


@dataclass
class Store:
    """Keeps hints in a list; knows one job; can be down, or silent until `release` is set."""

    kept: list[tuple[str, str | None]] = field(default_factory=list)
    down: bool = False
    silent: bool = False
    release: threading.Event = field(default_factory=threading.Event)

    async def hint(self, request_id, task_id):
        if self.down:
            raise RedisDownError("away")
        if self.silent:
            await asyncio.to_thread(self.release.wait, 30)
        if request_id != JOB:
            return False
        self.kept.append((request_id, task_id))
        return True


@dataclass
class Receiver:
    now_s = NOW
    port: int
    store: Store
    addresses: CallbackAddresses
    outcomes: list[str]

    @property
    def url(self):
        return self.addresses.address(JOB, NOW)

    @property
    def path(self):
        return "/" + self.url.split("/", 3)[3]

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)


@pytest.fixture
def receiver(request):
    """Patient, so that a busy machine fails nobody; a test may shorten one of its times (indirect)."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    store, outcomes = Store(), []
    times = {"read_s": 60, "store_s": 60, "head_s": 60} | getattr(request, "param", {})
    addresses = CallbackAddresses(f"http://127.0.0.1:{port}/hooks", f"{NEW},{OLD}", 3600)
    head_s = times.pop("head_s")
    taking = CallbackReceiver(
        hint=store.hint, addresses=addresses, now=lambda: NOW, count=outcomes.append, **times
    )
    server = bounded_server(taking.app(), host="127.0.0.1", port=port, head_s=head_s)
    # The socket listens already: whoever connects before the server is up waits in its backlog.
    thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[listening]),))
    thread.start()
    yield Receiver(port=port, store=store, addresses=addresses, outcomes=outcomes)
    store.release.set()
    server.should_exit = True
    thread.join(60)
    listening.close()
