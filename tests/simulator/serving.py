"""The simulator in a thread of the test's own process."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from worker.simulator.options import Options
from worker.simulator.server import Server


@contextmanager
def serving(options: Options) -> Iterator[Server]:
    ready, held = threading.Event(), {}

    async def work() -> None:
        held["loop"] = asyncio.get_running_loop()
        held["server"] = Server(options, ready=lambda _: ready.set())
        await held["server"].work()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    try:
        assert ready.wait(60)
        yield held["server"]
    finally:
        held["loop"].call_soon_threadsafe(held["server"].stop)
        thread.join(60)
        assert not thread.is_alive()
