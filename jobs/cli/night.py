"""`vton run`: the whole road on one machine — Redis, workers, receiver, producer, progress, files, exit code."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jobs.child import Program
from jobs.cli import control
from jobs.cli.account import budget_reached, closed_words, not_reached
from jobs.cli.control import PROBE_AT_ONCE, probe_at_once
from jobs.cli.memory import LedgerWatch
from jobs.cli.progress import Progress
from jobs.cli.station import Station, make_output_dir
from jobs.cli.under_way import under_way
from jobs.configuration import read_credentials
from jobs.errors import ConfigError, UsageError
from jobs.exit_codes import ExitCode
from jobs.manifest import Manifest
from jobs.processes import Supervisor
from jobs.producer import Producer
from jobs.records import BatchId, BatchStatus
from jobs.results.exporter import LEASE_MS
from jobs.settings import LimitSettings, Settings

#: Reasons of a breaker that only a person can mend.
PERSONS = frozenset({"token", "credits", "module"})
#: The simulator's account while the configured limits are the defaults: a demo should not take the night.
SIMULATED_LIMITS = {"in_flight": 10, "images_per_minute": 300.0}
SIMULATED_LATENCY_S = 2.0
LOOK_S = 0.25
#: Tries that could not be sent, with doubling waits in between, before an address that never answered is called wrong.
TRIES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Run against the simulator."""

    #: A file of faults, or None for a good night.
    faults: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NightEnd:
    """How a night ended."""

    status: BatchStatus
    code: ExitCode
    #: One line on why it ended early; empty when every row has ended.
    why: str


class Night:
    """One `vton run`; use `run()` once."""

    def __init__(self, station: Station, manifest: Manifest, producer: Producer, batch_id: BatchId) -> None:
        self._station = station
        self._settings = station.settings
        self._manifest = manifest
        self._producer = producer
        self._batch_id = batch_id
        self._fed = threading.Event()
        self._feeding_failed: BaseException | None = None
        self._began_ms = time.time() * 1000

    def run(self, *, simulation: Simulation | None, deadline: datetime | None) -> NightEnd:
        """Runs until every row has ended, or until only a person can go on.

        Raises:
            ManifestError: the manifest has no valid row; nothing was recorded.
            ConfigError: no token, or no folder for the results.
        """
        if simulation is None and not read_credentials():
            raise ConfigError("no token: set HIDREAM_TOKEN or HIDREAM_API_KEY (or try it with --simulate)")
        make_output_dir(self._settings)
        # A POST that is cut off is a job nobody can account for: it may take its time.
        stop_s = self._settings.hidream.submit_timeout_s + 10
        log_dir = self._settings.data_dir.absolute() / "logs"
        # The simulator is the world outside: it ends after the last worker, or the POSTs under way would be cut.
        with (
            _terminable(),
            Supervisor(log_dir, stop_s=5) as world,
            Supervisor(log_dir, stop_s=stop_s) as supervisor,
        ):
            environment = self._environment()
            if simulation is not None:
                environment |= self._start_simulator(world, simulation, environment)
            probe_at_once(self._station.ledger)
            self._start_workers(supervisor, environment)
            feeder = threading.Thread(target=self._feed, name="producer", daemon=True)
            feeder.start()
            try:
                with Progress(self._batch_id) as progress:
                    code, why = self._watch((world, supervisor), progress, deadline)
            except KeyboardInterrupt:
                code, why = ExitCode.INTERRUPTED, "interrupted; the same command goes on where it stood"
            supervisor.stop(timeout_s=stop_s)
            self._export()
            status = self._station.ledger.status(self._batch_id)
            if status.complete and code is not ExitCode.INTERRUPTED:
                # What was under way when it was stopped has ended well.
                code, why = ExitCode.OK, ""
            return NightEnd(status=status, code=code, why=why)

    def _export(self) -> None:
        """The files as they must be in the morning, unless a collect worker has just written them so."""
        folder = self._settings.output_dir / self._batch_id
        whole = all((folder / name).exists() for name in ("summary.json", "report.html", "results.jsonl"))
        if not whole or self._batch_id in self._station.ledger.active_batches():
            deadline = time.monotonic() + LEASE_MS / 1000 + 5
            while self._station.exporter.export(self._batch_id, tables=True) is None:
                # A worker that was killed while it wrote leaves its lease behind for a moment.
                if time.monotonic() > deadline:
                    raise UsageError(
                        f"{self._batch_id}: somebody else keeps writing its files; vton results later"
                    )
                time.sleep(LOOK_S)

    def _feed(self) -> None:
        try:
            if self._producer.feed(self._manifest, self._batch_id).resumed:
                control.retry_failed(self._station.ledger, self._station.queue, self._batch_id)
        except BaseException as error:  # noqa: BLE001 told by the thread that waits
            self._feeding_failed = error
        finally:
            self._fed.set()

    def _watch(
        self, supervisors: Iterable[Supervisor], progress: Progress, deadline: datetime | None
    ) -> tuple[ExitCode, str]:
        stuck_since: float | None = None
        ledger = LedgerWatch(self._station)
        while True:
            for supervisor in supervisors:
                supervisor.poll()
            if self._feeding_failed is not None:
                raise self._feeding_failed
            if not ledger.look() or not self._opened():
                time.sleep(LOOK_S / 5)
                continue
            status = self._station.ledger.status(self._batch_id)
            gate = self._station.ledger.gate_fields()
            now = under_way(self._station.ledger, self._batch_id)
            progress.show(status, gate, now, fed=self._fed.is_set())
            if self._fed.is_set() and status.complete:
                return ExitCode.OK, ""
            if deadline is not None and datetime.now(deadline.tzinfo) >= deadline:
                return ExitCode.DEADLINE, "the deadline is reached; the same command goes on where it stood"
            stop = self._stopped_by(status, gate)
            stuck_since = (stuck_since or time.monotonic()) if stop else None
            if (
                stop
                and stuck_since is not None
                and time.monotonic() - stuck_since > self._settings.workers.patience_s
            ):
                return stop
            time.sleep(LOOK_S)

    def _opened(self) -> bool:
        return bool(self._station.ledger.client.exists(self._station.ledger.key("batch", self._batch_id)))

    def _stopped_by(self, status: BatchStatus, gate: dict[str, str]) -> tuple[ExitCode, str] | None:
        """What keeps the waiting jobs from ever going, once nothing is under way any more."""
        if gate.get("breaker") == "token" and gate.get("probe_at") != PROBE_AT_ONCE:
            # Without a token nothing under way can be asked for either.
            return ExitCode.CONFIG, f"token: {gate.get('breaker_why', '')}; jobs stay as they are"
        if gate.get("paused", "").startswith(("no results", "a picture was refused")):
            return ExitCode.CONFIG, f"{gate['paused']}; look, then vton resume"
        if status.counts.get("submitting", 0) + status.counts.get("submitted", 0):
            return None
        if gate.get("breaker") in PERSONS and gate.get("probe_at") != PROBE_AT_ONCE:
            return ExitCode.CONFIG, f"{gate['breaker']}: {gate.get('breaker_why', '')}; jobs stay queued"
        if self._never_reached(gate):
            return ExitCode.CONFIG, closed_words(gate)
        reached = budget_reached(self._station.ledger, self._settings.limits, self._batch_id)
        return (ExitCode.BUDGET, f"{reached}; raised, the same command goes on") if reached else None

    def _never_reached(self, gate: dict[str, str]) -> bool:
        """Nothing has ever been sent since this began: an outage passes, a wrong address does not."""
        return (
            not_reached(gate)
            and int(gate.get("busy", 0)) >= TRIES
            and float(gate.get("last_accept", 0)) < self._began_ms
        )

    def _environment(self) -> dict[str, str]:
        """What the children see: our environment, and the settings that our options changed."""
        settings = self._settings
        limits = {
            f"VTON_LIMITS__{name.upper()}": str(value) for name, value in settings.limits.model_dump().items()
        }
        return (
            dict(os.environ)
            | limits
            | {
                "VTON_REDIS__URL": self._station.redis_url,
                "VTON_REDIS__PREFIX": settings.redis.prefix,
                "VTON_OUTPUT_DIR": str(settings.output_dir.absolute()),
                "VTON_DATA_DIR": str(settings.data_dir.absolute()),
                # Messages beyond one for each thread would wait in a process that may die.
                "dramatiq_queue_prefetch": str(settings.workers.submit_threads),
                # How long an idle consumer sleeps: the delay of the first job after a pause, ms.
                "dramatiq_worker_timeout": "100",
                "PYTHONUNBUFFERED": "1",
            }
        )

    def _start_simulator(
        self, supervisor: Supervisor, simulation: Simulation, environment: dict[str, str]
    ) -> dict[str, str]:
        """Starts the simulator; returns what the workers must know of it."""
        limits = self._settings.limits
        argv = [
            sys.executable, "-m", "worker.simulator", "--port", str(_simulator_port(self._settings.data_dir)),
            "--state", str(self._settings.data_dir.absolute() / "simulator.sqlite"),
            "--images-per-minute", str(int(limits.images_per_minute)),
            "--in-flight", str(limits.in_flight),
            "--latency-s", str(SIMULATED_LATENCY_S),
        ]  # fmt: skip
        if simulation.faults is not None:
            argv += ["--faults", str(simulation.faults)]
        supervisor.start(Program(name="simulator", argv=tuple(argv), env=environment))
        address = supervisor.ready_line("simulator", "simulator ready ", 20).rpartition(" ")[2]
        return {
            "VTON_HIDREAM__BASE_URL": address,
            "VTON_HIDREAM__IMAGE_PREFIX": f"{address}/image/",
            "VTON_TASKS__LATENCY_S": str(SIMULATED_LATENCY_S),
            "HIDREAM_TOKEN": "sk-simulator",
        }

    def _start_workers(self, supervisor: Supervisor, environment: dict[str, str]) -> None:
        workers = self._settings.workers
        if self._settings.callbacks.public_url:
            argv = (sys.executable, "-m", "worker.receiver")
            supervisor.start(Program(name="receiver", argv=argv, env=environment))
        for number in range(workers.collect_processes):
            supervisor.start(_dramatiq("collect", number, 2, environment))
        for number in range(workers.submit_processes):
            supervisor.start(_dramatiq("submit", number, workers.submit_threads, environment))


def _dramatiq(queue: str, number: int, threads: int, environment: dict[str, str]) -> Program:
    argv = (sys.executable, "-m", "dramatiq", "worker.app", "-Q", queue, "-p", "1", "-t", str(threads))
    return Program(name=f"{queue}-{number + 1}", argv=argv, env=environment)


def simulated(settings: Settings) -> Settings:
    """The settings for the simulator: its own account's limits, unless the shop has set some."""
    usual = LimitSettings()
    if any(getattr(settings.limits, name) != getattr(usual, name) for name in SIMULATED_LIMITS):
        return settings
    return settings.model_copy(update={"limits": settings.limits.model_copy(update=SIMULATED_LIMITS)})


def _simulator_port(data_dir: Path) -> int:
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


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the night as Ctrl-C does."""

    def interrupt(_signum: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
