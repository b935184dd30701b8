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
from tests.heart import Heart, failure, pair, rid, row


def test_rows_with_the_same_pair_share_one_job(heart: Heart) -> None:
    admitted = heart.admit("a", ["x", "y", "x"])
    assert admitted.queued == (rid("x"), rid("y"))
    assert (admitted.rows, admitted.duplicate, admitted.reused) == (3, 1, 0)
    assert heart.job(rid("x")).refs == {"a": (1, 3)}
    assert heart.counts("a") == {"queued": 3}


def test_a_pair_repeated_in_a_later_chunk_joins_its_job(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    later = heart.admit("a", ["y", "z", "y"], first=3)
    assert (later.rows, later.duplicate, later.queued) == (3, 2, (rid("z"),))
    assert heart.job(rid("y")).refs == {"a": (2, 3, 5)}
    assert heart.line("a") == [rid("x"), rid("y"), rid("z")]


def test_a_chunk_admitted_twice_changes_nothing(heart: Heart) -> None:
    heart.admit("a", ["x", None, "x", "y"])
    before = heart.snapshot()
    admitted = heart.ledger.admit(BatchId("a"), _chunk(["x", None, "x", "y"]))
    assert (admitted.rows, admitted.queued, admitted.duplicate) == (0, (), 0)
    assert heart.snapshot() == before


def test_a_chunk_that_was_half_admitted_brings_only_the_rest(heart: Heart) -> None:
    heart.admit("a", ["x", "y"])
    admitted = heart.admit("a", ["x", "y", "z"])
    assert (admitted.rows, admitted.queued) == (1, (rid("z"),))
    assert heart.counts("a") == {"queued": 3}


def test_bad_rows_are_counted_invalid_and_told_at_once(heart: Heart) -> None:
    heart.admit("a", [None, "x", None])
    status = heart.ledger.status(BatchId("a"))
    assert status.counts == {"invalid": 2, "queued": 1}
    assert status.open == 1
    assert [entry.row for entry in heart.ledger.outbox(BatchId("a"), "0")] == [1, 3]


def test_a_batch_of_bad_rows_alone_is_complete_when_sealed(heart: Heart) -> None:
    heart.admit("a", [None], seal=True)
    status = heart.ledger.status(BatchId("a"))
    assert status.complete
    assert status.completed_ms is not None


def test_a_batch_joins_running_jobs_and_waits_for_them(heart: Heart) -> None:
    heart.admit("a", ["x"], seal=True)
    running = heart.submitted()
    admitted = heart.admit("b", ["x", "x"], seal=True)
    assert (admitted.queued, admitted.reused, admitted.duplicate) == ((), 0, 1)
    assert heart.counts("b") == {"submitted": 2}
    assert heart.ledger.run(steps.fail(running.request_id, failure()))
    for batch in ("a", "b"):
        assert heart.ledger.status(BatchId(batch)).complete
        assert [each.request_id for each in heart.ledger.outbox(BatchId(batch), "0")] == [rid("x")]


def test_what_is_bought_already_is_reused_and_told_at_once(heart: Heart) -> None:
    heart.admit("a", ["x"], seal=True)
    heart.succeeded()
    admitted = heart.admit("b", ["x", "x", "y"])
    assert (admitted.reused, admitted.duplicate, admitted.queued) == (2, 1, (rid("y"),))
    assert heart.ledger.status(BatchId("b")).reused == 2
    told = heart.ledger.outbox(BatchId("b"), "0")
    assert [(each.request_id, each.version) for each in told] == [(rid("x"), heart.job(rid("x")).version)]


@pytest.mark.parametrize("ended", [JobState.REJECTED, JobState.UNKNOWN, JobState.FAILED])
def test_what_ended_for_good_is_not_bought_again_by_a_new_batch(heart: Heart, ended: JobState) -> None:
    heart.admit("a", ["x"], seal=True)
    if ended is JobState.UNKNOWN:
        heart.unknown()
    else:
        job = heart.submitted()
        assert heart.ledger.run(steps.fail(job.request_id, failure(retryable=False), ended))
    admitted = heart.admit("b", ["x"], seal=True)
    assert (admitted.queued, admitted.reused) == ((), 0)
    assert heart.counts("b") == {ended.value: 1}
    assert heart.ledger.status(BatchId("b")).complete


def test_a_new_batch_asks_again_for_what_failed_and_may_work_now(heart: Heart) -> None:
    heart.admit("a", ["x"], seal=True)
    heart.failed(retryable=True)
    admitted = heart.admit("b", ["x"], seal=True)
    assert admitted.queued == (rid("x"),)
    assert heart.counts("a") == heart.counts("b") == {"queued": 1}
    assert heart.ledger.status(BatchId("a")).completed_ms is None
    assert BatchId("a") in heart.ledger.active_batches()
    assert heart.line("b") == [rid("x")]
    heart.succeeded()
    assert heart.counts("a") == heart.counts("b") == {"succeeded": 1}


def test_what_was_refused_before_it_was_sent_can_be_asked_again_by_a_new_batch(heart: Heart) -> None:
    heart.admit("a", ["x"], seal=True)
    permit = heart.granted()
    refuse = steps.refuse(permit.request_id, permit.claim, failure(), answered=False)
    assert heart.ledger.run(refuse)
    heart.admit("b", ["x"], seal=True)
    assert heart.granted().request_id == rid("x")


def test_a_job_asked_again_keeps_nothing_of_its_former_task(heart: Heart) -> None:
    heart.admit("a", ["x"], seal=True)
    first = heart.submitted()
    assert heart.ledger.run(steps.ended(rid("x"), first.task_id, ["https://x/1.jpg"], "poll", 9_000))
    assert heart.ledger.run(steps.fail(rid("x"), failure(), JobState.FAILED))
    heart.admit("b", ["x"], seal=True)
    again = heart.job(rid("x"))
    assert (again.task_id, again.ended_ms, again.finished_ms, again.submitted_ms) == (None, None, None, None)
    assert (again.failure, again.task_failures, again.picture_urls) == (None, 0, ())
    assert not {"claim", "paid_batch", "paid_day", "resubmitted"} & heart.raw(rid("x")).keys()


def test_the_same_batch_does_not_ask_again_for_what_failed_in_it(heart: Heart) -> None:
    heart.admit("a", ["x"])
    heart.failed(retryable=True)
    admitted = heart.admit("a", ["x"], first=2, seal=True)
    assert (admitted.queued, admitted.duplicate) == ((), 1)
    assert heart.counts("a") == {"failed": 2}
    told = heart.ledger.outbox(BatchId("a"), "0")
    assert [each.request_id for each in told] == [rid("x"), rid("x")]


def test_a_cancelled_job_is_wanted_again_by_a_new_batch(heart: Heart) -> None:
    heart.admit("a", ["x"], seal=True)
    assert heart.ledger.run(steps.cancel("a", rid("x")))
    assert heart.admit("b", ["x"]).queued == (rid("x"),)
    assert heart.granted().request_id == rid("x")


def test_two_producers_of_one_manifest_at_once_admit_it_once(heart: Heart) -> None:
    names = [f"p{number % 70}" for number in range(400)]
    heart.admit("a", [])

    def produce(_: int) -> list[str]:
        queued: list[str] = []
        for first in range(0, 400, 25):
            queued += heart.ledger.admit(BatchId("a"), _chunk(names[first : first + 25], first + 1)).queued
        heart.ledger.seal(BatchId("a"))
        return queued

    with ThreadPoolExecutor(2) as pool:
        queued = [each for found in pool.map(produce, range(2)) for each in found]
    status = heart.ledger.status(BatchId("a"))
    assert sorted(queued) == sorted({rid(name) for name in names})
    assert (status.rows, status.counts, status.duplicate) == (400, {"queued": 400}, 330)
    assert sorted(heart.line("a")) == sorted(queued)


def test_two_batches_at_once_share_every_pair(heart: Heart) -> None:
    names = [f"p{number}" for number in range(60)]
    for batch in "ab":
        heart.admit(batch, [])

    def produce(batch: str) -> int:
        chunks = range(0, 60, 5)
        return sum(
            len(heart.ledger.admit(BatchId(batch), _chunk(names[first : first + 5], first + 1)).queued)
            for first in chunks
        )

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(produce, "ab")) == 60
    assert set(heart.line("a")) | set(heart.line("b")) == {rid(name) for name in names}
    assert heart.counts("a") == heart.counts("b") == {"queued": 60}


def test_rows_come_back_as_they_were_admitted(heart: Heart) -> None:
    heart.admit("a", ["x", None])
    rows = heart.ledger.rows_at(BatchId("a"), [1, 2, 9])
    assert rows[1].job == rid("x")
    assert rows[2].bad.why == "no such file"
    assert 9 not in rows
    assert [len(chunk) for chunk in heart.ledger.rows(BatchId("a"), chunk=1)] == [1, 1]


def test_a_batch_that_was_not_opened_takes_no_rows(heart: Heart) -> None:
    with pytest.raises(Exception, match="NOBATCH"):
        heart.ledger.admit(BatchId("none"), _chunk(["x"]))
    with pytest.raises(NotFoundError, match="no such batch: none"):
        heart.ledger.status(BatchId("none"))


def test_opening_a_batch_again_keeps_its_fields(heart: Heart) -> None:
    assert heart.ledger.open_batch(BatchId("a"), manifest="first.csv")
    born = heart.ledger.ledger_id()
    assert not heart.ledger.open_batch(BatchId("a"), manifest="second.csv")
    assert heart.ledger.batch(BatchId("a")).manifest == "first.csv"
    assert heart.ledger.ledger_id() == born
    heart.ledger.open_batch(BatchId("b"))
    assert heart.ledger.batches()[0] in {"a", "b"}
    assert len(heart.ledger.batches()) == 2


Manifest = list[list[str | None]]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=st.lists(st.lists(st.sampled_from([*"pqrst", None]), max_size=6), max_size=5))
def test_however_a_manifest_is_cut_the_counts_add_up(heart: Heart, chunks: Manifest) -> None:
    names = [name for chunk in chunks for name in chunk]
    good = [name for name in names if name]
    batch, first, reused = f"b{len(heart.ledger.batches())}", 1, 0
    bought = [name for name in set(good) if heart.raw(rid(name)).get("state") == "succeeded"]
    heart.admit(batch, [])
    for chunk in chunks:
        reused += heart.admit(batch, chunk, first=first).reused
        first += len(chunk)
    heart.ledger.seal(BatchId(batch))
    status = heart.ledger.status(BatchId(batch))
    assert status.rows == len(names) == sum(status.counts.values())
    assert status.counts.get("invalid", 0) == len(names) - len(good)
    assert status.duplicate == len(good) - len(set(good))
    # A pair that a later chunk repeats is a duplicate of this batch, not reused once more.
    assert len(bought) <= status.reused == reused <= status.counts.get("succeeded", 0)
    if status.counts.get("queued"):
        heart.succeeded()


def _chunk(names: Sequence[str | None], first: int = 1) -> list[Admission]:
    return [row(number, name) for number, name in enumerate(names, first)]


def test_a_bad_row_that_is_good_now_gets_its_job(heart: Heart) -> None:
    heart.admit("a", ["x", None, None], seal=True)
    heart.succeeded()
    assert heart.ledger.status(BatchId("a")).complete
    admitted = heart.admit("a", ["x", "y", None], seal=True)
    assert (admitted.rows, admitted.queued) == (0, (rid("y"),))
    assert heart.counts("a") == {"succeeded": 1, "queued": 1, "invalid": 1}
    assert not heart.ledger.status(BatchId("a")).complete
    heart.succeeded()
    assert heart.counts("a") == {"succeeded": 2, "invalid": 1}
    assert heart.ledger.status(BatchId("a")).complete
    assert heart.admit("a", ["x", "y", None]).queued == (), "once"
    assert heart.counts("a") == {"succeeded": 2, "invalid": 1}


def test_a_cell_that_reads_like_a_bad_row_does_not_make_one(heart: Heart) -> None:
    heart.ledger.open_batch(BatchId("a"))
    text = encode({"line": 2, "sku": '"bad":{', "fields": {"bad": '"bad":{"why":"x"}'}, "job": rid("x")})
    sly = Admission(number=1, request_id=rid("x"), row=text, pair=encode_pair(pair("x")))
    heart.ledger.admit(BatchId("a"), [sly])
    heart.ledger.admit(BatchId("a"), [sly])
    assert heart.counts("a") == {"queued": 1}
