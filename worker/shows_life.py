"""A worker shows from outside that it lives: it touches files at which `worker.alive` looks."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import dramatiq
import structlog
from dramatiq import Middleware

from worker.alive import EVERY_S, ready_file

log = structlog.get_logger()


class AliveFiles:
    """The two files of one worker, or none. What cannot be written is logged once, and never hurts the work."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._told = False

    def alive(self) -> None:
        """This process answers."""
        self._touch(self.file)

    def ready(self) -> None:
        """The ledger has taken its heartbeat."""
        self._touch(self.file and ready_file(self.file))

    def remove(self) -> None:
        """What an earlier process has left, or this one no longer says."""
        for each in (self.file, self.file and ready_file(self.file)):
            if each is not None:
                with suppress(OSError):
                    each.unlink()

    def _touch(self, file: Path | None) -> None:
        if file is None:
            return
        try:
            file.touch()
        except OSError as error:
            if not self._told:
                log.error("alive.unwritten", why=f"workers.alive_file: {file}: {error.strerror}")  # noqa: TRY400
            self._told = True


class Answers(Protocol):
    """A part of the process that may hang."""

    def answers(self, within_s: float) -> bool:
        """Whether it takes its turn within that time; true where this process does not have it."""


class ShowsLife(Middleware):  # type: ignore[misc]  # dramatiq is untyped for us
    """Touches the file every few seconds while the event loops answer and Dramatiq's threads live."""

    def __init__(self, files: AliveFiles, *loops: Answers) -> None:
        self._files = files
        self._loops = loops
        self._ending = threading.Event()

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        """Removes what the container's former process has left: it says nothing of this one."""
        del broker
        self._files.remove()

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Begins."""
        del broker
        if self._files.file is not None:
            threading.Thread(target=self._main, args=(worker,), name="shows-life", daemon=True).start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Threads end from here on; nobody restarts a process that ends."""
        del broker, worker
        self._ending.set()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """It has ended in order."""
        del broker, worker
        self._files.remove()

    def lives(self, worker: Any) -> bool:
        """Whether all of the process does: its threads and its event loops."""
        threads = (*worker.workers, *worker.consumers.values())
        return all(thread.is_alive() for thread in threads) and all(
            loop.answers(EVERY_S) for loop in self._loops
        )

    def _main(self, worker: Any) -> None:
        while not self._ending.is_set():
            if self.lives(worker):
                self._files.alive()
            self._ending.wait(EVERY_S)
