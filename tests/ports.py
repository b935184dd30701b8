"""Ports for servers of the tests that must keep their port over a restart."""

import random
import socket
from itertools import count

#: Below the range that systems give to outgoing connections and to port 0 (Linux: from 32,768 on),
#: so that nobody takes a port between its choice and its use, or while its server is restarted.
_FIRST, _LAST = 12_000, 32_000


def free_port() -> int:
    """A port of the loopback that nobody listens on now; raises RuntimeError after 1,000 that are taken."""
    for tried in count():
        port = random.randint(_FIRST, _LAST)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            if tried >= 1000:
                raise RuntimeError(f"no port between {_FIRST} and {_LAST} is free") from None
        else:
            return port
    raise AssertionError
