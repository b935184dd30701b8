"""Admission: rows go in once, pairs become jobs once, counters add up to rows."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.errors import NotFoundError
from jobs.ledger import Admission, steps
from jobs.ledger.codec import encode, encode_pair
from jobs.records import BatchId, JobState
from tests.driver import Driver, failure, pair, rid, row


def test_rows_with_the_same_pair_share_one_job(driver: Driver) -> None:
    admitted = driver.admit("a", ["x", "y", "x"])
    assert admitted.queued == (rid("x"), rid("y"))
    assert (admitted.rows, admitted.duplicate, admitted.reused) == (3, 1, 0)
    assert driver.job(rid("x")).refs == {"a": (1, 3)}
    assert driver.counts("a") == {"queued": 3}


def test_a_pair_repeated_in_a_later_chunk_joins_its_job(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    later = driver.admit("a", ["y", "z", "y"], first=3)
    assert (later.rows, later.duplicate, later.queued) == (3, 2, (rid("z"),))
    assert driver.job(rid("y")).refs == {"a": (2, 3, 5)}
    assert driver.line("a") == [rid("x"), rid("y"), rid("z")]


def test_a_chunk_admitted_twice_changes_nothing(driver: Driver) -> None:
    driver.admit("a", ["x", None, "x", "y"])
    before = driver.snapshot()
    admitted = driver.ledger.admit(BatchId("a"), _chunk(["x", None, "x", "y"]))
    assert (admitted.rows, admitted.queued, admitted.duplicate) == (0, (), 0)
    assert driver.snapshot() == before


def test_a_chunk_that_was_half_admitted_brings_only_the_rest(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    admitted = driver.admit("a", ["x", "y", "z"])
    assert (admitted.rows, admitted.queued) == (1, (rid("z"),))
    assert driver.counts("a") == {"queued": 3}


def test_bad_rows_are_counted_invalid_and_told_at_once(driver: Driver) -> None:
    driver.admit("a", [None, "x", None])
    status = driver.ledger.status(BatchId("a"))
    assert status.counts == {"invalid": 2, "queued": 1}
    assert status.open == 1
    assert [entry.row for entry in driver.ledger.outbox(BatchId("a"), "0")] == [1, 3]


def test_a_batch_of_bad_rows_alone_is_complete_when_sealed(driver: Driver) -> None:
    driver.admit("a", [None], seal=True)
    status = driver.ledger.status(BatchId("a"))
    assert status.complete
    assert status.completed_ms is not None


def test_a_batch_joins_running_jobs_and_waits_for_them(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    running = driver.submitted()
    admitted = driver.admit("b", ["x", "x"], seal=True)
    assert (admitted.queued, admitted.reused, admitted.duplicate) == ((), 0, 1)
    assert driver.counts("b") == {"submitted": 2}
    assert driver.ledger.run(steps.fail(running.request_id, failure()))
    for batch in ("a", "b"):
        assert driver.ledger.status(BatchId(batch)).complete
        assert [each.request_id for each in driver.ledger.outbox(BatchId(batch), "0")] == [rid("x")]


def test_what_is_bought_already_is_reused_and_told_at_once(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.succeeded()
    admitted = driver.admit("b", ["x", "x", "y"])
    assert (admitted.reused, admitted.duplicate, admitted.queued) == (1, 1, (rid("y"),))
    assert driver.ledger.status(BatchId("b")).reused == 1
    told = driver.ledger.outbox(BatchId("b"), "0")
    assert [(each.request_id, each.version) for each in told] == [(rid("x"), driver.job(rid("x")).version)]


@pytest.mark.parametrize("ended", [JobState.REJECTED, JobState.UNKNOWN, JobState.FAILED])
def test_what_ended_for_good_is_not_bought_again_by_a_new_batch(driver: Driver, ended: JobState) -> None:
    driver.admit("a", ["x"], seal=True)
    if ended is JobState.UNKNOWN:
        driver.unknown()
    else:
        job = driver.submitted()
        assert driver.ledger.run(steps.fail(job.request_id, failure(retryable=False), ended))
    admitted = driver.admit("b", ["x"], seal=True)
    assert (admitted.queued, admitted.reused) == ((), 0)
    assert driver.counts("b") == {ended.value: 1}
    assert driver.ledger.status(BatchId("b")).complete


def test_a_new_batch_asks_again_for_what_failed_and_may_work_now(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    driver.failed(retryable=True)
    admitted = driver.admit("b", ["x"], seal=True)
    assert admitted.queued == (rid("x"),)
    assert driver.counts("a") == driver.counts("b") == {"queued": 1}
    assert driver.ledger.status(BatchId("a")).completed_ms is None
    assert BatchId("a") in driver.ledger.active_batches()
    assert driver.line("b") == [rid("x")]
    driver.succeeded()
    assert driver.counts("a") == driver.counts("b") == {"succeeded": 1}


def test_what_was_refused_before_it_was_sent_can_be_asked_again_by_a_new_batch(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    permit = driver.granted()
    refuse = steps.refuse(permit.request_id, permit.claim, failure(), answered=False)
    assert driver.ledger.run(refuse)
    driver.admit("b", ["x"], seal=True)
    assert driver.granted().request_id == rid("x")


def test_a_job_asked_again_keeps_nothing_of_its_former_task(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    first = driver.submitted()
    assert driver.ledger.run(steps.ended(rid("x"), first.task_id, ["https://x/1.jpg"], "poll", 9_000))
    assert driver.ledger.run(steps.fail(rid("x"), failure(), JobState.FAILED))
    driver.admit("b", ["x"], seal=True)
    again = driver.job(rid("x"))
    assert (again.task_id, again.ended_ms, again.finished_ms, again.submitted_ms) == (None, None, None, None)
    assert (again.failure, again.task_failures, again.picture_urls) == (None, 0, ())
    assert not {"claim", "paid_batch", "paid_day", "resubmitted"} & driver.raw(rid("x")).keys()


def test_the_same_batch_does_not_ask_again_for_what_failed_in_it(driver: Driver) -> None:
    driver.admit("a", ["x"])
    driver.failed(retryable=True)
    admitted = driver.admit("a", ["x"], first=2, seal=True)
    assert (admitted.queued, admitted.duplicate) == ((), 1)
    assert driver.counts("a") == {"failed": 2}
    told = driver.ledger.outbox(BatchId("a"), "0")
    assert [each.request_id for each in told] == [rid("x"), rid("x")]


def test_a_cancelled_job_is_wanted_again_by_a_new_batch(driver: Driver) -> None:
    driver.admit("a", ["x"], seal=True)
    assert driver.ledger.run(steps.cancel("a", rid("x")))
    assert driver.admit("b", ["x"]).queued == (rid("x"),)
    assert driver.granted().request_id == rid("x")


def test_two_producers_of_one_manifest_at_once_admit_it_once(driver: Driver) -> None:
    names = [f"p{number % 70}" for number in range(400)]
    driver.admit("a", [])

    def produce(_: int) -> list[str]:
        queued: list[str] = []
        for first in range(0, 400, 25):
            queued += driver.ledger.admit(BatchId("a"), _chunk(names[first : first + 25], first + 1)).queued
        driver.ledger.seal(BatchId("a"))
        return queued

    with ThreadPoolExecutor(2) as pool:
        queued = [each for found in pool.map(produce, range(2)) for each in found]
    status = driver.ledger.status(BatchId("a"))
    assert sorted(queued) == sorted({rid(name) for name in names})
    assert (status.rows, status.counts, status.duplicate) == (400, {"queued": 400}, 330)
    assert sorted(driver.line("a")) == sorted(queued)


def test_two_batches_at_once_share_every_pair(driver: Driver) -> None:
    names = [f"p{number}" for number in range(60)]
    for batch in "ab":
        driver.admit(batch, [])

    def produce(batch: str) -> int:
        chunks = range(0, 60, 5)
        return sum(
            len(driver.ledger.admit(BatchId(batch), _chunk(names[first : first + 5], first + 1)).queued)
            for first in chunks
        )

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(produce, "ab")) == 60
    assert set(driver.line("a")) | set(driver.line("b")) == {rid(name) for name in names}
    assert driver.counts("a") == driver.counts("b") == {"queued": 60}


def test_rows_come_back_as_they_were_admitted(driver: Driver) -> None:
    driver.admit("a", ["x", None])
    rows = driver.ledger.rows_at(BatchId("a"), [1, 2, 9])
    assert rows[1].job == rid("x")
    assert rows[2].bad.why == "no such file"
    assert 9 not in rows
    assert [len(chunk) for chunk in driver.ledger.rows(BatchId("a"), chunk=1)] == [1, 1]


def test_a_batch_that_was_not_opened_takes_no_rows(driver: Driver) -> None:
    with pytest.raises(NotFoundError, match="no such batch: none"):
        driver.ledger.admit(BatchId("none"), _chunk(["x"]))
    with pytest.raises(NotFoundError, match="no such batch: none"):
        driver.ledger.status(BatchId("none"))


def test_opening_a_batch_again_keeps_its_fields(driver: Driver) -> None:
    assert driver.ledger.open_batch(BatchId("a"), manifest="first.csv")
    born = driver.ledger.ledger_id()
    assert not driver.ledger.open_batch(BatchId("a"), manifest="second.csv")
    assert driver.ledger.batch(BatchId("a")).manifest == "first.csv"
    assert driver.ledger.ledger_id() == born
    driver.ledger.open_batch(BatchId("b"))
    assert driver.ledger.batches()[0] in {"a", "b"}
    assert len(driver.ledger.batches()) == 2


Manifest = list[list[str | None]]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=st.lists(st.lists(st.sampled_from([*"pqrst", None]), max_size=6), max_size=5))
def test_however_a_manifest_is_cut_the_counts_add_up(driver: Driver, chunks: Manifest) -> None:
    names = [name for chunk in chunks for name in chunk]
    good = [name for name in names if name]
    batch, first, reused = f"b{len(driver.ledger.batches())}", 1, 0
    bought = [name for name in set(good) if driver.raw(rid(name)).get("state") == "succeeded"]
    driver.admit(batch, [])
    for chunk in chunks:
        reused += driver.admit(batch, chunk, first=first).reused
        first += len(chunk)
    driver.ledger.seal(BatchId(batch))
    status = driver.ledger.status(BatchId(batch))
    assert status.rows == len(names) == sum(status.counts.values())
    assert status.counts.get("invalid", 0) == len(names) - len(good)
    assert status.duplicate == len(good) - len(set(good))
    # A pair that another row repeats is a duplicate of this batch, not reused once more.
    assert len(bought) == status.reused == reused
    if status.counts.get("queued"):
        driver.succeeded()


def _chunk(names: Sequence[str | None], first: int = 1) -> list[Admission]:
    return [row(number, name) for number, name in enumerate(names, first)]


def test_a_bad_row_that_is_good_now_gets_its_job(driver: Driver) -> None:
    driver.admit("a", ["x", None, None], seal=True)
    driver.succeeded()
    assert driver.ledger.status(BatchId("a")).complete
    admitted = driver.admit("a", ["x", "y", None], seal=True)
    assert (admitted.rows, admitted.queued) == (0, (rid("y"),))
    assert driver.counts("a") == {"succeeded": 1, "queued": 1, "invalid": 1}
    assert not driver.ledger.status(BatchId("a")).complete
    driver.succeeded()
    assert driver.counts("a") == {"succeeded": 2, "invalid": 1}
    assert driver.ledger.status(BatchId("a")).complete
    assert driver.admit("a", ["x", "y", None]).queued == (), "once"
    assert driver.counts("a") == {"succeeded": 2, "invalid": 1}


def test_a_cell_that_reads_like_a_bad_row_does_not_make_one(driver: Driver) -> None:
    driver.ledger.open_batch(BatchId("a"))
    text = encode({"line": 2, "sku": '"bad":{', "fields": {"bad": '"bad":{"why":"x"}'}, "job": rid("x")})
    sly = Admission(number=1, request_id=rid("x"), row=text, pair=encode_pair(pair("x")))
    driver.ledger.admit(BatchId("a"), [sly])
    driver.ledger.admit(BatchId("a"), [sly])
    assert driver.counts("a") == {"queued": 1}
