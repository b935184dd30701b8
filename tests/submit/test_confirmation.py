"""Submission where replicas confirm: what a fail-over could forget is not sent, and no accepted answer is forgotten."""

import asyncio
import signal
import ssl
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from jobs.config.settings import Credentials, HiDreamSettings, LimitSettings, RedisSettings, TaskSettings
from jobs.ledger import Ledger
from jobs.ledger.accepted_answers import AcceptedAnswers
from jobs.ledger.confirmed import AsyncConfirmedRunner, Way, recorder
from jobs.ledger.shut import shut_kind
from jobs.records import BatchId, JobState
from jobs.redis.client import connect
from tests.driver import Driver, rid
from tests.faults.outcome import SkippedError
from tests.faults.proxy import Proxy
from tests.faults.servers import RedisServer
from tests.faults.standby import cut_off, follow, newest_server, until
from tests.on_loop import OnLoop, call, gate_of, runner_of
from tests.raw_server import Heard, RawServer, Wire, accepted
from worker.collect.schedule import PollSchedule
from worker.hidream.client import HiDreamClient
from worker.hidream.session import make_ssl_context
from worker.hidream.token_exchange import ApiKeyExchange
from worker.hidream.tokens import TokenSource
from worker.metrics import Metrics
from worker.submit.bodies import Bodies
from worker.submit.confirmation import ConfirmedAnswers
from worker.submit.submission import Submission


@dataclass
class Worker:
    """A submit process before a primary with one replica; the proxy leads to the primary."""

    primary: RedisServer
    replica: RedisServer
    proxy: Proxy
    driver: Driver
    gate: Any
    confirmed: Any
    submission: Submission
    vendor: RawServer
    folder: Path

    def submit(self) -> bool:
        return call(self.submission.submit_next())

    def sends(self) -> None:
        """Submits until something is sent: on a busy machine a replica takes longer than it is waited for."""
        before = len(self.vendor.heard)
        until(lambda: self.submit() and len(self.vendor.heard) > before, "it is sent")

    def outstanding(self) -> int:
        """Answers in the journal that it has not been told to forget."""
        lines = [line for path in self.folder.glob("accepted/*") for line in path.read_text().splitlines()]
        return sum('"key"' in line for line in lines) - sum('"recorded"' in line for line in lines)


@pytest.fixture
def servers() -> Iterator[tuple[RedisServer, RedisServer]]:
    with tempfile.TemporaryDirectory(prefix="vton-") as folder:
        try:
            program = newest_server()
        except SkippedError as error:
            pytest.skip(str(error))
        primary, replica = (RedisServer(Path(folder, name), "word", program=program) for name in ("a", "b"))
        try:
            primary.start()
            replica.start()
            follow(replica, primary, "word")
            yield primary, replica
        finally:
            primary.kill()
            replica.kill()


@pytest.fixture(scope="module")
def context() -> ssl.SSLContext:
    return make_ssl_context()


@pytest.fixture
def worker(
    servers: tuple[RedisServer, RedisServer], context: ssl.SSLContext, tmp_path: Path
) -> Iterator[Worker]:
    primary, replica = servers
    with Proxy(primary.port) as proxy, RawServer(accepted("t-1", "s-1")) as vendor:
        redis = RedisSettings(url=SecretStr(primary.url(proxy.port)), replicas=1)
        # Its pool lives as long as the tests' loop, at an address that no other test has.
        ledger = Ledger(connect(redis, db=1, patience_s=60), "vton")
        runner = runner_of(ledger)
        intents = AsyncConfirmedRunner(runner.client, "vton", Way(1))
        limits = LimitSettings(in_flight=10, images_per_minute=1e9)
        gate = gate_of(ledger, limits, submit_timeout_s=20, intents=intents)
        hidream = HiDreamSettings(base_url=vendor.url, connect_timeout_s=20, submit_timeout_s=60)
        exchange = ApiKeyExchange(settings=hidream, ssl_context=context)
        tokens = TokenSource(credentials=Credentials.model_validate({"token": "sk-word"}), exchange=exchange)
        client = OnLoop(lambda: HiDreamClient(hidream, tokens, context))
        answers = AcceptedAnswers(tmp_path)
        confirmed = OnLoop(lambda: ConfirmedAnswers(runner=intents, answers=answers))
        submission = Submission(
            gate=gate.itself,
            client=client.itself,
            bodies=Bodies(),
            schedule=PollSchedule(tasks=TaskSettings()),
            metrics=Metrics(),
            answers=answers,
            notify_url=lambda _: None,
            confirmed=confirmed.itself,
        )
        driver = Driver(ledger)
        driver.admit("a", ["p", "q"], seal=True)
        yield Worker(primary, replica, proxy, driver, gate, confirmed, submission, vendor, tmp_path)
        call(at_rest(gate.itself))
        call(submission.aclose())
        call(runner.client.connection_pool.disconnect())
        ledger.client.close()


async def at_rest(gate: Any) -> None:
    """What it gives back is not said any more: the servers go."""
    gate._stopping.set()
    if gate._returned._turns is not None:
        await asyncio.wait({gate._returned._turns})


def test_an_intent_that_no_replica_confirms_is_not_sent_and_the_gate_says_why(worker: Worker) -> None:
    worker.replica.signal(signal.SIGSTOP)
    with structlog.testing.capture_logs() as events:
        assert worker.submit()
    assert worker.vendor.heard == [], "nothing was sent"
    job = worker.driver.job(rid("p"))
    assert (job.state, job.attempts, job.task_id) == (JobState.QUEUED, 0, None)
    assert worker.driver.line("a")[0] == rid("p"), "it has waited already"
    assert (worker.driver.spent("a"), worker.driver.spent_on()) == (0, 0)
    status = worker.driver.ledger.status(BatchId("a"))
    assert (status.ordered, status.refunded) == (0, 0), "there was no order, so none is given back"
    assert worker.driver.members("leases") == worker.driver.members("posting") == {}
    gate = worker.driver.ledger.gate()
    assert (shut_kind(gate), gate.closed_why) == (
        "replicas_behind",
        "0 of 1 replicas have the last write after 2 s",
    )
    (said,) = [each for each in events if each["event"] == "submit.unconfirmed"]
    assert (said["owner"], said["why"]) == ("ops", gate.closed_why)
    worker.replica.signal(signal.SIGCONT)
    worker.sends()
    assert worker.driver.job(rid("p")).task_id == "t-1"
    assert len(worker.vendor.heard) == 1


def test_an_order_that_was_not_confirmed_is_none_that_a_promoted_replica_must_know(worker: Worker) -> None:
    worker.replica.signal(signal.SIGSTOP)
    worker.submit()
    worker.replica.signal(signal.SIGCONT)
    current, noted = worker.driver.ledger.marks() or (None, None)
    assert (current.orders, noted.orders, worker.gate._orders.seen.orders) == (1, 0, 0)
    worker.sends()
    sure = worker.gate._orders.seen.orders
    assert sure > 1, "with this one all before it are confirmed"
    worker.sends()
    current, noted = worker.driver.ledger.marks() or (None, None)
    assert current.orders == worker.gate._orders.seen.orders
    assert sure <= noted.orders < current.orders, "what was confirmed before the last one"


def test_a_lost_connection_to_redis_leaves_the_job_waiting_and_unsent(worker: Worker) -> None:
    worker.replica.signal(signal.SIGSTOP)
    assert call(while_it_waits(worker, lambda _: worker.proxy.reset_all()))
    assert worker.vendor.heard == []
    assert worker.driver.state(rid("p")) is JobState.QUEUED
    worker.replica.signal(signal.SIGCONT)


def test_a_job_whose_intent_alone_came_to_the_promoted_replica_is_given_back_there_too(
    worker: Worker,
) -> None:
    # From here on the server knows the script: what is waited for is the intent itself.
    worker.sends()
    with worker.replica.client(0) as client:
        client.config_set("masterauth", "wrong")
    worker.replica.signal(signal.SIGSTOP)

    def cut(client: Any) -> None:
        # What it has in its socket it will still read; what comes now it will not hear of.
        client.client_kill_filter(_type="replica")

    assert call(while_it_waits(worker, cut))
    assert worker.driver.state(rid("q")) is JobState.QUEUED
    worker.primary.kill()
    worker.replica.signal(signal.SIGCONT)
    with worker.replica.client(1) as client:
        until(lambda: client.hget(f"vton:job:{rid('q')}", "state") == "submitting", "it has read the intent")
        client.replicaof("NO", "ONE")
        worker.proxy.target_port = worker.replica.port
        worker.proxy.reset_all()
        until(lambda: client.hget(f"vton:job:{rid('q')}", "state") == "queued", "it is given back")
    assert len(worker.vendor.heard) == 1


async def while_it_waits(worker: Worker, harm: Callable[[Any], object]) -> bool:
    """Submits, and does harm as soon as the intent is waited for."""

    def meanwhile() -> None:
        with worker.primary.client(0) as client:
            until(lambda: any(each["cmd"] == "waitaof" for each in client.client_list()), "it waits")
            harm(client)

    _, done = await asyncio.gather(asyncio.to_thread(meanwhile), worker.submission.submit_next())
    return done


def stop_replica(worker: Worker) -> Callable[[Wire, Heard], None]:
    def answer(wire: Wire, heard: Heard) -> None:
        worker.replica.signal(signal.SIGSTOP)
        accepted("t-1", "s-1")(wire, heard)

    return answer


def test_an_accepted_answer_stays_in_its_journal_until_replicas_have_it_and_holds_nobody_up(
    worker: Worker,
) -> None:
    worker.vendor.answers[:] = [stop_replica(worker)]
    worker.sends()
    assert worker.driver.job(rid("p")).task_id == "t-1", "it is collected at once"
    assert worker.outstanding() == 1
    worker.replica.signal(signal.SIGCONT)
    until(lambda: worker.outstanding() == 0, "the journal forgets it")


def test_an_answer_that_a_promoted_replica_lacks_is_recorded_there_by_the_process_that_lives(
    worker: Worker,
) -> None:
    def answer(wire: Wire, heard: Heard) -> None:
        cut_off(worker.primary, worker.replica)
        accepted("t-1", "s-1")(wire, heard)

    worker.vendor.answers[:] = [answer]
    worker.sends()
    worker.primary.kill()
    with worker.replica.client(0) as client:
        client.replicaof("NO", "ONE")
    with worker.replica.client(1) as client:
        assert client.hget(f"vton:job:{rid('p')}", "state") == "submitting", "the answer was lost"
        worker.proxy.target_port = worker.replica.port
        worker.proxy.reset_all()
        until(lambda: client.hget(f"vton:job:{rid('p')}", "task_id") == "t-1", "it is recorded again")
    assert worker.outstanding() == 1, "the new primary has no replica"
    assert len(worker.vendor.heard) == 1


def test_what_a_dead_process_has_left_is_forgotten_by_its_journal_only_when_replicas_have_it(
    worker: Worker,
) -> None:
    worker.vendor.answers[:] = [stop_replica(worker)]
    worker.sends()
    call(worker.submission.aclose())
    assert worker.outstanding() == 1
    others, record = AcceptedAnswers(worker.folder), recorder(worker.driver.ledger, 1)
    with pytest.raises(Exception, match="0 of 1 replicas"):
        others.bring_in(record)
    assert worker.outstanding() == 1
    worker.replica.signal(signal.SIGCONT)
    until(lambda: _brought_in(others, record), "it is brought in")
    assert others.bring_in(record) == 0


def _brought_in(answers: AcceptedAnswers, record: Any) -> bool:
    try:
        return answers.bring_in(record) == 1
    except Exception:  # noqa: BLE001 a replica that has slept needs a moment
        return False


def test_without_replicas_to_wait_for_nothing_is_sent_beside_the_script(driver: Driver) -> None:
    driver.admit("a", ["p"])
    gate = gate_of(driver.ledger, LimitSettings(), submit_timeout_s=20)
    assert gate._intents is gate._runner
    assert recorder(driver.ledger, 0) is driver.ledger
    permit = gate.acquire()
    assert gate.begin(permit) == "go"
    assert driver.ledger.client.exists(driver.ledger.key("confirmed")) == 0
