"""One call of the real submission, over a real ledger and a vendor on loopback: what is left of every outcome."""

import hashlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from jobs.config.settings import Credentials, HiDreamSettings, LimitSettings, TaskSettings
from jobs.errors import LedgerLostError
from jobs.gate.account import STREAK
from jobs.identity import request_id
from jobs.ledger import Admission, Ledger, steps
from jobs.ledger.accepted_answers import AcceptedAnswers
from jobs.ledger.codec import encode, encode_pair
from jobs.ledger.intents import IntentJournals
from jobs.records import BatchId, Job, JobState, LocalFile, Owner, Pair, RequestId, Url
from jobs.tracing import Traces
from tests.driver import Driver, rid
from tests.on_loop import OnLoop, call, gate_of
from tests.raw_server import Answer, Heard, RawServer, Wire, accepted, raw, says
from worker.collect.schedule import PollSchedule
from worker.hidream.client import HiDreamClient
from worker.hidream.session import make_ssl_context
from worker.hidream.token_exchange import ApiKeyExchange
from worker.hidream.tokens import TokenSource
from worker.metrics import Metrics
from worker.submit.bodies import Bodies
from worker.submit.submission import Submission

PATIENT_S = 60


@dataclass
class Desk:
    """A submit process: its gate, its client and what it counts."""

    driver: Driver
    submission: Submission
    gate: Any
    metrics: Metrics
    server: RawServer
    #: Called between the permit and the intent, with the job's id.
    before_intent: list[Callable[[RequestId], Any]] = field(default_factory=list)

    def submit(self) -> bool:
        return call(self.submission.submit_next())

    def answers(self, *answers: Answer) -> None:
        self.server.answers[:] = answers

    def outcome(self, name: str) -> float:
        counted: float = self.metrics.submits.labels(outcome=name)._value.get()
        return counted

    def spent(self) -> tuple[int, int]:
        """Pictures counted in the batch's budget and in the days'."""
        days = self.driver.ledger.client.hvals(self.driver.ledger.key("spent"))
        return self.driver.spent("a"), sum(map(int, days))

    def untouched(self, name: str, place: int = 0) -> None:
        """The job waits again as if nothing had been tried; whatever it held is free."""
        job = self.driver.job(rid(name))
        assert (job.state, job.attempts, job.task_id) == (JobState.QUEUED, 0, None)
        assert self.driver.line("a")[place] == rid(name), "it has waited already"
        self.free()

    def free(self) -> None:
        assert self.spent() == (0, 0)
        assert self.driver.members("leases") == self.driver.members("posting") == {}


@pytest.fixture(scope="session")
def context() -> ssl.SSLContext:
    return make_ssl_context()


@pytest.fixture
def desk_at(driver: Driver, context: ssl.SSLContext, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    clients: list[Any] = []

    def make(
        server: RawServer,
        url: str = "",
        notify: str | None = None,
        safe: tuple[int, ...] = (),
        ledger: Ledger = driver.ledger,
        **limits: Any,
    ) -> Desk:
        hidream = HiDreamSettings(
            base_url=url or server.url, connect_timeout_s=20, submit_timeout_s=60, safe_statuses=safe
        )
        exchange = ApiKeyExchange(settings=hidream, ssl_context=context)
        tokens = TokenSource(credentials=Credentials.model_validate({"token": "sk-desk"}), exchange=exchange)
        client = OnLoop(lambda: HiDreamClient(hidream, tokens, context))
        clients.append(client)
        limits = {"in_flight": 10, "images_per_minute": 1e9} | limits
        journals = IntentJournals(tmp_path)
        journals.own()
        gate = gate_of(ledger, LimitSettings(**limits), submit_timeout_s=20, journals=journals)
        metrics = Metrics()

        def address(job: RequestId) -> str | None:
            for each in made.before_intent:
                each(job)
            return notify

        submission = Submission(
            gate=gate.itself,
            client=client.itself,
            bodies=Bodies(),
            schedule=PollSchedule(tasks=TaskSettings()),
            metrics=metrics,
            answers=AcceptedAnswers(tmp_path),
            notify_url=address,
        )
        made = Desk(driver, submission, gate, metrics, server)
        return made

    yield make
    for client in clients:
        client.aclose()


@pytest.fixture
def desk(driver: Driver, desk_at: Callable[..., Desk]) -> Iterator[Desk]:
    """A desk with two jobs before it."""
    driver.admit("a", ["p", "q"], seal=True)
    with RawServer(accepted("t-1", "s-1")) as server:
        yield desk_at(server)


def hang_up(wire: Wire, _heard: Heard) -> None:
    wire.close()


# -- what each outcome leaves --------------------------------------------------------------------------------


def test_an_accepted_job_has_its_task_its_lease_and_its_first_poll(desk: Desk) -> None:
    assert desk.submit()
    job = desk.driver.job(rid("p"))
    assert (job.state, job.task_id, job.sub_task_ids) == (JobState.SUBMITTED, "t-1", ("s-1",))
    assert job.attempts == 1
    assert desk.spent() == (1, 1)
    assert list(desk.driver.members("leases")) == list(desk.driver.members("due")) == [rid("p")]
    assert desk.driver.members("posting") == {}
    assert desk.outcome("accepted") == 1


@pytest.mark.parametrize(
    ("answer", "became"),
    [
        (accepted("t-1", "s-1"), {"task_id": "t-1", "sub_task_ids": ["s-1"]}),
        (says({"code": 1051, "message": "picture invalid"}), {"task_id": None, "sub_task_ids": []}),
        (hang_up, None),
    ],
)
def test_what_is_sent_is_on_disk_before_it_is_and_what_became_of_it_before_the_ledger_is_told(
    desk: Desk, tmp_path: Path, answer: Answer, became: dict[str, Any] | None
) -> None:
    seen: list[list[dict[str, Any]]] = []

    def noted() -> list[dict[str, Any]]:
        lines = [line for path in (tmp_path / "orders").iterdir() for line in path.read_text().split("\n")]
        return [json.loads(line) for line in lines if line]

    def look(wire: Wire, heard: Heard) -> None:
        seen.append(noted())
        answer(wire, heard)

    desk.answers(look)
    assert desk.submit()
    ((of_file, intent),) = seen
    assert list(of_file) == ["inode"]
    assert (intent["request_id"], intent["order"], intent["batch"]) == (rid("p"), 1, "a")
    assert noted()[2:] == ([{"ended": intent["claim"], **became}] if became else [])


def test_the_body_names_the_job_and_where_to_call_back(driver: Driver, desk_at: Callable[..., Desk]) -> None:
    driver.admit("a", ["p"])
    with RawServer(accepted("t-1")) as server:
        desk_at(server, notify="https://shop.example/call/1").submit()
    assert server.heard[0].json["request_id"] == rid("p")
    assert server.heard[0].json["notify_url"] == "https://shop.example/call/1"
    assert server.heard[0].json["dress"] == "https://shop.example/d.jpg"


def test_the_intent_is_in_the_ledger_before_the_request_arrives(desk: Desk) -> None:
    seen: list[Any] = []

    def look(wire: Wire, heard: Heard) -> None:
        name = heard.json["request_id"]
        seen.append((desk.driver.state(name), desk.spent(), list(desk.driver.members("posting"))))
        accepted("t-1")(wire, heard)

    desk.answers(look)
    desk.submit()
    assert seen == [(JobState.SUBMITTING, (1, 1), [rid("p")])]


def test_a_listed_refusal_is_the_jobs_own_and_costs_nothing(desk: Desk) -> None:
    desk.answers(says({"code": 1051, "message": "no person in it"}))
    desk.submit()
    job = desk.driver.job(rid("p"))
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert (job.failure.kind, job.failure.code, job.failure.retryable) == ("picture_invalid", 1051, False)
    assert job.failure.owner is Owner.MERCH
    assert "no person in it" in job.failure.message
    desk.free()
    assert {"streak", "breaker", "closed_until", "paused"} & desk.driver.gate().keys() == set()
    assert desk.outcome("refused") == 1


def test_a_listed_refusal_ends_a_run_of_bad_answers(desk: Desk) -> None:
    desk.driver.gate(streak=STREAK - 1)
    desk.answers(says({"code": 1051, "message": "no person in it"}))
    desk.submit()
    assert "streak" not in desk.driver.gate()


def test_an_unlisted_refusal_fails_the_job_and_counts_against_the_account(desk: Desk) -> None:
    desk.answers(says({"code": 7777, "message": "what is this"}))
    desk.submit()
    failure = desk.driver.job(rid("p")).failure
    assert failure is not None
    assert (failure.kind, failure.code, failure.owner, failure.retryable) == (
        "refused",
        7777,
        Owner.OPS,
        True,
    )
    desk.free()
    assert desk.driver.gate()["streak"] == "1"
    assert "breaker" not in desk.driver.gate()


def test_a_run_of_unlisted_refusals_opens_the_breaker(desk: Desk) -> None:
    desk.driver.gate(streak=STREAK - 1)
    desk.answers(says({"code": 7777, "message": "what is this"}))
    with structlog.testing.capture_logs() as events:
        desk.submit()
    assert desk.driver.gate()["breaker"] == "vendor"
    assert [each["event"] for each in events] == ["submit.refused", "breaker.opened"]
    assert desk.driver.state(rid("q")) is JobState.QUEUED


def test_throttling_closes_the_account_for_as_long_as_it_says_and_shrinks_the_rate(desk: Desk) -> None:
    desk.answers(raw(429, b"{}", Retry_After="7"))
    with structlog.testing.capture_logs() as events:
        desk.submit()
    desk.untouched("p")
    gate = desk.driver.gate()
    answer = desk.driver.ask()
    assert (answer.kind, answer.reason) == ("wait", "throttled")
    assert 5_000 < answer.wait_ms <= 7_000
    assert float(gate["factor"]) == pytest.approx(0.7)
    assert [each["event"] for each in events] == ["submit.busy", "gate.throttled"]
    assert desk.outcome("busy") == 1


def test_an_overloaded_vendor_closes_the_account_and_keeps_the_rate(desk: Desk) -> None:
    desk.answers(says({"code": 2004, "message": "queue full"}))
    desk.submit()
    desk.untouched("p")
    waiting = desk.driver.ask()
    assert (waiting.kind, waiting.reason) == ("wait", "throttled")
    assert waiting.wait_ms <= 1_000
    assert "factor" not in desk.driver.gate()


def test_a_status_known_to_be_safe_buys_nothing(driver: Driver, desk_at: Callable[..., Desk]) -> None:
    driver.admit("a", ["p", "q"])
    with RawServer(raw(503, b"<html>")) as server:
        desk = desk_at(server, safe=(503,))
        desk.submit()
    desk.untouched("p")
    assert driver.ask().reason == "throttled"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says({"code": 2007, "message": "No credits available"}), "credits"),
        (raw(200, b'{"code":2007,"message":"none \\ud83d left"}'), "credits"),
        (says({"code": 2031, "message": "not bought"}), "module"),
        (raw(401, b""), "token"),
        (says({"code": 12}, 403), "token"),
        (says({"code": 12}, 404), "vendor"),
    ],
)
def test_an_account_that_cannot_buy_opens_the_breaker_and_fails_no_job(
    desk: Desk, answer: Answer, reason: str
) -> None:
    desk.answers(answer)
    desk.submit()
    desk.untouched("p", place=-1)
    assert desk.driver.gate()["breaker"] == reason
    assert desk.driver.ask().reason == reason
    assert desk.outcome("paused") == 1


def test_what_was_not_sent_waits_again_at_no_cost(driver: Driver, desk_at: Callable[..., Desk]) -> None:
    driver.admit("a", ["p", "q"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with RawServer(accepted()) as server:
        desk = desk_at(server, nobody)
        with structlog.testing.capture_logs() as events:
            assert desk.submit()
        assert server.heard == []
    desk.untouched("p")
    assert desk.driver.ask().reason == "throttled", "everybody waits a little"
    assert [each["event"] for each in events] == ["submit.not_sent"]
    assert desk.outcome("not_sent") == 1
    assert "factor" not in desk.driver.gate()


@pytest.mark.parametrize(
    "answer",
    [
        *(raw(502, b"<html>"), raw(503), raw(504), raw(403), raw(404), raw(307), raw(400), raw(429)),
        *(hang_up, says({"code": 0}), raw(200, b""), says({"code": 0, "request_id": "another"})),
    ],
)
def test_an_answer_that_proves_nothing_holds_the_job_as_unknown_and_spent(desk: Desk, answer: Answer) -> None:
    desk.answers(answer)
    desk.submit()
    job = desk.driver.job(rid("p"))
    assert (job.state, job.attempts, job.task_id) == (JobState.UNKNOWN, 0, None)
    assert job.failure is not None
    assert (job.failure.kind, job.failure.owner, job.failure.retryable) == ("no_answer", Owner.OPS, False)
    assert desk.spent() == (1, 1)
    assert list(desk.driver.members("unknown")) == [rid("p")]
    assert desk.driver.members("posting") == {}
    assert desk.driver.gate()["streak"] == "1"
    assert desk.outcome("unknown") == 1
    assert len(desk.server.heard) == 1, "never a blind second one"


@pytest.mark.parametrize("status", [200, 400, 404, 429, 500, 502, 503, 504])
def test_an_answer_that_names_a_task_is_bought_whatever_its_status(desk: Desk, status: int) -> None:
    desk.answers(says({"code": 2004, "message": "try later", "result": {"task_id": "t-1"}}, status))
    desk.submit()
    job = desk.driver.job(rid("p"))
    assert (job.state, job.task_id) == (JobState.SUBMITTED, "t-1")
    assert desk.spent() == (1, 1)


def test_a_run_of_unknowns_opens_the_breaker(desk: Desk) -> None:
    desk.driver.gate(streak=STREAK - 1)
    desk.answers(hang_up)
    desk.submit()
    assert desk.driver.gate()["breaker"] == "vendor"


@pytest.mark.parametrize("answer", [raw(503, b"<html>"), raw(404), raw(301), raw(500, b"{}")])
def test_two_answers_that_no_application_wrote_open_the_breaker(desk: Desk, answer: Answer) -> None:
    desk.answers(answer)
    desk.submit()
    assert "breaker" not in desk.driver.gate(), "one may have been a hiccup"
    desk.submit()
    assert desk.driver.gate()["breaker"] == "vendor"
    assert desk.driver.ask().reason == "vendor"


@pytest.mark.parametrize(
    ("answer", "closed_ms", "factor"),
    [
        (raw(429), 1_000, True),
        (raw(429, b"<html>", Retry_After="soon"), 1_000, True),
        (raw(503, Retry_After="9"), 9_000, False),
    ],
)
def test_a_gateways_wait_is_everybodys_though_its_job_is_unknown(
    desk: Desk, answer: Answer, closed_ms: int, factor: bool
) -> None:
    desk.answers(answer)
    desk.submit()
    assert desk.driver.state(rid("p")) is JobState.UNKNOWN
    waiting = desk.driver.ask()
    assert (waiting.kind, waiting.reason) == ("wait", "throttled")
    assert closed_ms - 900 < waiting.wait_ms <= closed_ms
    assert ("factor" in desk.driver.gate()) is factor


def test_a_probe_that_is_accepted_closes_the_breaker(desk: Desk) -> None:
    desk.driver.gate(breaker="credits", breaker_why="none left", probe_at=0, probe_wait=5000)
    with structlog.testing.capture_logs() as events:
        desk.submit()
    assert "breaker" not in desk.driver.gate()
    assert [each["event"] for each in events] == ["breaker.probing", "submit.accepted", "breaker.closed"]


def test_a_task_id_given_to_two_jobs_holds_both(desk: Desk) -> None:
    with structlog.testing.capture_logs() as events:
        assert desk.submit()
        assert desk.submit()
    assert {desk.driver.state(rid(name)) for name in "pq"} == {JobState.UNKNOWN}
    assert events[-1]["reason"] == "task_shared"
    assert events[-1]["other"] == rid("p")


def test_a_submit_without_a_waiting_job_sends_nothing(ledger: Ledger, desk_at: Callable[..., Desk]) -> None:
    with RawServer(accepted()) as server:
        assert not desk_at(server).submit()
        assert server.heard == []


# -- late answers --------------------------------------------------------------------------------------------


def test_an_answer_after_the_reconciler_has_given_up_is_still_taken(desk: Desk) -> None:
    def late(wire: Wire, heard: Heard) -> None:
        desk.driver.score("posting", rid("p"), 0)
        desk.driver.ledger.run(steps.reconcile(policy="hold", quiet_s=300))
        assert desk.driver.state(rid("p")) is JobState.UNKNOWN
        accepted("t-1")(wire, heard)

    desk.answers(late)
    desk.submit()
    job = desk.driver.job(rid("p"))
    assert (job.state, job.task_id, job.failure) == (JobState.SUBMITTED, "t-1", None)
    assert desk.driver.members("unknown") == {}


def test_a_callback_that_overtakes_the_answer_makes_the_first_poll_due_now(desk: Desk) -> None:
    def overtaken(wire: Wire, heard: Heard) -> None:
        desk.driver.ledger.run(steps.hint(rid("p"), "t-1"))
        accepted("t-1")(wire, heard)

    desk.answers(overtaken)
    desk.submit()
    assert [job.request_id for job in desk.driver.ledger.run(steps.take_due(8)).jobs] == [rid("p")]


# -- errors of our own ---------------------------------------------------------------------------------------


def spoilt(desk: Desk, key: str, answer: Answer) -> Answer:
    """An answer that finds a key of the ledger to be what no script expects."""

    def after(wire: Wire, heard: Heard) -> None:
        client, name = desk.driver.ledger.client, desk.driver.ledger.key(key)
        client.unlink(name)
        client.set(name, "not what it was")
        answer(wire, heard)

    return after


def test_an_error_of_our_own_after_an_accepted_answer_keeps_the_task_and_never_loops(
    desk: Desk, tmp_path: Path
) -> None:
    desk.answers(spoilt(desk, "tasks", accepted("t-77", "s-1")))
    assert desk.submit()
    job = desk.driver.job(rid("p"))
    assert job.state is JobState.UNKNOWN
    assert job.failure is not None
    assert "t-77" in job.failure.message
    assert desk.driver.members("posting") == {}
    assert desk.spent() == (1, 1)
    answers = AcceptedAnswers(tmp_path)
    with structlog.testing.capture_logs() as events:
        assert [answers.bring_in(desk.driver.ledger) for _ in range(3)] == [0, 0, 0]
    assert [each["event"] for each in events] == ["answer.unsaved"]
    desk.driver.ledger.client.unlink(desk.driver.ledger.key("tasks"))
    assert answers.bring_in(desk.driver.ledger) == 1
    assert desk.driver.job(rid("p")).task_id == "t-77"


@pytest.mark.parametrize("answer", [says({"code": 2004}), raw(429, Retry_After="1"), says({"code": 1051})])
def test_an_error_of_our_own_after_a_refusal_sets_the_job_aside(desk: Desk, answer: Answer) -> None:
    desk.answers(spoilt(desk, "wakeups", answer))
    assert desk.submit()
    assert desk.driver.state(rid("p")) in {JobState.UNKNOWN, JobState.QUEUED, JobState.FAILED}
    assert desk.driver.members("posting") == {}
    desk.driver.ledger.client.unlink(desk.driver.ledger.key("wakeups"))
    desk.driver.score("leases", rid("p"), 0)
    desk.answers(accepted("t-2"), accepted("t-3"))
    desk.driver.gate(closed_until=0)
    assert desk.submit()
    assert "submitted" in desk.driver.counts("a"), "the account goes on"


# -- nothing is sent -----------------------------------------------------------------------------------------


def admit_local(driver: Driver, path: Path, content: bytes) -> RequestId:
    picture = LocalFile(path=str(path), sha256=hashlib.sha256(content).hexdigest())
    local = Pair(person=picture, dress=Url(url="https://shop.example/d.jpg"))
    name = request_id(local)
    driver.ledger.open_batch(BatchId("a"))
    text = encode({"line": 2, "sku": "x", "fields": {}, "job": name})
    row = Admission(number=1, request_id=name, row=text, pair=encode_pair(local))
    driver.ledger.admit(BatchId("a"), [row])
    return name


@pytest.mark.parametrize(("there", "kind"), [(None, "picture_missing"), (b"another", "picture_changed")])
def test_a_local_picture_that_is_not_the_planned_one_fails_without_a_request(
    driver: Driver, desk_at: Callable[..., Desk], tmp_path: Path, there: bytes | None, kind: str
) -> None:
    path = tmp_path / "person.jpg"
    if there is not None:
        path.write_bytes(there)
    name = admit_local(driver, path, b"the planned one")
    driver.gate(streak=2)
    with RawServer(accepted()) as server:
        desk = desk_at(server)
        assert desk.submit()
        assert server.heard == []
    job = driver.job(name)
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert (job.failure.kind, job.failure.owner) == (kind, Owner.MERCH)
    assert driver.members("leases") == driver.members("posting") == {}
    assert desk.spent() == (0, 0)
    assert driver.gate()["streak"] == "2", "it says nothing of the account"


def test_a_job_that_nobody_can_read_fails_for_ops_without_a_request(desk: Desk) -> None:
    desk.driver.ledger.client.hset(desk.driver.ledger.key("job", rid("p")), "pair", '{"hat": "u"}')
    assert desk.submit()
    job = desk.driver.job(rid("p"))
    assert job.failure is not None
    assert (job.failure.kind, job.failure.owner) == ("unreadable", Owner.OPS)
    assert desk.driver.raw(rid("p"))["state"] == "failed"
    assert desk.server.heard == []
    assert desk.spent() == (0, 0)


def test_stopping_while_a_permit_waits_for_its_moment_gives_it_back(
    driver: Driver, desk_at: Callable[..., Desk]
) -> None:
    driver.admit("a", ["p", "q"])
    with RawServer(accepted("t-1")) as server:
        desk = desk_at(server, images_per_minute=45)
        assert desk.submit()
        granted = threading.Event()
        desk.before_intent.append(lambda _job: granted.set())
        thread = threading.Thread(target=desk.submit)
        thread.start()
        assert granted.wait(PATIENT_S)
        desk.gate.stop()
        thread.join(PATIENT_S)
        assert not thread.is_alive()
        assert len(server.heard) == 1
    assert driver.state(rid("q")) is JobState.QUEUED
    assert driver.line("a") == [rid("q")]
    assert desk.spent() == (1, 1)
    assert list(driver.members("leases")) == [rid("p")]
    assert driver.members("posting") == {}
    assert not desk.submit(), "a stopped process takes nothing new"


def test_a_permit_that_went_to_another_worker_sends_nothing(desk: Desk) -> None:
    def taken_away(job: RequestId) -> None:
        desk.driver.score("posting", job, 0)
        desk.driver.ledger.run(steps.reconcile(policy="hold", quiet_s=300))

    desk.before_intent.append(taken_away)
    with structlog.testing.capture_logs() as events:
        assert desk.submit()
    assert [each["event"] for each in events] == ["lease.lost"]
    assert desk.server.heard == []
    desk.untouched("p")


def test_an_account_that_closes_before_the_intent_sends_nothing(desk: Desk) -> None:
    desk.before_intent.append(lambda _job: desk.driver.gate(paused="by hand"))
    assert desk.submit()
    assert desk.server.heard == []
    desk.untouched("p")


def test_a_process_that_stood_still_around_its_intent_sends_nothing(desk: Desk) -> None:
    desk.gate.patience_s = 0
    assert desk.submit()
    assert desk.server.heard == []
    desk.untouched("p")


def test_another_ledger_under_a_permit_sends_nothing(desk: Desk) -> None:
    def wiped(_job: RequestId) -> None:
        desk.driver.ledger.client.hset(desk.driver.ledger.key("meta"), "id", "another")

    desk.before_intent.append(wiped)
    with pytest.raises(LedgerLostError):
        desk.submit()
    assert desk.server.heard == []


# -- what is said of it for its trace ------------------------------------------------------------------------


class Spans(Traces):
    """Keeps what is said, with what the ledger knew of the job by then."""

    on = True

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.said: list[tuple[str, bool, dict[str, Any], JobState]] = []
        self.times: list[tuple[float, float]] = []

    def span(
        self, job: Job, name: str, begun_ms: float, ended_ms: float, *, failed: bool = False, **facts: Any
    ) -> None:
        self.said.append((name, failed, facts, self._driver.state(job.request_id)))
        self.times.append((begun_ms, ended_ms))


@pytest.mark.parametrize(
    ("answer", "outcome", "status", "state"),
    [
        (accepted("t-1"), "accepted", 200, JobState.SUBMITTED),
        (says({"code": 1051, "message": "no person in it"}), "refused", 200, JobState.FAILED),
        (raw(429, **{"Retry-After": "1"}), "busy", 429, JobState.QUEUED),
        (raw(502, b"<html>"), "unknown", 502, JobState.UNKNOWN),
        (hang_up, "unknown", None, JobState.UNKNOWN),
    ],
    ids=["accepted", "refused", "busy", "gateway", "hung up"],
)
def test_spans_are_said_once_the_answer_is_recorded(
    desk: Desk, answer: Answer, outcome: str, status: int | None, state: JobState
) -> None:
    spans = Spans(desk.driver)
    desk.submission = replace(desk.submission, traces=spans)
    desk.answers(answer)
    desk.submit()
    task_id = "t-1" if outcome == "accepted" else None
    facts = {"outcome": outcome, "http_status": status, "task_id": task_id, "attempt": 1}
    assert spans.said == [
        ("queue", False, {}, state),
        ("gate", False, {}, state),
        ("submit", outcome != "accepted", facts, state),
    ]
    queue, gate, submit = spans.times
    assert queue[0] <= queue[1] == gate[0] <= gate[1] == submit[0] <= submit[1]
