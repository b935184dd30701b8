"""`vton run`: the whole road on one machine — Redis, workers, receiver, producer, progress, files, exit code."""

import os
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.cli import control
from jobs.cli.advice import command, is_simulated
from jobs.cli.control import probe_at_once
from jobs.cli.ports import alone, free_ports, simulator_port
from jobs.cli.progress import Progress
from jobs.cli.session import Session, make_output_dir
from jobs.cli.stopping import Stop
from jobs.cli.watch import Watch
from jobs.config.exit_codes import ExitCode
from jobs.config.settings import LimitSettings, Settings
from jobs.errors import EndedEarlyError, RedisDownError, UsageError
from jobs.local.child import Program
from jobs.local.supervisor import Supervisor
from jobs.manifest import Manifest
from jobs.producing.producer import Producer
from jobs.records import BatchId, BatchStatus
from jobs.results.exporter import LEASE_MS

#: The simulator's account while the configured limits are the defaults: a demo should not take the night.
SIMULATED_LIMITS = {"in_flight": 10, "images_per_minute": 300.0}
SIMULATED_LATENCY_S = 2.0
LOOK_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Run against the simulator."""

    #: A file of faults, or None for a good night.
    faults: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a night ended."""

    status: BatchStatus
    code: ExitCode
    #: One line on why it ended early; empty when every row has ended.
    why: str
    #: Whether the files tell of this moment; not when it was cut while the manifest was read, or told twice to end.
    files: bool = True


class BatchRun:
    """One `vton run`; use `run()` once."""

    def __init__(
        self, session: Session, manifest: Manifest, producer: Producer, batch_id: BatchId, stop: Stop
    ) -> None:
        self._session = session
        self._settings = session.settings
        self._manifest = manifest
        self._producer = producer
        self._batch_id = batch_id
        self._stop = stop
        self._watch = Watch(session, batch_id)
        self._fed = threading.Event()
        self._read_whole = False
        self._feeding_failed: BaseException | None = None

    def run(self, *, simulation: Simulation | None) -> RunEnd:
        """Runs until every row has ended, until only a person can go on, or until it is told to stop.

        Raises:
            ManifestError: the manifest has no valid row; nothing was recorded.
            ConfigError: no folder for the results.
            EndedEarlyError: it was told to stop before anything was recorded.
        """
        make_output_dir(self._settings)
        stop_s = longest_end_s(self._settings)
        log_dir = self._settings.data_dir.absolute() / "logs"
        # The simulator is the world outside: it ends after the last worker, or the POSTs under way would be cut.
        with (
            alone(self._settings.data_dir) if simulation is not None else nullcontext(),
            Supervisor(log_dir, stop_s=5) as world,
            Supervisor(log_dir, stop_s=stop_s) as supervisor,
        ):
            environment = self._environment()
            if simulation is not None:
                environment |= self._start_simulator(world, simulation, environment)
            probe_at_once(self._session.ledger)
            self._stop.hold()
            self._start_workers(supervisor, environment)
            feeder = threading.Thread(target=self._feed, name="producer", daemon=True)
            feeder.start()
            with Progress(self._batch_id, simulated=simulation is not None) as progress:
                code, why = self._until_ended((world, supervisor), progress)
            if code is ExitCode.OK:
                # Every row has ended: nothing that the workers still do changes the files.
                with ThreadPoolExecutor(1, thread_name_prefix="files") as pool:
                    written = pool.submit(self._end, code, why)
                    supervisor.stop(timeout_s=stop_s, hurried=self._stop.hurried)
                return written.result()
            supervisor.stop(timeout_s=stop_s, hurried=self._stop.hurried)
            return self._end(code, why)

    def _until_ended(self, supervisors: Iterable[Supervisor], progress: Progress) -> tuple[ExitCode, str]:
        while True:
            for supervisor in supervisors:
                supervisor.poll()
            if self._feeding_failed is not None:
                raise self._feeding_failed
            found = self._stop.reason() or self._watch.look(progress, self._stop, fed=self._fed.is_set())
            if found:
                return found
            time.sleep(LOOK_S)

    def _end(self, code: ExitCode, why: str) -> RunEnd:
        """Writes the files as they must be in the morning."""
        if not self._stop():
            return self._written(self._session, code, why)
        # It ends with the chunk it is at; one that hangs is left behind.
        whole = self._fed.wait(LOOK_S * 20) and self._read_whole
        session = replace(self._session, ledger=self._watch.ledger)
        try:
            if not session.ledger.exists(self._batch_id):
                raise EndedEarlyError(f"{why.partition(';')[0]}; nothing was recorded", code)
            if whole and not self._stop.hurried():
                return self._written(session, code, why)
            # The tables of all that was read would take longer than whoever has said stop wants to wait.
            return RunEnd(status=session.ledger.status(self._batch_id), code=code, why=why, files=False)
        except RedisDownError as error:
            raise EndedEarlyError(
                f"{why}; the files are not written ({error}): {self._advice()}", code
            ) from None

    def _written(self, session: Session, code: ExitCode, why: str) -> RunEnd:
        folder = self._settings.output_dir / self._batch_id
        made = all((folder / name).exists() for name in ("summary.json", "report.html", "results.jsonl"))
        if not made or self._batch_id in session.ledger.active_batches():
            # Unless a collect worker has just written them so.
            self._export(session)
        status = session.ledger.status(self._batch_id)
        if status.complete and code is not ExitCode.INTERRUPTED:
            # What was under way when it was stopped has ended well.
            code, why = ExitCode.OK, ""
        return RunEnd(status=status, code=code, why=why)

    def _export(self, session: Session) -> None:
        deadline = time.monotonic() + LEASE_MS / 1000 + 5
        while session.exporter.export(self._batch_id, tables=True) is None:
            # A worker that was killed while it wrote leaves its lease behind for a moment.
            if time.monotonic() > deadline:
                raise UsageError(
                    f"{self._batch_id}: somebody else keeps writing its files; later: {self._advice()}"
                )
            time.sleep(LOOK_S)

    def _advice(self) -> str:
        simulated = is_simulated(self._session.ledger)
        return command(f"results {self._batch_id}", simulated=simulated)

    def _feed(self) -> None:
        try:
            produced = self._producer.feed(self._manifest, self._batch_id, stop=self._stop)
            self._read_whole = produced.whole
            if produced.resumed and produced.whole:
                control.retry_failed(self._session.ledger, self._session.queue, self._batch_id)
        except BaseException as error:  # noqa: BLE001 told by the thread that waits
            self._feeding_failed = error
        finally:
            self._fed.set()

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
                "VTON_REDIS__URL": self._session.redis_url,
                "VTON_REDIS__PREFIX": settings.redis.prefix,
                "VTON_OUTPUT_DIR": str(settings.output_dir.absolute()),
                "VTON_DATA_DIR": str(settings.data_dir.absolute()),
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
            sys.executable, "-m", "worker.simulator", "--port", str(simulator_port(self._settings.data_dir)),
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
        workers, metrics = self._settings.workers, self._settings.metrics
        programs = []
        if self._settings.callbacks.public_url:
            programs.append(
                Program(name="receiver", argv=(sys.executable, "-m", "worker.callbacks"), env=environment)
            )
        programs += [_dramatiq("collect", n, 2, environment) for n in range(workers.collect_processes)]
        programs += [
            _dramatiq("submit", n, self._settings.submit_threads, environment)
            for n in range(workers.submit_processes)
        ]
        if metrics.port:
            ports = free_ports(metrics.host, metrics.port, len(programs))
            programs = [
                replace(each, env=environment | {"VTON_METRICS__PORT": str(port)})
                for each, port in zip(programs, ports, strict=True)
            ]
            served = zip(programs, ports, strict=True)
            where = ", ".join(f"{each.name} http://{metrics.host}:{port}/metrics" for each, port in served)
            sys.stderr.write(f"metrics: {where}\n")
        for each in programs:
            supervisor.start(each)


def _dramatiq(queue: str, number: int, threads: int, environment: dict[str, str]) -> Program:
    argv = (sys.executable, "-m", "dramatiq", "worker.app", "-Q", queue, "-p", "1", "-t", str(threads))
    return Program(name=f"{queue}-{number + 1}", argv=argv, env=environment)


def longest_end_s(settings: Settings) -> float:
    """How long workers may take to end, s: a POST that is cut off is a job nobody can account for."""
    return settings.hidream.submit_timeout_s + 10


def simulated(settings: Settings) -> Settings:
    """The settings for the simulator: its own account's limits, unless the shop has set some."""
    usual = LimitSettings()
    if any(getattr(settings.limits, name) != getattr(usual, name) for name in SIMULATED_LIMITS):
        return settings
    return settings.model_copy(update={"limits": settings.limits.model_copy(update=SIMULATED_LIMITS)})
