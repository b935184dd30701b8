"""The middleware inside a real Dramatiq worker on a real Redis."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq
import pytest
import structlog
from dramatiq.brokers.redis import RedisBroker

from jobs.config.settings import LimitSettings, RedisSettings, Settings, WorkerSettings
from jobs.errors import LedgerLostError
from jobs.producing.queue import COLLECT, SUBMIT, Queue
from jobs.redis.client import connect
from worker.actors import declare
from worker.middleware import BringsIn, EndsInTime, LoopServices, MessageContext, SubmitLoop, TellsBounds
from worker.shows_life import AliveFiles, ShowsLife

PATIENT_S = 60


class Desk:
    """A submission that does what a test says."""

    def __init__(self, submit: Callable[[], Any] = lambda: None) -> None:
        self._submit = submit
        self.stopping = asyncio.Event()
        self.closed = False

    async def submit_all(self) -> None:
        self._submit()

    async def run(self) -> None:
        await self.stopping.wait()

    def stop(self) -> None:
        self.stopping.set()

    async def aclose(self) -> None:
        self.closed = True


class Service:
    """A loop service that tells of its life."""

    def __init__(self, error: Exception | None = None) -> None:
        self.running = threading.Event()
        self.ended = threading.Event()
        self._error = error
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        self.running.set()
        if self._error:
            raise self._error
        try:
            await self._stopping.wait()
        finally:
            self.ended.set()

    def stop(self) -> None:
        self._stopping.set()


@pytest.fixture
def worker(redis_settings: RedisSettings, queue: Queue) -> Iterator[Callable[..., dramatiq.Worker]]:
    """Makes started workers with these middlewares; `submit` is what its submit actor does."""
    workers: list[dramatiq.Worker] = []

    def make(
        *middleware: dramatiq.Middleware,
        submit: Callable[[], Any] = lambda: None,
        queues: set[str] | None = None,
    ) -> dramatiq.Worker:
        client = connect(redis_settings, db=redis_settings.queue_db, decode=False)
        broker = RedisBroker(client=client, namespace=redis_settings.prefix, middleware=list(middleware))
        declare(broker, submit, lambda: None)  # type: ignore[arg-type,return-value]
        made = dramatiq.Worker(broker, queues=queues, worker_threads=1, worker_timeout=20)
        made.start()
        workers.append(made)
        return made

    yield make
    for each in workers:
        each.stop(timeout=PATIENT_S * 1000)
        each.broker.client.close()


@contextmanager
def signals() -> Iterator[threading.Event]:
    """Catches the process' own SIGTERM; look at it in short steps: a lock that is being waited for may miss a signal."""
    caught = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: caught.set())
    try:
        yield caught
    finally:
        signal.signal(signal.SIGTERM, before)


# -- another ledger ------------------------------------------------------------------------------------------


def test_a_worker_that_finds_another_ledger_says_it_once_and_ends(
    worker: Callable[..., dramatiq.Worker], queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.actors._ending", threading.Event())

    def lost() -> None:
        raise LedgerLostError("the ledger is gone or another one: nothing is submitted")

    with structlog.testing.capture_logs() as events, signals() as ended:
        running = worker(MessageContext(), submit=lost)
        queue.wake(50)
        running.broker.join(SUBMIT, timeout=PATIENT_S * 1000)
        running.join()
        wait_until(ended.is_set)
    assert [each["event"] for each in events] == ["ledger.lost"]


# -- what binds ----------------------------------------------------------------------------------------------


def test_a_number_set_by_hand_that_the_limits_exceed_is_told_once_when_a_worker_starts(
    worker: Callable[..., dramatiq.Worker],
) -> None:
    settings = Settings(
        limits=LimitSettings(in_flight=1000, images_per_minute=6000, polls_per_second=100),
        workers=WorkerSettings(downloads=9),
    )
    with structlog.testing.capture_logs() as events:
        worker(TellsBounds(settings), queues={SUBMIT})
        worker(TellsBounds(settings), queues={COLLECT})
    told = [(each["setting"], each["value"], each["needed"]) for each in events]
    assert told == [("submit_threads", 1, 64), ("polls_per_second", 100, 1000), ("downloads", 9, 32)]
    assert {each["event"] for each in events} == {"setting.binds"}


def test_what_the_limits_do_not_exceed_is_not_told(worker: Callable[..., dramatiq.Worker]) -> None:
    settings = Settings(workers=WorkerSettings(downloads=8), limits=LimitSettings(polls_per_second=50))
    with structlog.testing.capture_logs() as events:
        worker(TellsBounds(settings), queues={COLLECT})
    assert events == []


# -- what an earlier worker has left -------------------------------------------------------------------------


def test_a_submit_worker_brings_in_what_lies_on_disk_when_it_starts(
    worker: Callable[..., dramatiq.Worker],
) -> None:
    brought = threading.Event()
    worker(BringsIn(brought.set), queues={COLLECT})
    assert not brought.is_set()
    worker(BringsIn(brought.set), queues={SUBMIT})
    assert brought.wait(PATIENT_S)


# -- what threads share ---------------------------------------------------------------------------------------


def test_what_submit_actors_share_is_built_once_on_their_loop_before_any_message(
    worker: Callable[..., dramatiq.Worker], queue: Queue
) -> None:
    done: list[str] = []

    def make() -> Desk:
        done.append("made")
        return Desk(lambda: done.append(threading.current_thread().name))

    queue.wake(20)
    worker(SubmitLoop(make), queues={COLLECT})
    assert done == []
    submits = SubmitLoop(make)
    running = worker(submits, queues={SUBMIT}, submit=submits.submit_all)
    running.broker.join(SUBMIT, timeout=PATIENT_S * 1000)
    running.join()
    assert done == ["made", *["submit-loop"] * 20]


def test_a_submission_that_cannot_be_made_ends_its_process(worker: Callable[..., dramatiq.Worker]) -> None:
    def make() -> Desk:
        raise ValueError("no token")

    with signals() as caught, structlog.testing.capture_logs() as events:
        worker(SubmitLoop(make), queues={SUBMIT})
        wait_until(caught.is_set)
    [told] = events
    assert (told["event"], told["what"], told["exc_info"]) == ("actor.failed", "submit loop", True)


def test_an_error_on_the_loop_is_the_actors_and_names_its_job(
    worker: Callable[..., dramatiq.Worker], queue: Queue
) -> None:
    told: list[dict[str, Any]] = []

    def fail() -> None:
        structlog.contextvars.bind_contextvars(request_id="r-1")
        raise ValueError("no such thing")

    class Told(dramatiq.Middleware):  # type: ignore[misc]
        def after_process_message(
            self, *_args: Any, exception: BaseException | None = None, **_: Any
        ) -> None:
            told.append({"error": str(exception), **structlog.contextvars.get_contextvars()})

    submits = SubmitLoop(lambda: Desk(fail))
    running = worker(MessageContext(), Told(), submits, submit=submits.submit_all)
    queue.wake(2)
    running.broker.join(SUBMIT, timeout=PATIENT_S * 1000)
    running.join()
    assert [(each["error"], each["request_id"]) for each in told] == [("no such thing", "r-1")] * 2
    assert len({each["message"] for each in told}) == 2, "each names its own message"


# -- messages ------------------------------------------------------------------------------------------------


def test_an_actors_error_is_told_in_one_line_and_its_message_is_gone(
    worker: Callable[..., dramatiq.Worker], queue: Queue, redis_settings: RedisSettings
) -> None:
    seen: list[dict[str, Any]] = []

    def fail() -> None:
        seen.append(structlog.contextvars.get_contextvars())
        raise ValueError("no\nsuch thing")

    with structlog.testing.capture_logs() as events:
        running = worker(MessageContext(), submit=fail)
        queue.wake(2)
        running.broker.join(SUBMIT, timeout=PATIENT_S * 1000)
        running.join()
    told = [each for each in events if each["event"] == "actor.failed"]
    assert (
        told
        == [
            {
                "event": "actor.failed",
                "log_level": "error",
                "actor": SUBMIT,
                "error": "ValueError",
                "why": "no\nsuch thing",
            }
        ]
        * 2
    )
    assert len({each["message"] for each in seen}) == 2, "each event names its message"
    client = running.broker.client
    left = set(client.scan_iter(f"{redis_settings.prefix}:*"))
    assert {key.decode() for key in left if b"heartbeat" not in key} == set(), "no retry, no dead letter"


def test_an_actor_that_succeeds_is_quiet(worker: Callable[..., dramatiq.Worker], queue: Queue) -> None:
    done: list[int] = []
    with structlog.testing.capture_logs() as events:
        running = worker(MessageContext(), submit=lambda: done.append(1))
        queue.wake(1)
        running.broker.join(SUBMIT, timeout=PATIENT_S * 1000)
        running.join()
    assert (done, events) == ([1], [])


def test_stopping_wakes_the_gate_before_the_threads_are_waited_for_and_then_closes(
    worker: Callable[..., dramatiq.Worker], queue: Queue
) -> None:
    waits = threading.Event()

    class AtTheGate(Desk):
        async def submit_all(self) -> None:
            waits.set()
            await self.stopping.wait()
            assert not self.closed

    made: list[Desk] = []

    def make() -> Desk:
        made.append(AtTheGate())
        return made[0]

    submits = SubmitLoop(make)
    with structlog.testing.capture_logs() as events:
        # Its timer runs on: it must not end whoever runs the tests.
        in_time = EndsInTime(2 * PATIENT_S, end=lambda _code: None)
        running = worker(in_time, submits, submit=submits.submit_all)
        queue.wake(1)
        assert waits.wait(PATIENT_S)
        running.stop(timeout=PATIENT_S * 1000)
    assert [each["event"] for each in events] == ["worker.stopped"]
    assert made[0].closed


def test_whoever_asks_a_submission_that_was_stopped_while_it_was_made_is_not_left_waiting(
    worker: Callable[..., dramatiq.Worker], queue: Queue
) -> None:
    making, asked, left = threading.Event(), threading.Event(), threading.Event()

    class AtTheGate(Desk):
        async def submit_all(self) -> None:
            asked.set()
            await asyncio.wait_for(self.stopping.wait(), PATIENT_S)
            left.set()

    def make() -> Desk:
        making.set()
        assert stopping.wait(PATIENT_S)
        return AtTheGate()

    class Stopped(SubmitLoop):
        def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
            super().before_worker_shutdown(broker, worker)
            stopping.set()

    stopping = threading.Event()
    submits = Stopped(make)
    with structlog.testing.capture_logs():
        running = worker(submits, submit=submits.submit_all)
        queue.wake(1)
        assert making.wait(PATIENT_S)
        running.stop(timeout=PATIENT_S * 1000)
    assert left.is_set() or not asked.is_set()


def test_a_submit_under_way_is_finished_though_the_stop_goes_wrong(
    worker: Callable[..., dramatiq.Worker], queue: Queue
) -> None:
    told: list[str] = []

    class Posting(Desk):
        """Its POST is under way when the process stops; Redis refuses to wake whoever waits at the gate."""

        async def run(self) -> None:
            await super().run()
            raise ValueError("NOREPLICAS Not enough good replicas to write.")

        async def submit_all(self) -> None:
            posting.set()
            try:
                await asyncio.to_thread(answered.wait, PATIENT_S)
                told.append("closed" if self.closed else "answered")
            except asyncio.CancelledError:
                told.append("cancelled")

    posting, answered = threading.Event(), threading.Event()
    submits = SubmitLoop(Posting)
    with signals() as caught, structlog.testing.capture_logs():
        running = worker(submits, submit=submits.submit_all)
        queue.wake(1)
        assert posting.wait(PATIENT_S)
        stopping = threading.Thread(target=running.stop, kwargs={"timeout": PATIENT_S * 1000})
        stopping.start()
        wait_until(caught.is_set)
        # What comes at once, were the loop to end now.
        stopping.join(1)
        answered.set()
        stopping.join(PATIENT_S)
    assert not stopping.is_alive()
    assert told == ["answered"]


# -- services ------------------------------------------------------------------------------------------------


def test_services_run_from_boot_to_shutdown(worker: Callable[..., dramatiq.Worker]) -> None:
    made: list[Service] = []

    def make() -> Service:
        made.append(Service())
        return made[-1]

    with signals() as caught:
        running = worker(LoopServices(COLLECT, make, make), queues={COLLECT})
        wait_until(lambda: len(made) == 2)
        assert all(each.running.wait(PATIENT_S) for each in made)
        assert not any(each.ended.is_set() for each in made)
        running.stop(timeout=PATIENT_S * 1000)
        assert all(each.ended.is_set() for each in made)
        assert not caught.is_set()


def test_a_process_of_another_queue_has_no_services(worker: Callable[..., dramatiq.Worker]) -> None:
    services = LoopServices(COLLECT, Service)
    worker(services, queues={SUBMIT}).stop(timeout=PATIENT_S * 1000)
    assert services._thread is None
    assert services._services == []


def test_a_loop_answers_unless_it_is_blocked(worker: Callable[..., dramatiq.Worker]) -> None:
    service, blocked, released = Service(), threading.Event(), threading.Event()
    services = LoopServices(COLLECT, lambda: service)

    def block() -> None:
        blocked.set()
        released.wait(PATIENT_S)

    worker(services, queues={COLLECT})
    assert service.running.wait(PATIENT_S)
    assert services.answers(PATIENT_S)
    services._on_loop(block)
    assert blocked.wait(PATIENT_S)
    assert not services.answers(0.1)
    released.set()
    assert services.answers(PATIENT_S)


def test_a_loop_that_its_process_does_not_have_is_not_missed(worker: Callable[..., dramatiq.Worker]) -> None:
    services = LoopServices(COLLECT, Service)
    worker(services, queues={SUBMIT})
    assert services.answers(0)


def test_a_process_lives_while_its_loops_answer_and_its_threads_live(
    worker: Callable[..., dramatiq.Worker],
) -> None:
    class Loop:
        well = True

        def answers(self, within_s: float) -> bool:
            return self.well

    loop, other = Loop(), Loop()
    shows = ShowsLife(AliveFiles(None), loop, other)
    running = worker(shows)
    assert shows.lives(running)
    other.well = False
    assert not shows.lives(running)
    other.well = True
    running.workers.append(threading.Thread())
    assert not shows.lives(running), "a thread that has ended"
    running.workers.pop()
    assert shows.lives(running)


def test_a_service_that_dies_ends_its_process_and_the_other_service(
    worker: Callable[..., dramatiq.Worker],
) -> None:
    others: list[Service] = []

    def other() -> Service:
        others.append(Service())
        return others[-1]

    with signals() as caught, structlog.testing.capture_logs() as events:
        running = worker(LoopServices(COLLECT, other, lambda: Service(ValueError("odd"))))
        wait_until(caught.is_set)
        assert others[0].ended.wait(PATIENT_S)
        running.stop(timeout=PATIENT_S * 1000)
    [told] = events
    assert (told["event"], told["what"], told["exc_info"]) == ("actor.failed", "collect loop", True)


def test_a_service_that_cannot_be_made_ends_its_process(worker: Callable[..., dramatiq.Worker]) -> None:
    def make() -> Service:
        raise ValueError("no token")

    with signals() as caught, structlog.testing.capture_logs() as events:
        worker(LoopServices(COLLECT, make))
        wait_until(caught.is_set)
    assert [each["event"] for each in events] == ["actor.failed"]


def test_stopping_after_a_service_died_finds_nothing_amiss(
    worker: Callable[..., dramatiq.Worker], caplog: pytest.LogCaptureFixture
) -> None:
    services = LoopServices(COLLECT, lambda: Service(ValueError("odd")))
    with signals() as caught, structlog.testing.capture_logs():
        running = worker(services)
        wait_until(caught.is_set)
        assert services._thread is not None
        services._thread.join(PATIENT_S)
        running.stop(timeout=PATIENT_S * 1000)
    assert [record.message for record in caplog.records if record.levelname == "CRITICAL"] == []


def test_stopping_while_services_are_made_is_not_waited_out(worker: Callable[..., dramatiq.Worker]) -> None:
    making, go_on = threading.Event(), threading.Event()
    made: list[Service] = []

    def slow() -> Service:
        making.set()
        assert go_on.wait(PATIENT_S)
        made.append(Service())
        return made[-1]

    services = LoopServices(COLLECT, slow)
    running = worker(services)
    assert making.wait(PATIENT_S)
    stopping = threading.Thread(target=running.stop, kwargs={"timeout": PATIENT_S * 1000})
    stopping.start()
    wait_until(services._stopping.is_set)
    go_on.set()
    stopping.join(PATIENT_S)
    assert not stopping.is_alive()
    assert not made[0].running.is_set() or made[0].ended.is_set()


def wait_until(holds: Callable[[], Any]) -> None:
    """Looks every few ms."""
    pause = threading.Event()
    for _ in range(PATIENT_S * 200):
        if holds():
            return
        pause.wait(0.005)
    pytest.fail("it never came")
