"""The simulator of `vton run --simulate`: one for each folder, with a port and books that are kept."""

import fcntl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from jobs.cli.ports import free_port
from jobs.config.settings import Settings
from jobs.errors import ConfigError
from jobs.local.supervisor import Program, Supervisor

SIMULATED_LATENCY_S = 2.0


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


def start_simulator(
    supervisor: Supervisor, settings: Settings, faults: Path | None, environment: Mapping[str, str]
) -> dict[str, str]:
    """Starts the simulator; returns what the workers must know of it. `faults`: a file of what goes wrong."""
    limits = settings.limits
    argv = [
        sys.executable, "-m", "worker.simulator", "--port", str(_port(settings.data_dir)),
        "--state", str(settings.data_dir.absolute() / "simulator.sqlite"),
        "--images-per-minute", str(int(limits.images_per_minute)),
        "--in-flight", str(limits.in_flight),
        "--latency-s", str(SIMULATED_LATENCY_S),
    ]  # fmt: skip
    if faults is not None:
        argv += ["--faults", str(faults)]
    supervisor.start(Program(name="simulator", argv=tuple(argv), env=environment))
    address = supervisor.ready_line("simulator", "simulator ready ", 20).rpartition(" ")[2]
    return {
        "VTON_HIDREAM__BASE_URL": address,
        "VTON_HIDREAM__IMAGE_PREFIX": f"{address}/image/",
        "VTON_TASKS__LATENCY_S": str(SIMULATED_LATENCY_S),
        "HIDREAM_TOKEN": "sk-simulator",
    }


def _port(data_dir: Path) -> int:
    """The port of this folder's simulator: kept, since the addresses of the pictures it has made hold it."""
    note = data_dir / "simulator.port"
    known = int(note.read_text()) if note.exists() else 0
    # 0 when somebody else has it by now; pictures made before are bought anew, which costs nothing here.
    port = free_port("127.0.0.1", known)
    if not known:
        note.write_text(f"{port}\n")
    return port
