"""What processes of `vton run` have for themselves on this machine: their ports, and a folder's simulator."""

import fcntl
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from jobs.errors import ConfigError


def free_ports(host: str, first: int, wanted: int) -> list[int]:
    """So many ports from `first` on that nobody listens on now; raises ConfigError when there are fewer."""
    found = list(islice((port for port in range(first, 65_536) if _is_free(host, port)), wanted))
    if len(found) < wanted:
        raise ConfigError(f"metrics.port: fewer than {wanted} free ports from {first} on")
    return found


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """One simulated run a folder: two would have one simulator's port and its books. The kernel gives it back at any death.

    Raises:
        ConfigError: another one is under way.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "simulator.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"another vton run --simulate is under way in {data_dir}: wait for its end, or take another folder"
                " (VTON_DATA_DIR)"
            ) from None
        yield


def simulator_port(data_dir: Path) -> int:
    """The port of this folder's simulator: kept, since the addresses of the pictures it has made hold it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    note = data_dir / "simulator.port"
    known = int(note.read_text()) if note.exists() else 0
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind(("127.0.0.1", known))
        except OSError:
            # Somebody else has it by now; pictures made before are bought anew, which costs nothing here.
            return 0
        if not known:
            note.write_text(f"{free.getsockname()[1]}\n")
        return int(free.getsockname()[1])


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
