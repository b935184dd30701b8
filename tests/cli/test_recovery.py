"""`vton recover`: what results still know comes into a ledger that has lost it, and never costs anything."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from jobs.cli.recovery import recover_batch
from jobs.ledger import steps
from jobs.producing.planning import Planned, Planner, admission
from jobs.records import BatchId, JobState, LocalFile, Picture, RequestId, Row, TaskId, Url
from tests.driver import Driver, failure, pair, rid

PICTURE = b"a picture"
DIGEST = sha256(PICTURE).hexdigest()


def line(name: str, status: str, task: str | None = None, **more: Any) -> dict[str, Any]:
    """A result line as the exporter writes it."""
    return {
        "batch": "a",
        "row": 1,
        "line": 2,
        "sku": name,
        "request_id": rid(name),
        "status": status,
        "task_id": task,
        "sub_task_ids": ["s1"] if task else [],
        "attempts": 1 if task else 0,
        "images": [],
        "error": None,
        "timings": {
            "queued_at": "2026-11-27T01:00:00.000Z",
            "submitted_at": None,
            "finished_at": None,
            "task_s": None,
        },
        "source": None,
        "inputs": {"person": f"https://shop.example/{name}.jpg", "dress": "https://shop.example/d.jpg"},
        "extra": {},
    } | more


def lost(kind: str, *, retryable: bool = True) -> dict[str, Any]:
    return {"class": kind, "code": None, "message": "why", "retryable": retryable, "owner": "vendor"}


IMAGE = {
    "path": "images/x_0001.jpg",
    "url": "https://cdn/x",
    "sha256": DIGEST,
    "width": 8,
    "height": 9,
    "bytes": len(PICTURE),
}


class Results:
    """A batch folder and a picture store."""

    def __init__(self, root: Path) -> None:
        self.folder, self.store = root / "out" / "a", root / "pictures"
        (self.folder / "images").mkdir(parents=True)

    def hold(self, *lines: dict[str, Any]) -> None:
        (self.folder / "results.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))

    def picture(self, content: bytes = PICTURE) -> Path:
        path = self.folder / "images" / "x_0001.jpg"
        path.write_bytes(content)
        return path

    @property
    def stored(self) -> Path:
        return self.store / DIGEST[:2] / f"{DIGEST}.jpg"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path)


def bring(driver: Driver, results: Results, *lines: dict[str, Any]) -> dict[str, int]:
    results.hold(*lines)
    return dict(recover_batch(driver.ledger, results.folder, results.store))


def test_a_bought_picture_is_not_bought_again(driver: Driver, results: Results) -> None:
    results.picture()
    assert bring(driver, results, line("x", "succeeded", "t1", images=[IMAGE])) == {"succeeded": 1}
    assert results.stored.read_bytes() == PICTURE
    admitted = driver.admit("a", ["x"], seal=True)
    assert (admitted.reused, admitted.queued) == (1, ())
    job = driver.job(rid("x"))
    assert job.pair == pair("x")
    assert (job.state, job.task_id, job.sub_task_ids, job.attempts) == (JobState.SUCCEEDED, "t1", ("s1",), 1)
    assert job.pictures[0].name == f"{DIGEST}.jpg"
    assert driver.counts("a") == {"succeeded": 1}
    assert driver.ask().kind == "empty"


def test_a_picture_that_is_gone_or_not_whole_is_asked_for_by_its_task(
    driver: Driver, results: Results
) -> None:
    results.picture(PICTURE[:4])
    assert bring(driver, results, line("x", "succeeded", "t1", images=[IMAGE])) == {"submitted": 1}
    assert driver.admit("a", ["x"], seal=True).queued == ()
    due = driver.ledger.run(steps.take_due(10)).jobs
    assert [(job.request_id, job.task_id) for job in due] == [(rid("x"), "t1")]
    assert driver.ask().kind == "empty"


@pytest.mark.parametrize("kind", ["picture_lost", "task_lost", "task_timeout", "picture_missing"])
def test_a_paid_loss_is_asked_for_by_its_task(driver: Driver, results: Results, kind: str) -> None:
    assert bring(driver, results, line("x", "failed", "t1", error=lost(kind))) == {"submitted": 1}
    assert driver.admit("a", ["x"]).queued == ()


@pytest.mark.parametrize("status", ["unknown", "submitting"])
def test_what_may_have_been_bought_waits_for_a_person(driver: Driver, results: Results, status: str) -> None:
    error = lost("no_answer") if status == "unknown" else None
    assert bring(driver, results, line("x", status, error=error)) == {"unknown": 1}
    assert driver.admit("a", ["x"], seal=True).queued == ()
    assert driver.counts("a") == {"unknown": 1}
    assert rid("x") in driver.members("unknown")


def test_what_ended_without_a_picture_keeps_its_reason_and_its_task(driver: Driver, results: Results) -> None:
    error = lost("moderated", retryable=False)
    assert bring(driver, results, line("x", "rejected", "t1", error=error)) == {"rejected": 1}
    driver.admit("a", ["x"], seal=True)
    job = driver.job(rid("x"))
    assert (job.state, job.task_id) == (JobState.REJECTED, "t1")
    assert job.failure is not None
    assert job.failure.kind == "moderated"


def test_what_was_surely_not_bought_is_left_out(driver: Driver, results: Results) -> None:
    lines = [
        line("x", "failed", error=lost("not_sent")),
        line("y", "queued"),
        line("", "invalid", request_id=None),
    ]
    assert bring(driver, results, *lines, {"checkpoint": "1-1", "ledger": "l"}) == {}
    assert len(driver.admit("a", ["x", "y"]).queued) == 2


def test_a_torn_line_is_counted_and_the_others_come_in(driver: Driver, results: Results) -> None:
    bring(driver, results, line("x", "unknown", error=lost("no_answer")))
    with (results.folder / "results.jsonl").open("a") as file:
        file.write('{"request_id": "half')
    assert recover_batch(driver.ledger, results.folder, results.store) == {"known": 1, "unreadable": 1}


# -- into an older ledger that knows the jobs ----------------------------------------------------------------


def test_waiting_jobs_of_an_older_ledger_end_as_the_results_say(driver: Driver, results: Results) -> None:
    driver.admit("a", ["x", "y", "z"], seal=True)
    results.picture()
    found = bring(
        driver,
        results,
        line("x", "succeeded", "t1", images=[IMAGE]),
        line("y", "failed", "t2", error=lost("task_lost")),
        line("z", "unknown", error=lost("no_answer")),
    )
    assert found == {"succeeded": 1, "submitted": 1, "unknown": 1}
    assert driver.counts("a") == {"succeeded": 1, "submitted": 1, "unknown": 1}
    assert driver.ask().kind == "empty", "their places in the line are worth nothing"
    assert {entry.request_id for entry in driver.ledger.outbox(driver.ledger.batches()[0], "0")} == {
        rid("x"),
        rid("z"),
    }


def test_the_second_time_changes_nothing(driver: Driver, results: Results) -> None:
    results.picture()
    lines = [
        line("x", "succeeded", "t1", images=[IMAGE]),
        line("y", "failed", "t2", error=lost("task_lost")),
        line("z", "unknown", error=lost("no_answer")),
    ]
    bring(driver, results, *lines)
    before = driver.snapshot()
    assert bring(driver, results, *lines) == {"known": 3}
    assert driver.snapshot() == before


def test_a_ledger_that_knows_more_is_left_as_it_is(driver: Driver, results: Results) -> None:
    driver.admit("a", ["x", "y", "z"], seal=True)
    done, under_way = driver.succeeded(), driver.submitted()
    posting = driver.submitting()
    before = driver.snapshot()
    names = {rid(name): name for name in "xyz"}
    found = bring(
        driver,
        results,
        line(names[done.request_id], "unknown", error=lost("no_answer")),
        line(names[under_way.request_id], "failed", under_way.task_id, error=lost("task_lost")),
        line(names[posting.request_id], "unknown", error=lost("no_answer")),
    )
    assert found == {"known": 3}
    assert driver.snapshot() == before


def test_a_task_of_another_job_is_not_taken_over(driver: Driver, results: Results) -> None:
    driver.admit("a", ["x"])
    driver.submitted(task="t1")
    assert bring(driver, results, line("y", "failed", "t1", error=lost("task_lost"))) == {"clash": 1}
    assert driver.ledger.jobs([rid("y")]) == {}


def test_an_earlier_task_is_kept_beside_the_one_the_results_know(driver: Driver, results: Results) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.submitted(task="t1")
    driver.ledger.run(steps.fail(RequestId(rid("x")), failure(), task_id=TaskId("t1")))
    results.picture()
    bring(driver, results, line("x", "succeeded", "t2", images=[IMAGE]))
    job = driver.job(rid("x"))
    assert (job.state, job.task_id, job.past_task_ids) == (JobState.SUCCEEDED, "t2", ("t1",))
    assert isinstance(job.pictures[0], Picture)
    assert driver.counts("a") == {"succeeded": 1}


# -- beside a ledger, or lines, that are newer ---------------------------------------------------------------


def test_an_end_before_the_last_post_does_not_make_an_unknown_job_one_to_buy(
    driver: Driver, results: Results
) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.submitted(task="t1")
    driver.ledger.run(steps.fail(RequestId(rid("x")), failure(), task_id=TaskId("t1")))
    driver.admit("b", ["x"], seal=True)
    driver.unknown()
    assert bring(driver, results, line("x", "failed", "t1", error=lost("task_failed"))) == {"known": 1}
    assert driver.state(rid("x")) is JobState.UNKNOWN
    assert driver.admit("c", ["x"]).queued == ()


@pytest.mark.parametrize(
    "newer", [{"past_task_ids": ["t1"]}, {"timings": {"posted_at": "2026-11-27T03:00:00.000Z"}}]
)
def test_the_last_line_of_a_row_that_was_sent_again_counts(
    driver: Driver, results: Results, newer: dict[str, Any]
) -> None:
    ended = {"timings": {"finished_at": "2026-11-27T02:00:00.000Z"}}
    first = line("x", "failed", "t1", error=lost("task_failed"), **ended)
    then = line("x", "unknown", error=lost("no_answer"), **newer)
    assert bring(driver, results, first, then) == {"failed": 1, "unknown": 1}
    assert driver.state(rid("x")) is JobState.UNKNOWN
    assert driver.job(rid("x")).past_task_ids == ("t1",)
    assert driver.admit("a", ["x"]).queued == ()
    assert bring(driver, results, first, then) == {"known": 2}


def test_a_task_that_was_bought_anew_is_not_given_up_for_the_former_one(
    driver: Driver, results: Results
) -> None:
    driver.admit("a", ["x"], seal=True)
    for task, anew in (("t1", True), ("t2", False)):
        driver.submitted(task=task)
        driver.ledger.run(steps.fail(RequestId(rid("x")), failure(kind="task_lost"), task_id=TaskId(task)))
        if anew:
            driver.ledger.run(steps.reopen(RequestId(rid("x")), JobState.FAILED, "a", anew=True))
    assert bring(driver, results, line("x", "failed", "t1", error=lost("task_lost"))) == {"known": 1}
    assert (driver.job(rid("x")).task_id, driver.job(rid("x")).past_task_ids) == ("t2", ("t1",))


def test_former_tasks_of_the_ledger_and_of_the_results_are_all_kept(driver: Driver, results: Results) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.submitted(task="t1")
    driver.ledger.run(steps.fail(RequestId(rid("x")), failure(kind="task_lost"), task_id=TaskId("t1")))
    newer = line("x", "failed", "t3", error=lost("task_lost"), past_task_ids=["t2"])
    assert bring(driver, results, newer) == {"submitted": 1}
    assert (driver.job(rid("x")).task_id, driver.job(rid("x")).past_task_ids) == ("t3", ("t1", "t2"))


@pytest.mark.parametrize("now", ["the same", "another", "gone"])
@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_no_file_is_sent_for_a_recovered_job_but_what_a_manifest_asks_for(
    driver: Driver, results: Results, tmp_path: Path, status: str, now: str
) -> None:
    source = LocalFile(path=str(tmp_path / "p.jpg"), sha256=DIGEST, jpeg="80x120")
    inputs = {"person": "p.jpg", "dress": "https://shop.example/d.jpg"}
    planner = Planner(lambda text: Url(url=text) if "://" in text else source)
    planned = planner.plan(Row(number=1, line=2, sku="x", inputs=inputs, fields={}))
    assert isinstance(planned, Planned)
    if now != "gone":
        (tmp_path / "p.jpg").write_bytes(PICTURE if now == "the same" else b"another")
    if status == "succeeded":
        results.picture()
    more = {"images": [IMAGE]} if status == "succeeded" else {"error": lost("task_timeout")}
    held = {"request_id": planned.request_id, "inputs": inputs | {"person": source.path}}
    bring(driver, results, line("x", status, "t-1", **more, **held))
    brought = driver.job(planned.request_id).pair
    assert brought.person == LocalFile(path=source.path, sha256=""), "a worker refuses it"
    driver.ledger.open_batch(BatchId("a"))
    driver.ledger.admit(BatchId("a"), [admission(planned)])
    assert driver.job(planned.request_id).pair == planned.pair
