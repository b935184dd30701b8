"""`python -m benchmarks.stub [--port N]`: prints its address on one line, serves until SIGTERM or the end of stdin."""

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
import time

from benchmarks.stub.vendor import Vendor
from benchmarks.stub.wire import Connection


async def serve(port: int) -> None:
    """Serves on loopback; `port` 0 takes a free one."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    # One clock that never steps, anchored to the epoch so that file times can be compared with it.
    offset = time.time() - time.monotonic()

    def clock() -> float:
        return offset + time.monotonic()

    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    vendor = Vendor(base_url, clock)
    server = await loop.create_server(lambda: Connection(vendor.handle, clock), sock=listener)
    print(base_url, flush=True)
    await stop.wait()
    server.close()


def main() -> None:
    """Runs with uvloop where it is installed: fewer cycles taken from the contenders."""
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, default=0)
    port: int = options.parse_args().port
    factory = None
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(port))
    sys.exit(0)


if __name__ == "__main__":
    main()
