"""The steps of a job: what each one moves, and that whoever is out of date moves nothing."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jobs.config.settings import TaskSettings
from jobs.ledger import steps
from jobs.ledger.script import Call
from jobs.records import BatchId, JobState, RequestId, TaskId
from tests.driver import LEASE_MS, Answer, Driver, failure, picture, rid
from worker.collect.schedule import PollSchedule

OTHER = "somebody-else"


@pytest.fixture
def x(driver: Driver) -> RequestId:
    """One job of one sealed batch, waiting."""
    driver.admit("a", ["x"], seal=True)
    return rid("x")


# -- one job's way, from the line to its end -----------------------------------------------------------------


def test_a_job_goes_from_the_line_to_its_picture(driver: Driver, x: RequestId) -> None:
    permit = driver.granted()
    assert (driver.state(x), driver.line("a")) == (JobState.QUEUED, [])
    assert driver.begin(x, permit.claim) == "go"
    assert driver.state(x) is JobState.SUBMITTING
    taken = driver.ledger.run(steps.accept(x, permit.claim, TaskId("t"), ["s1", "s2"], first_poll_ms=9_000))
    assert (taken.recorded, taken.shared_with) == (True, None)
    job = driver.job(x)
    assert (job.state, job.task_id, job.sub_task_ids, job.attempts) == (
        JobState.SUBMITTED,
        "t",
        ("s1", "s2"),
        1,
    )
    assert job.submitted_ms is not None
    assert driver.members("due")[x] == job.submitted_ms + 9_000
    assert driver.members("leases")[x] == job.submitted_ms + 9_000 + LEASE_MS
    assert driver.members("posting") == {}
    assert driver.ledger.run(steps.ended(x, TaskId("t"), ["https://x/1", "https://x/2"], "callback", 8_000))
    assert driver.members("leases") == {}, "the slot is free before the pictures are fetched"
    assert driver.job(x).picture_urls == ("https://x/1", "https://x/2")
    assert driver.ledger.run(steps.succeed(x, [picture("1"), picture("2")], None))
    job = driver.job(x)
    assert (job.state, job.source, job.picture_urls) == (JobState.SUCCEEDED, "callback", ())
    assert [each.sha256 for each in job.pictures] == ["1", "2"]
    assert job.finished_ms is not None
    assert driver.members("due") == {}
    status = driver.ledger.status(BatchId("a"))
    assert (status.counts, status.completed_ms) == ({"succeeded": 1}, job.finished_ms)
    assert [(e.request_id, e.version) for e in driver.ledger.outbox(BatchId("a"), "0")] == [(x, job.version)]


def test_a_job_that_has_its_picture_keeps_what_is_read_of_it_and_no_more(
    driver: Driver, x: RequestId
) -> None:
    job = driver.submitted()
    task = job.task_id or TaskId("")
    driver.ledger.run(steps.defer(x, 1, odd="9", incomplete="s1", predicted_ms=5))
    driver.ledger.run(steps.defer(x, 1, answered=False, missing_since_ms=1))
    driver.ledger.run(steps.ended(x, task, ["https://x/a.jpg"], "poll", 12_000))
    assert driver.ledger.run(steps.succeed(x, [picture()], None, task_id=task))
    of_its_result = {"state", "v", "op", "pair", "refs", "task_id", "subs", "pictures", "attempts", "source"}
    times = {"queued_ms", "begun_ms", "submitted_ms", "ended_ms", "finished_ms"}
    assert driver.raw(x).keys() == of_its_result | times | {"paid_batch"}


def test_a_partial_result_tells_why_a_picture_is_missing(driver: Driver, x: RequestId) -> None:
    driver.submitted(task="t")
    assert driver.ledger.run(steps.ended(x, TaskId("t"), ["u"], "poll", None))
    assert driver.ledger.run(steps.succeed(x, [picture()], failure(kind="moderated")))
    told = driver.job(x).failure
    assert told is not None
    assert told.kind == "moderated"


def test_a_refusal_gives_the_money_and_the_slot_back(driver: Driver, x: RequestId) -> None:
    permit = driver.submitting()
    assert (driver.spent("a"), driver.spent_on()) == (1, 1)
    assert driver.ledger.run(steps.refuse(x, permit.claim, failure(retryable=False), answered=True))
    assert (driver.spent("a"), driver.spent_on()) == (0, 0)
    assert driver.members("leases") == driver.members("posting") == {}
    assert driver.state(x) is JobState.FAILED
    assert driver.ledger.status(BatchId("a")).complete


def test_an_unanswered_post_is_held_and_stays_counted_as_spent(driver: Driver, x: RequestId) -> None:
    driver.unknown()
    assert driver.state(x) is JobState.UNKNOWN
    assert driver.members("unknown").keys() == {x}
    assert driver.members("posting") == {}
    assert driver.members("leases").keys() == {x}, "a task may be running: its slot stays taken for a while"
    assert (driver.spent("a"), driver.spent_on()) == (1, 1)
    assert driver.ledger.status(BatchId("a")).complete


def test_a_failed_task_waits_before_the_next_one(driver: Driver, x: RequestId) -> None:
    job = driver.submitted(task="t")
    assert driver.ledger.run(steps.again(x, TaskId("t"), 2_000))
    again = driver.job(x)
    assert (again.state, again.task_id, again.task_failures, again.attempts) == (JobState.QUEUED, None, 1, 1)
    assert driver.line("a") == []
    assert driver.members("retry")[x] > (job.submitted_ms or 0)
    assert driver.members("leases") == driver.members("due") == {}
    assert driver.spent("a") == 1, "a task that HiDream failed was bought"
    assert driver.ask().kind == "empty"


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.REJECTED])
def test_a_task_that_brought_nothing_ends_the_job(driver: Driver, x: RequestId, state: JobState) -> None:
    driver.submitted()
    assert driver.ledger.run(steps.fail(x, failure(), state))
    assert driver.state(x) is state
    assert driver.members("leases") == driver.members("due") == {}
    assert driver.ledger.status(BatchId("a")).completed_ms == driver.job(x).finished_ms


def test_deferring_renews_the_lease_and_counts_the_poll(driver: Driver, x: RequestId) -> None:
    driver.submitted()
    driver.score("leases", x, 5)
    assert driver.ledger.run(steps.defer(x, 7_000))
    job = driver.job(x)
    assert job.polled_ms is not None
    assert (job.polls, job.unanswered) == (1, 0)
    assert driver.members("due")[x] == job.polled_ms + 7_000
    assert driver.members("leases")[x] == job.polled_ms + 7_000 + LEASE_MS


def test_polls_without_an_answer_are_counted_until_there_is_one(driver: Driver, x: RequestId) -> None:
    driver.submitted()
    for _ in range(2):
        assert driver.ledger.run(steps.defer(x, 7_000, answered=False))
    assert (driver.job(x).unanswered, driver.job(x).polled_ms) == (2, None)
    assert driver.ledger.run(steps.defer(x, 7_000))
    assert (driver.job(x).unanswered, driver.job(x).polls) == (0, 3)


def test_deferring_brings_a_lost_lease_back_since_the_task_runs(driver: Driver, x: RequestId) -> None:
    driver.submitted()
    driver.ledger.client.zrem(driver.ledger.key("leases"), x)
    assert driver.ledger.run(steps.defer(x, 7_000))
    assert driver.members("leases").keys() == {x}


def test_a_task_that_is_over_takes_no_slot_again_when_it_is_asked_once_more(
    driver: Driver, x: RequestId
) -> None:
    driver.submitted(task="t")
    assert driver.ledger.run(steps.ended(x, TaskId("t"), ["u"], "poll", None))
    assert driver.ledger.run(steps.ask_again(x, 1_500, fetches=1, failed_ms=1_000))
    assert driver.ledger.run(steps.defer(x, 7_000, answered=False))
    assert driver.members("leases") == {}


def test_pictures_that_cannot_be_fetched_now_are_due_later(driver: Driver, x: RequestId) -> None:
    driver.submitted(task="t")
    assert driver.ledger.run(steps.ended(x, TaskId("t"), ["u"], "poll", None))
    assert driver.ledger.run(steps.postpone(x, 1_500))
    assert (driver.members("due")[x], driver.job(x).picture_urls) == (1_500, ("u",))
    assert driver.ledger.run(steps.ask_again(x, 1_700, fetches=1, failed_ms=1_000))
    assert (driver.members("due")[x], driver.job(x).picture_urls) == (1_700, ())
    assert driver.job(x).ended_ms is not None, "how long it is fetched counts from the task's end"


def test_the_latency_of_a_task_is_learnt_once(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    job = driver.submitted()
    for latency in (10_000, 99_000):
        assert driver.ledger.run(steps.ended(job.request_id, job.task_id, ["u"], "poll", latency))
    gate = driver.gate()
    assert gate["lat_n"] == "1"
    assert float(gate["lat_mean"]) == pytest.approx(9.21034, abs=1e-4)
    other = driver.submitted()
    assert driver.ledger.run(steps.ended(other.request_id, other.task_id, ["u"], "poll", None))
    assert driver.gate()["lat_n"] == "1"


def test_how_far_off_a_tasks_progress_was_is_learnt_by_its_first_word(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    job = driver.submitted()
    for predicted_ms in (8_000, 9_900):
        assert driver.ledger.run(
            steps.defer(job.request_id, 1, task_id=job.task_id, predicted_ms=predicted_ms)
        )
    assert driver.ledger.run(steps.ended(job.request_id, job.task_id, ["u"], "poll", 10_000))
    latency = driver.ledger.run(steps.take_due(1)).latency
    assert latency is not None
    assert latency.predicted == 1
    assert latency.off_mean == pytest.approx(math.log(10_000 / 8_000), abs=1e-4)


def test_callbacks_are_relied_on_after_four_and_no_more_after_two_that_were_lost(driver: Driver) -> None:
    ends = ["callback"] * 12 + ["poll"] * 2
    driver.admit("a", [f"p{number}" for number in range(len(ends))])
    relied = []
    for source in ends:
        job = driver.submitted()
        assert driver.ledger.run(steps.ended(job.request_id, job.task_id, ["u"], source, 10_000))
        latency = driver.ledger.run(steps.take_due(1)).latency
        relied.append(PollSchedule(tasks=TaskSettings()).relies_on_callbacks(latency))
    assert relied == [False] * 3 + [True] * 10 + [False]


# -- who is out of date --------------------------------------------------------------------------------------


def test_a_wrong_claim_changes_nothing(driver: Driver, x: RequestId) -> None:
    permit = driver.granted()
    for stage in ("queued", "submitting", "unknown"):
        if stage == "submitting":
            assert driver.begin(x, permit.claim) == "go"
        if stage == "unknown":
            assert driver.ledger.run(steps.hold(x, permit.claim, failure()))
        assert driver.state(x) == stage
        before = driver.snapshot()
        assert driver.begin(x, OTHER) == "fenced"
        assert not driver.ledger.run(steps.accept(x, OTHER, TaskId("t"), [], first_poll_ms=1)).recorded
        assert not driver.ledger.run(steps.refuse(x, OTHER, failure(), answered=True))
        assert not driver.ledger.run(steps.hold(x, OTHER, failure()))
        for effect in ("none", "close", "throttle", "trip"):
            call = driver.give_back_call(x, OTHER, effect, "why", (1_000, 60_000))
            assert driver.ledger.run(call) == [0, 0, 0, 0]
        assert driver.snapshot() == before


def _of_task(task: str) -> list[Callable[[RequestId], Call[bool]]]:
    named = TaskId(task)
    return [
        lambda x: steps.ended(x, named, ["u"], "poll", 1_000),
        lambda x: steps.again(x, named, 2_000),
        lambda x: steps.defer(x, 2_000, task_id=named),
        lambda x: steps.postpone(x, 3_000, task_id=named),
        lambda x: steps.ask_again(x, 3_000, task_id=named, fetches=1, failed_ms=1),
        lambda x: steps.succeed(x, [picture()], None, task_id=named),
        lambda x: steps.fail(x, failure(), task_id=named),
        lambda x: steps.fail(x, failure(), JobState.REJECTED, task_id=named),
    ]


@pytest.mark.parametrize("step", range(8))
def test_news_of_a_former_task_changes_nothing(driver: Driver, x: RequestId, step: int) -> None:
    driver.submitted(task="first")
    assert driver.ledger.run(steps.again(x, TaskId("first"), 0))
    driver.score("retry", x, 0)
    driver.ledger.run(steps.reconcile(policy="hold", quiet_s=1))
    driver.submitted(task="second")
    before = driver.snapshot()
    assert not driver.ledger.run(_of_task("first")[step](x))
    assert driver.snapshot() == before
    assert driver.ledger.run(_of_task("second")[step](x))


@pytest.mark.parametrize("end", ["succeeded", "failed", "rejected", "cancelled"])
def test_a_final_state_is_overwritten_by_nobody(driver: Driver, x: RequestId, end: str) -> None:
    claim = "none"
    if end == "cancelled":
        assert driver.ledger.run(steps.cancel("a", x))
    else:
        job = driver.submitted(task="t")
        claim = driver.raw(x)["claim"]
        assert driver.ledger.run(steps.ended(x, job.task_id, ["u"], "poll", 1_000))
        if end == "succeeded":
            assert driver.ledger.run(steps.succeed(x, [picture()], None))
        else:
            assert driver.ledger.run(steps.fail(x, failure(), JobState(end)))
    before = driver.snapshot()
    for step in _of_task("t"):
        assert not driver.ledger.run(step(x))
    assert not driver.ledger.run(steps.accept(x, claim, TaskId("t2"), [], first_poll_ms=1)).recorded
    assert not driver.ledger.run(steps.refuse(x, claim, failure(), answered=True))
    assert not driver.ledger.run(steps.hold(x, claim, failure()))
    assert driver.ledger.run(driver.give_back_call(x, claim))[0] == 0
    assert driver.begin(x, claim) == "fenced"
    assert not driver.ledger.run(steps.cancel("a", x))
    # A task that is told of a job without one was bought: see test_hints.
    assert driver.ledger.run(steps.hint(x, None if end == "cancelled" else "t")), "it is known"
    driver.ledger.run(steps.reconcile(policy="resubmit", quiet_s=1))
    assert driver.snapshot() == before


def test_a_step_of_a_job_that_nobody_has_changes_nothing(driver: Driver) -> None:
    nobody = rid("nobody")
    for step in _of_task("t"):
        assert not driver.ledger.run(step(nobody))
    assert not driver.ledger.run(steps.accept(nobody, "c", TaskId("t"), [], first_poll_ms=1)).recorded
    assert not driver.ledger.run(steps.hint(nobody, "t"))
    assert not driver.ledger.run(steps.reopen(nobody, JobState.FAILED))
    assert not driver.ledger.run(steps.cancel("a", nobody))
    assert driver.snapshot() == {}


# -- scripts whose reply was lost, so that redis-py sends them again -----------------------------------------


def _replayed(driver: Driver, call: Call[Any]) -> Any:
    """Runs a call twice; the second time may change nothing but clocks, the count of polls and bells."""
    first = driver.ledger.run(call)
    before = _settled(driver.snapshot())
    again = driver.ledger.run(call)
    if isinstance(first, Answer):
        again = replace(again, now_ms=first.now_ms)
    assert again == first or isinstance(first, list)
    assert _settled(driver.snapshot()) == before
    return first


def _settled(snapshot: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_clocks(key.partition(":")[0], content)
        for key, content in snapshot.items()
        if key not in {"wakeups", "watch"}
    }


def _without_clocks(kind: str, content: Any) -> Any:
    if kind in {"due", "leases", "posting"}:
        return set(content)
    if kind == "job":
        return {name: value for name, value in content.items() if name not in {"polls", "polled_ms"}}
    return content


def test_a_script_sent_twice_is_one_step(driver: Driver, x: RequestId) -> None:
    permit = _replayed(driver, driver.ask_call("token-1"))
    assert permit.request_id == x
    _replayed(driver, driver.begin_call(x, "token-1"))
    _replayed(driver, steps.accept(x, "token-1", TaskId("t"), ["s"], first_poll_ms=5_000))
    assert driver.job(x).attempts == 1
    _replayed(driver, steps.defer(x, 1_000))
    _replayed(driver, steps.ended(x, TaskId("t"), ["u"], "poll", 12_000))
    _replayed(driver, steps.ask_again(x, 6_000, fetches=1, failed_ms=5_000))
    _replayed(driver, steps.postpone(x, 6_000))
    _replayed(driver, steps.again(x, TaskId("t"), 1_000))
    assert driver.job(x).task_failures == 1
    driver.score("retry", x, 0)
    driver.ledger.run(steps.reconcile(policy="hold", quiet_s=1))
    assert driver.line("a") == [x]
    driver.submitted(task="t2")
    _replayed(driver, steps.fail(x, failure()))
    assert len(driver.ledger.outbox(BatchId("a"), "0")) == 1


@pytest.mark.parametrize("effect", ["none", "close", "throttle", "trip"])
def test_a_permit_given_back_twice_is_given_back_once(driver: Driver, x: RequestId, effect: str) -> None:
    permit = driver.submitting()
    call = driver.give_back_call(x, permit.claim, effect, "why", (0, 60_000))
    driver.ledger.run(call)
    before = driver.snapshot()
    assert driver.ledger.run(call)[0] == 1
    assert driver.snapshot() == before
    assert (driver.line("a"), driver.spent("a")) == ([x], 0)


def test_an_old_script_that_comes_late_changes_nothing(driver: Driver, x: RequestId) -> None:
    permit = driver.submitting()
    late: list[Call[Any]] = [
        steps.hold(x, permit.claim, failure()),
        steps.refuse(x, permit.claim, failure(), answered=True),
        driver.give_back_call(x, permit.claim),
    ]
    driver.ledger.run(late[-1])
    driver.submitted(task="t2")
    before = driver.snapshot()
    for call in late:
        driver.ledger.run(call)
    assert driver.snapshot() == before


# -- a worker that was away, and tasks that are two jobs' ----------------------------------------------------


def test_a_late_record_is_adopted_while_the_claim_is_its_own(driver: Driver, x: RequestId) -> None:
    permit = driver.submitting()
    driver.score("posting", x, 0)
    assert driver.ledger.run(steps.reconcile(policy="hold", quiet_s=1)).unknown == (x,)
    assert driver.ledger.run(steps.accept(x, permit.claim, TaskId("t"), [], first_poll_ms=1)).recorded
    job = driver.job(x)
    assert (job.state, job.failure, job.finished_ms) == (JobState.SUBMITTED, None, None)
    assert driver.members("unknown") == {}
    assert driver.members("leases").keys() == {x}
    assert driver.ledger.status(BatchId("a")).completed_ms is None


def test_a_worker_that_comes_late_and_was_refused_puts_its_job_back_into_the_line(
    driver: Driver, x: RequestId
) -> None:
    permit = driver.submitting()
    driver.score("posting", x, 0)
    driver.ledger.run(steps.reconcile(policy="hold", quiet_s=1))
    assert driver.ledger.run(driver.give_back_call(x, permit.claim, "close", "503", (1, 1)))[0] == 1
    assert (driver.state(x), driver.line("a"), driver.spent("a")) == (JobState.QUEUED, [x], 0)
    assert driver.job(x).failure is None
    assert driver.members("unknown") == driver.members("leases") == {}
    assert driver.ledger.status(BatchId("a")).completed_ms is None


def test_a_late_record_is_fenced_when_the_job_was_bought_again(driver: Driver, x: RequestId) -> None:
    permit = driver.unknown()
    assert driver.ledger.run(steps.reopen(x, JobState.UNKNOWN))
    driver.submitted(task="t2")
    before = driver.snapshot()
    assert not driver.ledger.run(steps.accept(x, permit.claim, TaskId("t1"), [], first_poll_ms=1)).recorded
    assert driver.snapshot() == before


def test_a_task_given_to_two_jobs_holds_both(driver: Driver) -> None:
    driver.admit("a", ["x", "y"], seal=True)
    first = driver.submitted(task="t")
    permit = driver.submitting()
    call = steps.accept(permit.request_id, permit.claim, TaskId("t"), [], first_poll_ms=1)
    taken = driver.ledger.run(call)
    assert (taken.recorded, taken.shared_with) == (False, first.request_id)
    for name in "xy":
        job = driver.job(rid(name))
        assert job.state is JobState.UNKNOWN
        assert job.failure is not None
        assert (job.failure.kind, job.failure.retryable) == ("task_shared", False)
    assert driver.members("leases") == driver.members("due") == {}
    assert driver.members("unknown").keys() == {rid("x"), rid("y")}
    driver.score("unknown", rid("x"), 0)
    driver.score("unknown", rid("y"), 0)
    assert driver.ledger.run(steps.reconcile(policy="resubmit", quiet_s=1)).resubmitted == ()
    assert driver.counts("a") == {"unknown": 2}


def test_a_job_held_for_a_shared_task_is_not_revived_by_a_late_script(driver: Driver) -> None:
    driver.admit("a", ["x", "y"], seal=True)
    permit = driver.submitting()
    accept = steps.accept(permit.request_id, permit.claim, TaskId("t"), [], first_poll_ms=1)
    driver.ledger.run(accept)
    assert driver.ledger.run(steps.postpone(permit.request_id, 2))
    other = driver.submitting()
    driver.ledger.run(steps.accept(other.request_id, other.claim, TaskId("t"), [], first_poll_ms=1))
    before = driver.snapshot()
    assert not driver.ledger.run(accept).recorded
    assert driver.snapshot() == before


def test_a_picture_already_had_survives_a_task_id_given_twice(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    job = driver.submitted(task="t")
    driver.ledger.run(steps.ended(job.request_id, TaskId("t"), ["u"], "poll", None))
    driver.ledger.run(steps.succeed(job.request_id, [picture()], None))
    permit = driver.submitting()
    driver.ledger.run(steps.accept(permit.request_id, permit.claim, TaskId("t"), [], first_poll_ms=1))
    assert driver.counts("a") == {"succeeded": 1, "unknown": 1}


def test_a_step_of_a_job_whose_version_is_no_number_is_not_left_half_done(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    permit = driver.granted()
    driver.ledger.client.hset(driver.ledger.key("job", rid("x")), "v", "three")
    assert driver.ledger.run(steps.refuse(permit.request_id, permit.claim, failure(), answered=False))
    assert driver.counts("a") == {"failed": 1}
    assert driver.ledger.status(BatchId("a")).complete
    assert driver.members("leases") == driver.members("posting") == {}
    assert driver.ledger.outbox(BatchId("a"), "0")[-1].version == driver.job(rid("x")).version == 1
