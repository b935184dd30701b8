"""Processes that say that they live, as many as a test wants: each line of standard input has ledger, role and host."""

import os
import signal
import socket
import sys
import time

from pydantic import SecretStr

from jobs.config.settings import RedisSettings
from jobs.health.heartbeats import Heartbeats


def main() -> None:
    """Forks one for each line and says its process id; all end with this one."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    parent = os.getpid()
    for line in sys.stdin:
        url, prefix, role, host = line.split()
        if pid := os.fork():
            sys.stdout.write(f"{pid}\n")
            sys.stdout.flush()
            continue
        # Heartbeats name their host by it.
        socket.gethostname = lambda host=host: host  # type: ignore[misc]
        settings = RedisSettings(url=SecretStr(url), prefix=prefix)
        Heartbeats(settings, role, every_s=0.2).start()  # type: ignore[arg-type]
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(0)


if __name__ == "__main__":
    main()
