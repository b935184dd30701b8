"""What is pruned is forgotten, but not that it was bought: nothing is bought twice because of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from jobs.ledger import Ledger, RowFate, pruning, steps
from jobs.ledger.codec import encode
from jobs.ledger.pruning import Begun
from jobs.ledger.recovery import Finding, bring_in
from jobs.producing.control import Wanted as Retry
from jobs.records import BatchId, JobState, TaskId
from jobs.results.pruning import Wanted, prune, survey
from tests.conftest import flush
from tests.driver import Driver, failure, pair, rid, row

DAY_MS = 86_400_000
OLD = Wanted(older_than_ms=90 * DAY_MS)


def pass_days(driver: Driver, days: int = 100) -> None:
    """The ledger's time goes on."""
    now = datetime.fromtimestamp(driver.ledger.now_ms() / 1000, UTC)
    driver.time_is((now + timedelta(days=days)).isoformat())


def rest(driver: Driver, batch: str) -> None:
    """The batch's files are written."""
    assert driver.ledger.deactivate(BatchId(batch), driver.ledger.last_entry(BatchId(batch)))


def bought(driver: Driver, batch: str = "a", *names: str) -> None:
    """A batch whose pairs have their pictures."""
    driver.admit(batch, names or ["x"], seal=True)
    for _ in names or ["x"]:
        driver.succeeded()
    rest(driver, batch)


def pruned(driver: Driver, tmp_path, wanted: Wanted = OLD):
    return prune(driver.ledger, survey(driver.ledger, wanted), tmp_path, wanted)


def kinds(driver: Driver) -> set[str]:
    return {key.split(":")[0] for key in driver.snapshot()}


def test_of_a_batch_that_goes_only_the_memory_of_what_was_bought_stays(driver: Driver, tmp_path) -> None:
    bought(driver, "a", "x", "y")
    pass_days(driver)
    gone = pruned(driver, tmp_path)
    assert (list(gone.batches), gone.rows, gone.jobs, gone.held) == (["a"], 2, 2, {})
    left = kinds(driver)
    assert left.isdisjoint({"job", "batch", "rows", "out", "left", "queued", "batches", "pruning", "tasks"})
    assert "memory" in left
    assert driver.ledger.batches() == []


def test_a_pair_that_was_pruned_is_not_bought_again_and_says_when_it_was(driver: Driver, tmp_path) -> None:
    driver.time_is("2026-03-04T05:06:07+00:00")
    bought(driver)
    pass_days(driver)
    pruned(driver, tmp_path)
    assert driver.ledger.fates(BatchId("b"), [row(1, "x"), row(2, "z")]) == [
        RowFate.BOUGHT_BEFORE,
        RowFate.NEW,
    ]
    admitted = driver.admit("b", ["x", "x", "z"], seal=True)
    assert (admitted.queued, admitted.duplicate) == ((rid("z"),), 1)
    job = driver.job(rid("x"))
    assert (job.state, job.task_id, job.pair, job.bought_before) == (
        JobState.FAILED,
        "task-1",
        pair("x"),
        True,
    )
    assert job.failure is not None
    assert not job.failure.retryable
    assert "Bought on 2026-03-04" in job.failure.message
    assert "vton retry" in job.failure.message
    assert driver.counts("b") == {"failed": 2, "queued": 1}
    assert driver.ledger.fates(BatchId("c"), [row(1, "x")]) == [RowFate.ENDED]
    driver.succeeded()
    assert driver.ask().kind == "empty"
    assert driver.ledger.status(BatchId("b")).complete


@pytest.mark.parametrize("known", [True, False], ids=["alias", "older id"])
def test_a_pair_that_was_bought_under_an_older_id_is_known_too(driver: Driver, tmp_path, known) -> None:
    bought(driver)
    newer = structs.replace(row(1, "y"), former_ids=f"{rid('w')} {rid('x')}", pair=row(1, "x").pair)
    if known:
        driver.admit("b", [], seal=False)
        driver.ledger.admit(BatchId("b"), [newer])
        driver.ledger.seal(BatchId("b"))
        rest(driver, "b")
    pass_days(driver)
    pruned(driver, tmp_path)
    assert driver.ledger.jobs([rid("x")]) == {}
    assert driver.ledger.fates(BatchId("c"), [newer]) == [RowFate.BOUGHT_BEFORE]
    driver.ledger.open_batch(BatchId("c"))
    assert driver.ledger.admit(BatchId("c"), [newer]).queued == ()
    assert driver.job(rid("x")).bought_before


def test_a_person_buys_it_anew_and_its_old_task_is_kept(driver: Driver, tmp_path) -> None:
    bought(driver)
    pass_days(driver)
    pruned(driver, tmp_path)
    driver.admit("b", ["x"], seal=True)
    job = driver.job(rid("x"))
    assert not Retry(failed=True).includes(job)
    assert Retry(lost=True).buys(job)
    assert driver.ledger.run(steps.reopen(rid("x"), JobState.FAILED, "b", anew=True))
    assert driver.job(rid("x")).past_task_ids == ("task-1",)
    driver.succeeded()
    assert driver.counts("b") == {"succeeded": 1}
    rest(driver, "b")
    pass_days(driver)
    pruned(driver, tmp_path)
    driver.admit("c", ["x"])
    job = driver.job(rid("x"))
    assert {job.task_id, *job.past_task_ids} == {"task-1", "task-2"}


def test_what_is_there_again_without_a_picture_is_pruned_as_what_it_was(driver: Driver, tmp_path) -> None:
    driver.time_is("2026-03-04T05:06:07+00:00")
    bought(driver)
    for batch in "bc":
        pass_days(driver)
        pruned(driver, tmp_path)
        driver.admit(batch, ["x"], seal=True)
        assert "Bought on 2026-03-04" in str(driver.job(rid("x")).failure)
        rest(driver, batch)


def test_a_job_that_another_batch_wants_stays_with_its_picture(driver: Driver, tmp_path) -> None:
    bought(driver)
    pass_days(driver)
    driver.admit("b", ["x"], seal=True)
    assert (pruned(driver, tmp_path).jobs, driver.ledger.batches()) == (0, ["b"])
    job = driver.job(rid("x"))
    assert (job.state, job.refs) == (JobState.SUCCEEDED, {"b": (1,)})
    assert driver.counts("b") == {"succeeded": 1}


def test_a_batch_that_was_given_again_lately_stays(driver: Driver, tmp_path) -> None:
    bought(driver)
    pass_days(driver)
    driver.ledger.open_batch(BatchId("a"))
    rest(driver, "a")
    assert pruned(driver, tmp_path).batches == {}
    assert driver.counts("a") == {"succeeded": 1}


def test_what_has_not_ended_or_is_not_written_stays(driver: Driver, tmp_path) -> None:
    driver.admit("open", ["w"], seal=True)
    driver.submitted()
    driver.admit("unread", ["v"])
    driver.succeeded()
    driver.admit("unwritten", ["u"], seal=True)
    driver.succeeded()
    pass_days(driver)
    before = driver.snapshot()
    gone = pruned(driver, tmp_path)
    assert gone.held == {"open": Begun.OPEN, "unread": Begun.OPEN, "unwritten": Begun.UNEXPORTED}
    after = driver.snapshot()
    assert {key: before[key] for key in before if not key.startswith("batch:")} == {
        key: after[key] for key in after if not key.startswith("batch:")
    }


def doubtful(driver: Driver, kind: str) -> None:
    driver.admit("a", ["x", "y"], seal=True)
    if kind == "unknown":
        driver.unknown()
    else:
        driver.submitted(task="lost")
        driver.ledger.run(steps.fail(rid("x"), failure(kind="task_lost")))
    driver.succeeded()
    rest(driver, "a")
    pass_days(driver)


@pytest.mark.parametrize("kind", ["unknown", "lost"])
def test_what_may_have_been_bought_goes_by_a_persons_word_only_and_is_still_known(
    driver: Driver, tmp_path, kind: str
) -> None:
    doubtful(driver, kind)
    assert pruned(driver, tmp_path).held == {"a": Begun(kind)}
    assert driver.ledger.batches() == ["a"]
    word = Wanted(older_than_ms=OLD.older_than_ms, **{kind: True})
    assert list(pruned(driver, tmp_path, word).batches) == ["a"]
    assert driver.members("unknown") == {}
    assert driver.admit("b", ["x", "y"], seal=True).queued == ()
    assert "Perhaps bought" in str(driver.job(rid("x")).failure)
    assert driver.job(rid("x")).task_id == ("lost" if kind == "lost" else None)


def test_a_late_answer_about_a_pruned_job_is_kept(driver: Driver, tmp_path) -> None:
    doubtful(driver, "unknown")
    pruned(driver, tmp_path, Wanted(older_than_ms=OLD.older_than_ms, unknown=True))
    assert driver.ledger.run(steps.keep_task(rid("x"), TaskId("late"), [], ledger_id="")) == "past"
    driver.admit("b", ["x"])
    assert driver.job(rid("x")).task_id == "late"
    assert str(driver.job(rid("x")).failure).count("Perhaps") == 0


def test_a_late_callback_about_a_pruned_job_adds_its_task(driver: Driver, tmp_path) -> None:
    doubtful(driver, "unknown")
    pruned(driver, tmp_path, Wanted(older_than_ms=OLD.older_than_ms, unknown=True))
    assert driver.ledger.run(steps.hint(rid("x"), "late"))
    assert not driver.ledger.run(steps.hint(rid("z"), "late"))
    driver.admit("b", ["x"])
    assert driver.job(rid("x")).task_id == "late"


@pytest.mark.parametrize(
    ("known", "brought"), [(JobState.SUCCEEDED, 1), (JobState.FAILED, 0), (JobState.SUBMITTED, 1)]
)
def test_of_a_pruned_job_only_its_picture_is_brought_in(driver: Driver, tmp_path, known, brought) -> None:
    bought(driver)
    pass_days(driver)
    pruned(driver, tmp_path)
    finding = Finding(
        request_id=rid("x"),
        state=known,
        task_id=TaskId("older"),
        pair=row(1, "x").pair,
        fields={"failure": encode(failure(retryable=True))} if known is JobState.FAILED else {},
    )
    assert driver.ledger.run(bring_in(finding)) == brought
    assert driver.admit("b", ["x"]).queued == ()


def test_what_moderation_rejected_is_still_not_sent_again(driver: Driver, tmp_path) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.submitted(task="t")
    driver.ledger.run(steps.fail(rid("x"), failure(kind="moderated", retryable=False), JobState.REJECTED))
    rest(driver, "a")
    pass_days(driver)
    pruned(driver, tmp_path)
    assert driver.ledger.fates(BatchId("b"), [row(1, "x")]) == [RowFate.ENDED]
    assert driver.admit("b", ["x"]).queued == ()
    assert (driver.job(rid("x")).state, driver.job(rid("x")).task_id) == (JobState.REJECTED, "t")


def test_what_hidream_failed_may_be_bought_and_its_tasks_are_kept(driver: Driver, tmp_path) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.failed(retryable=True)
    rest(driver, "a")
    pass_days(driver)
    pruned(driver, tmp_path)
    assert driver.ledger.fates(BatchId("b"), [row(1, "x")]) == [RowFate.AGAIN]
    assert driver.admit("b", ["x"]).queued == (rid("x"),)
    assert driver.job(rid("x")).past_task_ids == ("task-1",)


def test_what_was_never_taken_leaves_nothing(driver: Driver, tmp_path) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.ledger.run(steps.cancel("a", rid("x")))
    rest(driver, "a")
    pass_days(driver)
    pruned(driver, tmp_path)
    assert "memory" not in kinds(driver)
    assert driver.ledger.fates(BatchId("b"), [row(1, "x")]) == [RowFate.NEW]


def test_a_job_that_rows_have_left_goes_when_it_is_old(driver: Driver, tmp_path) -> None:
    bought(driver, "a", "x")
    driver.ledger.open_batch(BatchId("a"))
    driver.ledger.admit(BatchId("a"), [row(1, "y")])
    driver.succeeded()
    assert driver.job(rid("x")).refs == {}
    assert pruned(driver, tmp_path).jobs == 0
    pass_days(driver)
    assert pruned(driver, tmp_path).jobs == 1
    assert driver.ledger.jobs([rid("x")]) == {}
    assert driver.ledger.fates(BatchId("b"), [row(1, "x")]) == [RowFate.BOUGHT_BEFORE]


def test_money_that_comes_late_counts_for_no_pruned_batch(driver: Driver, tmp_path) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.unknown()
    driver.admit("b", ["x"], seal=True)
    rest(driver, "a")
    pass_days(driver)
    driver.ledger.open_batch(BatchId("b"))
    pruned(driver, tmp_path, Wanted(older_than_ms=OLD.older_than_ms, unknown=True))
    assert driver.ledger.batches() == ["b"]
    driver.ledger.run(steps.hint(rid("x"), "named"))
    assert driver.state(rid("x")) == JobState.SUBMITTED
    assert "batch:a" not in driver.snapshot()


@pytest.mark.parametrize("after", ["begin", "some rows", "all rows"])
def test_a_batch_half_gone_is_none_and_is_finished_by_whoever_wants_it(
    driver: Driver, tmp_path, after
) -> None:
    bought(driver, "a", "x", "y", "z")
    pass_days(driver)
    assert driver.ledger.run(pruning.begin(BatchId("a"), 0)) is Begun.BEGUN
    numbers = {"begin": [], "some rows": [2], "all rows": [1, 2, 3]}[after]
    driver.ledger.run(pruning.forget_rows(BatchId("a"), numbers))
    assert driver.ledger.batches() == []
    assert driver.ledger.fix(BatchId("a")) == []
    assert pruning.begun(driver.ledger) == ["a"]
    pruning.finish_if_begun(driver.ledger, BatchId("a"))
    assert pruning.begun(driver.ledger) == []
    assert driver.admit("a", ["x", "y", "z"], seal=True).queued == ()
    assert driver.counts("a") == {"failed": 3}


def test_a_shared_job_that_is_tried_again_leaves_a_batch_half_gone_alone(driver: Driver, tmp_path) -> None:
    driver.admit("a", ["x", "y"], seal=True)
    driver.failed(retryable=False)
    driver.failed(retryable=False)
    rest(driver, "a")
    pass_days(driver)
    driver.admit("b", ["x"], seal=True)
    assert driver.ask().kind == "empty", "no line is left in the ring"
    assert driver.ledger.run(pruning.begin(BatchId("a"), 0)) is Begun.BEGUN
    assert driver.ledger.run(steps.reopen(rid("x"), JobState.FAILED, "b"))
    assert driver.job(rid("x")).refs.keys() == {"a", "b"}
    client, key = driver.ledger.client, driver.ledger.key
    assert client.lrange(key("ring"), 0, -1) == ["b"]
    assert "a" not in driver.members("active")
    assert driver.line("a") == []
    assert driver.raw(rid("x"))["batch"] == "b"
    pruning.finish_if_begun(driver.ledger, BatchId("a"))
    assert driver.granted().request_id == rid("x")
    assert driver.job(rid("x")).refs == {"b": (1,)}


def test_a_memory_has_120_bytes_at_most(driver: Driver) -> None:
    client, names = driver.ledger.client, [f"n{number}" for number in range(4000)]
    driver.ledger.open_batch(BatchId("a"))
    for first in range(0, len(names), 500):
        driver.ledger.admit(BatchId("a"), [row(n + 1, names[n]) for n in range(first, first + 500)])
    pipeline = client.pipeline(transaction=False)
    for name in names:
        fields = {"state": "succeeded", "task_id": str(uuid4()), "finished_ms": 1_790_000_000_000}
        pipeline.hset(driver.ledger.key("job", rid(name)), mapping=fields)
    pipeline.execute()
    driver.ledger.client.hset(driver.ledger.key("batch", "a"), mapping={"completed_ms": 1, "opened_ms": 1})
    client.delete(driver.ledger.key("active"))
    assert driver.ledger.run(pruning.begin(BatchId("a"), 0)) is Begun.BEGUN
    assert pruning.finish(driver.ledger, BatchId("a")) == 4000
    keys = list(client.scan_iter(driver.ledger.key("memory") + ":*"))
    # What the key itself costs is in it.
    assert sum(client.memory_usage(key, samples=0) for key in keys) / 4000 <= 120


@pytest.fixture
def apart(ledger: Ledger) -> Iterator[Ledger]:
    yield ledger
    flush(ledger.client, ledger.prefix)


#: What is done: a pair is wanted by a batch, bought, lost, failed, left without an answer; time passes, all is pruned.
WORDS = st.lists(
    st.one_of(
        st.tuples(st.just("want"), st.sampled_from("abc"), st.sampled_from("xyz")),
        st.tuples(st.sampled_from(["buy", "lose", "fail", "hold", "reject", "cancel", "rest", "days"])),
        st.tuples(st.just("prune"), st.booleans(), st.booleans()),
        st.tuples(st.sampled_from(["begin", "some rows", "finish"])),
    ),
    max_size=40,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=WORDS)
def test_no_pair_that_was_bought_is_bought_again_whatever_is_pruned(apart: Ledger, tmp_path, words) -> None:
    driver = Driver(Ledger(apart.client, f"{apart.prefix}-{uuid4().hex[:8]}"))
    # So that a slot that stays taken for a while lets others go.
    driver.gate(lat_mean="0", lat_var="0", lat_n="100")
    money: set[str] = set()
    rows: dict[str, int] = {}
    tasks: dict[str, set[str]] = {}
    try:
        for word in words:
            _do(driver, tmp_path, word, (money, rows, tasks))
        for name in "xyz":
            job = driver.ledger.jobs([rid(name)]).get(rid(name))
            if job is not None and not job.refs:
                continue
            if job is None:
                driver.admit("last", [name], first=rows.setdefault("last", 0) + 1)
                rows["last"] += 1
                job = driver.job(rid(name))
            known = {job.task_id, *job.past_task_ids}
            assert tasks.get(rid(name), set()) <= known, "no task is forgotten"
    finally:
        flush(driver.ledger.client, driver.ledger.prefix)


def _do(driver: Driver, tmp_path, word, seen) -> None:
    money, rows, tasks = seen
    match word:
        case ("want", batch, name):
            # As the producer does it.
            pruning.finish_if_begun(driver.ledger, BatchId(batch))
            rows[batch] = rows.get(batch, 0) + 1 if driver.ledger.exists(BatchId(batch)) else 1
            driver.admit(batch, [name], first=rows[batch], seal=True)
        case ("prune", unknown, lost):
            pruned(driver, tmp_path, Wanted(older_than_ms=OLD.older_than_ms, unknown=unknown, lost=lost))
        case ("begin",):
            for batch in driver.ledger.batches():
                driver.ledger.run(pruning.begin(batch, OLD.older_than_ms, "unknown lost"))
        case ("some rows",):
            for batch in pruning.begun(driver.ledger):
                driver.ledger.run(pruning.forget_rows(batch, [1, 3]))
        case ("finish",):
            for batch in pruning.begun(driver.ledger):
                pruning.finish(driver.ledger, batch)
        case ("days",):
            pass_days(driver)
        case ("cancel",):
            for name in "xyz":
                driver.ledger.run(steps.cancel("a", rid(name)))
        case ("rest",):
            for batch in driver.ledger.active_batches():
                driver.ledger.deactivate(batch, driver.ledger.last_entry(batch))
        case (how,):
            answer = driver.ask()
            if answer.kind != "granted":
                # A task that is asked again ends well.
                for job in driver.ledger.run(steps.take_due(8)).jobs:
                    driver.ledger.run(steps.succeed(job.request_id, [], None))
                return
            name = answer.request_id
            assert name not in money, "it was bought before"
            assert driver.begin(name, answer.claim) == "go"
            if how == "hold":
                money.add(name)
                driver.ledger.run(steps.hold(name, answer.claim, failure()))
                return
            task = f"task-{uuid4()}" if len(money) % 2 else str(uuid4())
            tasks.setdefault(name, set()).add(task)
            driver.ledger.run(steps.accept(name, answer.claim, TaskId(task), [], first_poll_ms=60_000))
            match how:
                case "lose":
                    money.add(name)
                    driver.ledger.run(steps.fail(name, failure(kind="task_lost")))
                case "fail":
                    driver.ledger.run(steps.fail(name, failure(retryable=True)))
                case "reject":
                    money.add(name)
                    driver.ledger.run(
                        steps.fail(name, failure(kind="moderated", retryable=False), JobState.REJECTED)
                    )
                case _:
                    money.add(name)
                    driver.ledger.run(steps.succeed(name, [], None))
