"""What HiDream has sold us and the ledger does not have yet: kept on disk, written when Redis is back, never twice."""

import errno
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from jobs.config.settings import Credentials, HiDreamSettings, LimitSettings, RedisSettings, TaskSettings
from jobs.errors import RedisDownError
from jobs.ledger import Ledger, steps
from jobs.ledger.accepted_answers import FOLDER, AcceptedAnswer, AcceptedAnswers
from jobs.ledger.script import run_all
from jobs.records import JobState, RequestId, TaskId
from jobs.redis.client import connect
from tests.driver import Driver, failure, rid
from tests.on_loop import OnLoop, call, gate_of
from tests.raw_server import Answer, Heard, RawServer, Wire, accepted, raw
from tests.runs.shop import TOKEN, open_shop
from tests.runs.vendor import Vendor
from worker.collect.schedule import PollSchedule
from worker.hidream.client import HiDreamClient
from worker.hidream.session import make_ssl_context
from worker.hidream.token_exchange import ApiKeyExchange
from worker.hidream.tokens import TokenSource
from worker.metrics import Metrics
from worker.submit.bodies import Bodies
from worker.submit.submission import Submission

PATIENT_S = 180
TAKEN = accepted("t-1", "s-1")


@pytest.fixture
def answers(tmp_path: Path) -> AcceptedAnswers:
    return AcceptedAnswers(tmp_path)


def outstanding(folder: Path) -> list[dict[str, Any]]:
    """The answers in the folder that nobody has written off."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((folder / FOLDER).glob("*.jsonl")):
        for entry in map(json.loads, filter(None, path.read_text().split("\n"))):
            if "recorded" in entry:
                found.pop(entry["recorded"], None)
            else:
                found[entry["key"]] = entry
    return list(found.values())


def files(folder: Path) -> list[Path]:
    return sorted((folder / FOLDER).glob("*"))


def end(answers: AcceptedAnswers) -> None:
    """Its process is gone, and its locks with it."""
    answers.leave()


def answer_to(driver: Driver, permit: Any, task: str = "t-1", **other: Any) -> AcceptedAnswer:
    fields = {
        "ledger_id": driver.ledger.ledger_id() or "",
        "request_id": permit.request_id,
        "claim": permit.claim,
        "task_id": TaskId(task),
        "sub_task_ids": ("s-1",),
        "first_poll_ms": 60_000,
    }
    return AcceptedAnswer(**(fields | other))


def wait_until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENT_S
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


# -- the folder ----------------------------------------------------------------------------------------------


def test_answers_stand_in_a_journal_of_their_owner_alone_until_the_ledger_has_them(
    driver: Driver, answers: AcceptedAnswers, tmp_path: Path
) -> None:
    driver.admit("a", ["x"])
    kept = answers.keep(answer_to(driver, driver.submitting()))
    answers.secure(kept)
    [path] = files(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry["task_id"] for entry in outstanding(tmp_path)] == ["t-1"]
    answers.forget(kept)
    assert outstanding(tmp_path) == []
    answers.forget(kept)


def test_a_journal_whose_process_lives_is_left_alone_and_goes_with_its_last_answer(
    driver: Driver, answers: AcceptedAnswers, tmp_path: Path
) -> None:
    driver.admit("a", ["x", "y"])
    for task in ("t-1", "t-2"):
        answers.keep(answer_to(driver, driver.submitting(), task))
    others = AcceptedAnswers(tmp_path)
    assert others.bring_in(driver.ledger) == 0, "it records them itself"
    end(answers)
    assert others.bring_in(driver.ledger) == 2
    assert files(tmp_path) == []


def test_a_disk_that_takes_nothing_does_not_bring_an_answer_in_twice(
    driver: Driver, answers: AcceptedAnswers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.admit("a", ["x"])
    answers.keep(answer_to(driver, driver.submitting()))
    end(answers)

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    monkeypatch.setattr(Path, "unlink", full)
    others = AcceptedAnswers(tmp_path)
    assert [others.bring_in(driver.ledger) for _ in range(3)] == [1, 0, 0]


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EBADF])
def test_a_file_system_without_locks_keeps_answers_and_lets_them_be_brought_in(
    driver: Driver, answers: AcceptedAnswers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def none(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", none)
    driver.admit("a", ["x"])
    assert answers.keep(answer_to(driver, driver.submitting()))
    assert answers.bring_in(driver.ledger) == 1
    assert outstanding(tmp_path) == []


def test_a_long_journal_does_not_wait_for_an_answer_that_stays(
    driver: Driver, answers: AcceptedAnswers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.ledger.accepted_answers.JOURNAL_BYTES", 400)
    driver.admit("a", ["x"])
    answer = answer_to(driver, driver.submitting())
    answers.keep(answer)
    for _ in range(20):
        answers.forget(answers.keep(answer))
    assert len(files(tmp_path)) == 2
    assert len(outstanding(tmp_path)) == 1
    assert AcceptedAnswers(tmp_path).bring_in(driver.ledger) == 1
    assert len(files(tmp_path)) == 1


def test_a_long_journal_that_is_done_with_gives_way_to_a_new_one(
    driver: Driver, answers: AcceptedAnswers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.ledger.accepted_answers.JOURNAL_BYTES", 400)
    driver.admit("a", ["x"])
    answer = answer_to(driver, driver.submitting())
    for _ in range(20):
        first, second = answers.keep(answer), answers.keep(answer)
        answers.forget(first)
        answers.forget(second)
    [path] = files(tmp_path)
    assert path.stat().st_size < 2_000


def test_a_journal_that_somebody_removed_is_begun_anew(
    driver: Driver, answers: AcceptedAnswers, tmp_path: Path
) -> None:
    driver.admit("a", ["x"])
    answer = answer_to(driver, driver.submitting())
    answers.forget(answers.keep(answer))
    [path] = files(tmp_path)
    path.unlink()
    answers.keep(answer)
    assert len(outstanding(tmp_path)) == 1


def test_a_line_that_the_disk_has_cut_off_spoils_no_other(
    driver: Driver, answers: AcceptedAnswers, tmp_path: Path
) -> None:
    driver.admit("a", ["x", "y"])
    answers.keep(answer_to(driver, driver.submitting(), "t-1"))
    [path] = files(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    answers.keep(answer_to(driver, driver.submitting(), "t-2"))
    end(answers)
    with structlog.testing.capture_logs() as events:
        assert answers.bring_in(driver.ledger) == 1
    assert sorted(each["event"] for each in events) == ["answer.adopted", "answer.unsaved"]


def test_a_file_that_an_earlier_version_left_is_brought_in(
    driver: Driver, answers: AcceptedAnswers, tmp_path: Path
) -> None:
    driver.admit("a", ["x"])
    answers.keep(answer_to(driver, driver.submitting()))
    [entry] = outstanding(tmp_path)
    end(answers)
    for path in files(tmp_path):
        path.unlink()
    del entry["key"]
    (tmp_path / FOLDER / f"{rid('x')}-01234567.json").write_text(json.dumps(entry))
    assert AcceptedAnswers(tmp_path).bring_in(driver.ledger) == 1
    assert driver.job(rid("x")).task_id == "t-1"
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_told_and_stops_nothing(driver: Driver, tmp_path: Path) -> None:
    driver.admit("a", ["x"])
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    answers = AcceptedAnswers(tmp_path)
    with structlog.testing.capture_logs() as events:
        path = answers.keep(answer_to(driver, driver.submitting()))
        answers.secure(path)
        answers.forget(path)
    assert path is None
    assert [each["event"] for each in events] == ["answer.unsaved"]
    assert events[0]["task_id"] == "t-1", "the log is the last place that knows it"


# -- bringing in ---------------------------------------------------------------------------------------------


def bring(driver: Driver, answers: AcceptedAnswers, answer: AcceptedAnswer) -> int:
    answers.keep(answer)
    end(answers)
    return answers.bring_in(driver.ledger)


def test_an_answer_whose_worker_died_is_recorded_as_if_it_lived(
    driver: Driver, answers: AcceptedAnswers, tmp_path: Path
) -> None:
    driver.admit("a", ["x"])
    permit = driver.submitting()
    assert bring(driver, answers, answer_to(driver, permit)) == 1
    job = driver.job(rid("x"))
    assert (job.state, job.task_id, job.sub_task_ids) == (JobState.SUBMITTED, "t-1", ("s-1",))
    assert driver.spent("a") == 1
    assert outstanding(tmp_path) == []
    assert answers.bring_in(driver.ledger) == 0


def unknown(driver: Driver, permit: Any) -> None:
    assert driver.ledger.run(steps.hold(permit.request_id, permit.claim, failure(kind="no_answer")))


def asked_again_by_a_person(driver: Driver, permit: Any) -> None:
    unknown(driver, permit)
    assert driver.ledger.run(steps.reopen(permit.request_id, JobState.UNKNOWN))


def given_up_as_unsent(driver: Driver, permit: Any) -> None:
    assert driver.ledger.run(steps.refuse(permit.request_id, permit.claim, failure(), answered=False))


@pytest.mark.parametrize("meanwhile", [unknown, asked_again_by_a_person, given_up_as_unsent])
def test_an_answer_that_comes_late_has_its_task_asked_for(
    driver: Driver, answers: AcceptedAnswers, tmp_path: Path, meanwhile: Callable[[Driver, Any], None]
) -> None:
    driver.admit("a", ["x"])
    permit = driver.submitting()
    meanwhile(driver, permit)
    assert bring(driver, answers, answer_to(driver, permit)) == 1
    job = driver.job(rid("x"))
    assert (job.state, job.task_id) == (JobState.SUBMITTED, "t-1")
    assert driver.ask().kind == "empty", "it is not bought again"
    assert list(driver.members("due")) == [rid("x")]
    assert outstanding(tmp_path) == []


def test_whoever_is_about_to_buy_it_again_asks_for_the_task_instead(
    driver: Driver, answers: AcceptedAnswers
) -> None:
    driver.admit("a", ["x"])
    first = driver.submitting()
    asked_again_by_a_person(driver, first)
    second = driver.granted()
    assert bring(driver, answers, answer_to(driver, first)) == 1
    assert driver.begin(second.request_id or "", second.claim) == "fenced"
    assert driver.job(rid("x")).task_id == "t-1"
    assert driver.spent("a") == 1


def test_the_id_of_a_task_whose_job_went_another_way_is_kept(
    driver: Driver, answers: AcceptedAnswers
) -> None:
    driver.admit("a", ["x"])
    first = driver.submitting()
    asked_again_by_a_person(driver, first)
    driver.submitted(task="t-2")
    for _ in range(2):
        assert bring(driver, answers, answer_to(driver, first)) == 1
    job = driver.job(rid("x"))
    assert (job.state, job.task_id, job.past_task_ids) == (JobState.SUBMITTED, "t-2", ("t-1",))


def test_an_answer_that_the_ledger_has_already_changes_nothing(
    driver: Driver, answers: AcceptedAnswers, tmp_path: Path
) -> None:
    driver.admit("a", ["x"])
    permit = driver.submitting()
    answer = answer_to(driver, permit)
    run_all(driver.ledger.run, answer.recording())
    before = driver.snapshot()
    assert bring(driver, answers, answer) == 1
    assert driver.snapshot() == before
    assert outstanding(tmp_path) == []


@pytest.mark.parametrize("other", [{"ledger_id": "another"}, {"request_id": RequestId("nobody's")}])
def test_an_answer_of_another_ledger_stays_where_it_is_and_is_told_once(
    driver: Driver, answers: AcceptedAnswers, tmp_path: Path, other: dict[str, Any]
) -> None:
    driver.admit("a", ["x"])
    permit = driver.submitting()
    before = driver.snapshot()
    answers.keep(answer_to(driver, permit, **({"claim": "none"} | other)))
    end(answers)
    with structlog.testing.capture_logs() as events:
        assert [answers.bring_in(driver.ledger) for _ in range(3)] == [0, 0, 0]
    assert [each["event"] for each in events] == ["answer.unsaved"]
    assert driver.snapshot() == before
    assert len(outstanding(tmp_path)) == 1


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"task_id": "t"}', b"\xff"])
def test_what_cannot_be_read_stays_and_is_told_once(
    driver: Driver, answers: AcceptedAnswers, tmp_path: Path, content: bytes
) -> None:
    driver.admit("a", ["x"])
    answers.keep(answer_to(driver, driver.submitting()))
    end(answers)
    files(tmp_path)[0].with_name("broken.json").write_bytes(content)
    with structlog.testing.capture_logs() as events:
        assert [answers.bring_in(driver.ledger) for _ in range(2)] == [1, 0], "the others are brought in"
    assert sorted(each["event"] for each in events) == ["answer.adopted", "answer.unsaved"]
    assert (tmp_path / FOLDER / "broken.json").read_bytes() == content


# -- Redis is away -------------------------------------------------------------------------------------------


@dataclass
class Far:
    """The ledger over an address that can be taken away."""

    ledger: Ledger
    near: Any
    link: Path
    socket: Path

    def cut(self) -> None:
        """Redis is away for whoever goes over this address."""
        self.link.unlink()
        for each in self.near.client_list():
            if each["name"] == self.link.name:
                self.near.client_kill_filter(_id=each["id"])

    def back(self) -> None:
        self.link.symlink_to(self.socket)

    def refuse_writes(self) -> None:
        self.near.config_set("maxmemory", "1")

    def take_writes(self) -> None:
        self.near.config_set("maxmemory", "0")


@pytest.fixture
def far(redis_settings: RedisSettings, redis_socket: Path, driver: Driver, tmp_path: Path) -> Iterator[Far]:
    link = redis_socket.parent / f"{tmp_path.name[-20:]}.sock"
    link.symlink_to(redis_socket)
    settings = redis_settings.model_copy(update={"url": SecretStr(f"unix://{link}")})
    client = connect(settings, db=settings.ledger_db, patience_s=0.2)
    client.client_setname(link.name)
    yield Far(Ledger(client, driver.ledger.prefix), driver.ledger.client, link, redis_socket)
    client.close()
    link.unlink(missing_ok=True)
    driver.ledger.client.config_set("maxmemory", "0")


@pytest.fixture
def desk_of(tmp_path: Path) -> Iterator[Callable[..., Submission]]:
    """A submission over a ledger, whose vendor does something and then accepts."""
    with ExitStack() as opened:

        def make(ledger: Ledger, before: Callable[[], None], then: Answer = TAKEN) -> Submission:
            name = ledger.client.client_getname()

            def answer(wire: Wire, heard: Heard) -> None:
                before()
                then(wire, heard)

            server = opened.enter_context(RawServer(answer))
            hidream = HiDreamSettings(base_url=server.url)
            context = make_ssl_context()
            exchange = ApiKeyExchange(settings=hidream, ssl_context=context)
            given = Credentials.model_validate({"token": "sk-desk"})
            tokens = TokenSource(credentials=given, exchange=exchange)
            client = OnLoop(lambda: HiDreamClient(hidream, tokens, context))
            opened.callback(client.aclose)
            gate = gate_of(ledger, LimitSettings(images_per_minute=1e9), submit_timeout_s=20, name=name)
            return Submission(
                gate=gate.itself,
                client=client.itself,
                bodies=Bodies(),
                schedule=PollSchedule(tasks=TaskSettings()),
                metrics=Metrics(),
                answers=AcceptedAnswers(tmp_path),
                notify_url=lambda _request_id: None,
            )

        yield make


def submit_next(desk: Submission) -> None:
    call(desk.submit_next())


@pytest.mark.parametrize(("away", "back"), [(Far.cut, Far.back), (Far.refuse_writes, Far.take_writes)])
def test_an_accepted_answer_is_kept_and_written_when_redis_is_back(
    far: Far, tmp_path: Path, desk_of: Callable[..., Submission], away: Any, back: Any
) -> None:
    driver = Driver(Ledger(far.near, far.ledger.prefix))
    driver.admit("a", ["x"], seal=True)
    thread = threading.Thread(target=submit_next, args=(desk_of(far.ledger, lambda: away(far)),))
    thread.start()
    wait_until(lambda: files(tmp_path))
    threading.Event().wait(1)
    assert driver.state(rid("x")) is JobState.SUBMITTING
    assert [entry["task_id"] for entry in outstanding(tmp_path)] == ["t-1"]
    back(far)
    thread.join(PATIENT_S)
    assert not thread.is_alive()
    job = driver.job(rid("x"))
    assert (job.state, job.task_id) == (JobState.SUBMITTED, "t-1")
    assert outstanding(tmp_path) == []


def test_any_other_answer_is_recorded_once_when_redis_is_back(
    driver: Driver, far: Far, desk_of: Callable[..., Submission]
) -> None:
    driver.admit("a", ["x"], seal=True)
    gone = threading.Event()

    def away() -> None:
        far.cut()
        gone.set()

    thread = threading.Thread(target=submit_next, args=(desk_of(far.ledger, away, raw(500)),))
    thread.start()
    assert gone.wait(PATIENT_S)
    threading.Event().wait(1)
    assert driver.state(rid("x")) is JobState.SUBMITTING
    far.back()
    thread.join(PATIENT_S)
    assert driver.state(rid("x")) is JobState.UNKNOWN
    assert driver.gate()["streak"] == "1"


def test_a_worker_that_is_told_to_end_leaves_its_answer_on_disk(
    driver: Driver, far: Far, tmp_path: Path, desk_of: Callable[..., Submission]
) -> None:
    driver.admit("a", ["x"], seal=True)
    desk = desk_of(far.ledger, far.cut)
    failed: list[type] = []

    def work() -> None:
        try:
            submit_next(desk)
        except RedisDownError as error:
            failed.append(type(error))

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: files(tmp_path))
    with pytest.raises(RedisDownError):
        call(desk.gate.stop())
    thread.join(PATIENT_S)
    assert failed == [RedisDownError]
    assert AcceptedAnswers(tmp_path).bring_in(driver.ledger) == 1
    assert driver.job(rid("x")).task_id == "t-1"


# -- a real worker -------------------------------------------------------------------------------------------


def test_a_worker_killed_between_answer_and_record_has_bought_it_once_and_for_all(
    tmp_path: Path, redis_socket: Path
) -> None:
    vendor = Vendor()
    vendor.token = TOKEN
    shop = open_shop(tmp_path, vendor)
    shop.env |= {
        "VTON_REDIS__URL": f"unix://{redis_socket}",
        "VTON_REDIS__PREFIX": "killed-after-the-answer",
        "VTON_OUTPUT_DIR": str(tmp_path / "out"),
        "VTON_DATA_DIR": str(tmp_path / ".vton"),
    }

    def worker(queue: str, **env: str) -> "subprocess.Popen[bytes]":
        argv = [sys.executable, "-m", "dramatiq", "worker.app", "-Q", queue, "-p", "1", "-t", "1"]
        with (tmp_path / f"{queue}.log").open("ab") as out:
            return subprocess.Popen(argv, cwd=tmp_path, env=shop.env | env, stdout=out, stderr=out)

    batch = shop.vton("enqueue", shop.urls(3)).out.partition(":")[0]
    killed = worker("submit", VTON_FAILPOINT="replied:2")
    try:
        killed.wait(PATIENT_S)
        assert len(outstanding(tmp_path / ".vton")) == 1
    finally:
        killed.kill()
    workers = [worker("submit"), worker("collect")]
    try:
        assert shop.vton("status", batch, "--watch").code == 0
    finally:
        for each in workers:
            each.send_signal(signal.SIGTERM)
        for each in workers:
            each.wait(PATIENT_S)
        vendor.close()
    assert json.loads(shop.vton("status", batch, "--json").out)["counts"] == {"succeeded": 3}
    assert set(vendor.bought().values()) == {1}
    assert len(vendor.submits) == 3
    assert outstanding(tmp_path / ".vton") == []
    said = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert "answer.adopted" in said
    assert "Traceback" not in said
