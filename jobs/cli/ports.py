"""Ports of this machine that nobody listens on."""

import socket
from itertools import islice

from jobs.errors import ConfigError


def free_port(host: str, port: int) -> int:
    """The port, or one that the system chooses for 0, if nobody has it now; else 0."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return 0
        return int(probe.getsockname()[1])


def free_ports(host: str, first: int, wanted: int) -> list[int]:
    """So many ports from `first` on that nobody listens on now; raises ConfigError when there are fewer."""
    found = list(islice((port for port in range(first, 65_536) if free_port(host, port)), wanted))
    if len(found) < wanted:
        raise ConfigError(f"metrics.port: fewer than {wanted} free ports from {first} on")
    return found
