"""One batch on its way on this machine: workers, producer and progress until its end, then the files."""

import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.cli.advice import command, is_simulated
from jobs.cli.progress import Progress
from jobs.cli.run_metrics import host_metrics
from jobs.cli.session import Session, make_output_dir
from jobs.cli.simulation import alone, start_simulator
from jobs.cli.stopping import Stop
from jobs.cli.watch import Watch
from jobs.cli.workers import start_workers, worker_environment
from jobs.config.exit_codes import ExitCode
from jobs.config.settings import Settings
from jobs.errors import EndedEarlyError, RedisDownError, UsageError
from jobs.health.heartbeats import Heartbeats
from jobs.local.supervisor import Supervisor
from jobs.manifest import Manifest
from jobs.manifest.several import Manifests
from jobs.producing import control
from jobs.producing.control import probe_at_once
from jobs.producing.producer import Producer
from jobs.records import BatchId, BatchStatus
from jobs.results.lease import LEASE_MS

#: Between two looks at the children, and at a batch that moves, s.
LOOK_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ended."""

    status: BatchStatus
    code: ExitCode
    #: One line on why it ended early; empty when every row has ended.
    why: str
    #: Whether the files tell of this moment; not when it was cut while the manifest was read, or stopped by two signals.
    files: bool = True


class BatchRun:
    """One `vton run`; use `run()` once."""

    def __init__(
        self,
        session: Session,
        manifest: Manifest | Manifests,
        producer: Producer,
        batch_id: BatchId,
        stop: Stop,
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

    def run(self, *, simulate: bool, faults: Path | None) -> RunEnd:
        """Runs until every row has ended, until only a person can go on, or until it is to stop.

        Args:
            simulate: against the simulator.
            faults: a file of what it does wrong; None when nothing does.

        Raises:
            ManifestError: the manifest has no valid row; nothing was recorded.
            ConfigError: no folder for the results.
            EndedEarlyError: it was stopped before anything was recorded.
        """
        make_output_dir(self._settings)
        stop_s = longest_end_s(self._settings)
        log_dir = self._settings.data_dir.absolute() / "logs"
        # The simulator is the world outside: it ends after the last worker, or the POSTs under way would be cut.
        with (
            alone(self._settings.data_dir) if simulate else nullcontext(),
            host_metrics(self._session),
            Supervisor(log_dir, stop_s=5) as world,
            Supervisor(log_dir, stop_s=stop_s) as supervisor,
        ):
            environment = worker_environment(self._session)
            if simulate:
                environment |= start_simulator(world, self._settings, faults, environment)
            heartbeats = Heartbeats(
                self._session.redis, "run", batch=self._batch_id, left_ms=self._stop.left_ms
            )
            probe_at_once(self._session.ledger)
            self._stop.hold()
            start_workers(supervisor, self._settings, environment)
            feeder = threading.Thread(target=self._feed, name="producer", daemon=True)
            feeder.start()
            with heartbeats, Progress(self._batch_id, simulated=simulate) as progress:
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
        """Writes the files as they must be when nobody works on the batch any more."""
        self._watch.forget_deadline()
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
        # Loaded when there are files to write.
        from jobs.flags.batch import PATIENCE_S  # noqa: PLC0415

        session = replace(session, flags_s=PATIENCE_S)
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
        except BaseException as error:  # noqa: BLE001 raised by the thread that waits
            self._feeding_failed = error
        finally:
            self._fed.set()


def longest_end_s(settings: Settings) -> float:
    """How long workers may take to end, s: a POST that is cut off is a job nobody can account for."""
    return settings.hidream.submit_timeout_s + 10
