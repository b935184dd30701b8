"""Dramatiq middleware: what all actors share, and the watcher's life inside collect processes."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from types import FrameType
from typing import Any, Protocol, cast

import dramatiq
import structlog
import uvloop
from dramatiq import Middleware

from jobs.config.settings import Settings
from jobs.errors import RedisDownError
from jobs.health.heartbeats import Heartbeats
from jobs.ledger.records import Role
from jobs.producing.queue import COLLECT, SUBMIT
from jobs.tracing import Traces

log = structlog.get_logger()


class MessageContext(Middleware):  # type: ignore[misc]  # dramatiq is untyped for us
    """Logs what an actor raises and lets the message go: the ledger, not the message, brings the job back."""

    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        """Binds the message's id to every event of this thread."""
        del broker
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(message=message.message_id)

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: Any,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """Tells of an error in one line; tracebacks are for errors of ours."""
        del broker, result
        if exception is not None:
            log.error(
                "actor.failed", actor=message.actor_name, error=type(exception).__name__, why=str(exception)
            )
        structlog.contextvars.clear_contextvars()


class TellsBounds(Middleware):  # type: ignore[misc]
    """Tells once what was set by hand, or on the command line, and is lower than the account's limits need."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Compares what this process has with what it needs."""
        del broker
        settings, needs = self._settings, self._settings.needs
        queues = worker.consumer_whitelist or {SUBMIT, COLLECT}
        if SUBMIT in queues:
            _tell_bound("submit_threads", worker.worker_threads, needs.submit_threads)
        if COLLECT in queues:
            _tell_bound("polls_per_second", settings.polls_per_second, needs.polls_per_second)
            _tell_bound("downloads", settings.downloads, needs.downloads)


def _tell_bound(setting: str, value: float, needed: float) -> None:
    if value < needed:
        log.warning("setting.binds", setting=setting, value=value, needed=needed)


class ServesMetrics(Middleware):  # type: ignore[misc]
    """Tells Prometheus of this process from its boot on."""

    def __init__(self, serve: Callable[[str], object]) -> None:
        """`serve`: takes the queues that the process works at, with blanks between."""
        self._serve = serve

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Begins to listen."""
        del broker
        self._serve(" ".join(sorted(worker.consumer_whitelist or {SUBMIT, COLLECT})))


class SendsHeartbeats(Middleware):  # type: ignore[misc]
    """Says every few seconds that this process lives, from its boot until nothing of it is under way any more."""

    def __init__(self, make: Callable[[Role], Heartbeats]) -> None:
        self._make = make
        self._heartbeats: Heartbeats | None = None

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Begins, as what this process is by its queues."""
        del broker
        queues = set(worker.consumer_whitelist or ())
        role: Role = "submit" if queues == {SUBMIT} else "collect" if queues == {COLLECT} else "worker"
        self._heartbeats = self._make(role)
        self._heartbeats.start()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Ends it in order."""
        del broker, worker
        if self._heartbeats is not None:
            self._heartbeats.stop()


class SendsTraces(Middleware):  # type: ignore[misc]
    """Sends the last spans when nothing of the process is under way any more."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Waits for a bounded time."""
        del broker, worker
        self._traces.close()


class BringsIn(Middleware):  # type: ignore[misc]
    """Brings in what an earlier submit worker of this host has left on disk, as soon as Redis lets it."""

    def __init__(self, bring_in: Callable[[], object]) -> None:
        self._bring_in = bring_in

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Does it beside the work; what fails now is left to the reconciler."""
        del broker
        if not worker.consumer_whitelist or SUBMIT in worker.consumer_whitelist:
            threading.Thread(target=self._main, name="brings-in", daemon=True).start()

    def _main(self) -> None:
        try:
            self._bring_in()
        except RedisDownError as error:
            log.warning("redis.waiting", why=str(error))
        except Exception:
            log.exception("actor.failed", what="brings in")


class EndsInTime(Middleware):  # type: ignore[misc]
    """A worker that was asked to end does so in order, once, and in time, whatever its threads are waiting for.

    Dramatiq cuts a worker off at the second signal; one for the whole group comes twice, directly and from its master. At
    SIGHUP the master would begin anew under another interpreter than its own: here it ends, as at SIGTERM.
    """

    def __init__(self, longest_s: float, end: Callable[[int], object] = os._exit) -> None:
        """`longest_s`: from the first word of the end; `end`: takes the exit code."""
        self._longest_s = longest_s
        self._end = end
        self._told = False

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Puts itself before Dramatiq's own handlers, which stand by now."""
        del broker, worker
        master = multiprocessing.parent_process()
        if master is None or master.pid is None:
            return
        ends = cast("Callable[[int, FrameType | None], object]", signal.getsignal(signal.SIGTERM))

        def end(signum: int, frame: FrameType | None) -> None:
            if signum == signal.SIGHUP and os.getppid() == master.pid:
                os.kill(os.getppid(), signal.SIGTERM)
            if not self._told:
                self._told = True
                ends(signum, frame)

        for signum in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, end)

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Begins to count; comes before whatever may hang."""
        del broker, worker
        log.info("worker.stopped")
        timer = threading.Timer(self._longest_s, self._cut)
        timer.daemon = True
        timer.start()

    def _cut(self) -> None:
        log.error("worker.cut", seconds=self._longest_s)
        self._end(1)


class Service(Protocol):
    """Something that runs in an event loop of its own thread."""

    def run(self) -> Coroutine[Any, Any, None]:
        """Runs until stopped."""

    def stop(self) -> None:
        """Called on the loop."""


class LoopServices(Middleware):  # type: ignore[misc]
    """Runs services in one event loop beside the actors of one queue, from worker boot to shutdown."""

    def __init__(self, queue: str, *make: Callable[[], Service]) -> None:
        self._queue = queue
        self._make = make
        self._thread: threading.Thread | None = None
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._services: list[Service] = []
        self._stopping = threading.Event()
        self._ending = asyncio.Event()

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Starts the loop if this process consumes the queue."""
        del broker
        if not worker.consumer_whitelist or self._queue in worker.consumer_whitelist:
            self._thread = threading.Thread(target=self._main, name=f"{self._queue}-loop", daemon=True)
            self._thread.start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Asks the services to finish what is under way, before the actors' threads are joined."""
        del broker, worker
        self._stopping.set()
        if self._loop.done():
            self._on_loop(self._stop_services)

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Waits for them; no actor has a word with them any more."""
        del broker, worker
        if self._thread is not None:
            self._on_loop(self._ending.set)
            self._thread.join(timeout=30)

    def answers(self, within_s: float) -> bool:
        """Whether the loop takes its turn within that time; true where this process has none."""
        if self._thread is None:
            return True
        if not self._loop.done() or self._loop.exception() is not None:
            return False
        answered = threading.Event()
        with contextlib.suppress(RuntimeError):
            self._loop.result().call_soon_threadsafe(answered.set)
        return answered.wait(within_s)

    def _on_loop(self, act: Callable[[], None]) -> None:
        # It may have died, and its own signal brought us here.
        if self._loop.exception() is None:
            with contextlib.suppress(RuntimeError):
                self._loop.result().call_soon_threadsafe(act)

    def _stop_services(self) -> None:
        for service in self._services:
            service.stop()

    def _main(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        try:
            self._services = [make() for make in self._make]
            self._loop.set_result(asyncio.get_running_loop())
            if self._stopping.is_set():
                # While they were made: whoever asks one of them must hear of it too.
                self._stop_services()
            await asyncio.gather(*(service.run() for service in self._services))
            await self._ending.wait()
        except Exception as error:
            # A loop that is gone would leave a process that looks alive: it ends, and its supervisor starts it again.
            log.exception("actor.failed", what=f"{self._queue} loop")
            if not self._loop.done():
                self._loop.set_exception(error)
            os.kill(os.getpid(), signal.SIGTERM)


class Submits(Service, Protocol):
    """A service that submit actors call."""

    async def submit_all(self) -> None:
        """Submits until nothing waits."""

    async def aclose(self) -> None:
        """Closes what it has open; no actor calls it any more."""


class SubmitLoop(LoopServices):
    """One event loop for the coroutines of all submit actors; each keeps its actor's thread until it has ended."""

    def __init__(self, make: Callable[[], Submits]) -> None:
        super().__init__(SUBMIT, self._made)
        self._submits = make

    def submit_all(self) -> None:
        """Submits until nothing waits, for an actor's thread; it begins and ends with the thread's log context."""
        context: dict[str, Any] = {}

        async def main() -> None:
            try:
                await self._service.submit_all()
            finally:
                context.update(structlog.contextvars.get_contextvars())

        try:
            asyncio.run_coroutine_threadsafe(main(), self._loop.result()).result()
        finally:
            structlog.contextvars.bind_contextvars(**context)

    def _made(self) -> Service:
        self._service = self._submits()
        return self._service

    async def _serve(self) -> None:
        await super()._serve()
        if self._services:
            # Not before the last actor's thread has ended, even after an error: what it has under way may be bought.
            await self._ending.wait()
            await self._service.aclose()
