"""What a run shows of itself: tasks are tasks, downloads are downloads, and the rate is of work done now."""

import sys
import time

import pytest

from jobs.cli.account import shut_kind
from jobs.cli.progress import Progress
from jobs.cli.under_way import UnderWay, under_way
from jobs.ledger import steps
from jobs.ledger.codec import decode_gate
from jobs.ledger.records import GateState
from jobs.records import BatchId, BatchStatus


def status(*, succeeded, rows=1000, reused=0, **counts):
    others = {"queued": rows - succeeded - sum(counts.values())} | counts
    return BatchStatus(
        batch_id=BatchId("b"),
        sealed=True,
        rows=rows,
        counts={"succeeded": succeeded} | others,
        reused=reused,
        duplicate=0,
        created_ms=1,
        completed_ms=None,
    )


TASKS = UnderWay(tasks=3, downloads=0)


def test_brackets_in_the_vendors_words_are_shown_and_end_nothing(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    gate = GateState(breaker="vendor", breaker_why="code [/code] [m] 5")
    with Progress(BatchId("b"), clock=lambda: 0.0) as progress:
        progress.show(status(succeeded=1), gate, TASKS, fed=True)
        assert progress._bar is not None
        progress._bar.refresh()
    assert "[/code] [m] 5" in capsys.readouterr().err


@pytest.fixture
def shown(capsys):
    """Shows statuses at their seconds; returns the last line, after the rows."""

    def show(*moments, now=TASKS):
        clock = [0.0]
        with Progress(BatchId("b"), clock=lambda: clock[0]) as progress:
            for second, fed, found in moments:
                clock[0] = second
                progress.show(found, GateState(), now, fed=fed)
        return capsys.readouterr().err.splitlines()[-1].partition(" rows · ")[2].split(" · ")

    return show


def test_tasks_and_downloads_are_told_apart(shown):
    told = shown((0, True, status(succeeded=1)), now=UnderWay(tasks=10, downloads=4))
    assert told == ["1 done", "10 under way", "4 downloading"]


def test_rows_that_were_bought_before_are_no_speed(shown):
    told = shown(
        (0, False, status(succeeded=0, rows=0)),
        (10, False, status(succeeded=900, reused=900)),
        (20, False, status(succeeded=905, reused=900)),
    )
    assert told == ["905 done (900 reused)", "3 under way", "15/min", "reading the manifest"]


def test_once_the_manifest_is_read_the_rate_is_of_what_ended_since(shown):
    told = shown(
        (0, False, status(succeeded=0, rows=0)),
        (10, False, status(succeeded=0, rejected=500)),
        (11, True, status(succeeded=0, rejected=500)),
        (21, True, status(succeeded=10, rejected=500)),
    )
    assert told == ["10 done", "500 rejected", "3 under way", "60/min", "8 min 10 s left"]


def test_only_jobs_of_the_batch_count_and_each_once(heart):
    heart.admit("mine", ["a", "b", "c", "d", "a"], seal=True)
    heart.submitting()
    polled = heart.submitted()
    ended = heart.submitted()
    step = steps.ended(ended.request_id, ended.task_id, ["https://x/a.jpg"], "poll", 12_000)
    assert heart.ledger.run(step)
    heart.admit("another", ["e"], seal=True)
    assert heart.submitting().request_id not in {polled.request_id, ended.request_id}
    heart.submitted()
    assert under_way(heart.ledger, BatchId("mine")) == UnderWay(tasks=3, downloads=1, requests=2)
    assert under_way(heart.ledger, BatchId("another")) == UnderWay(tasks=1, downloads=0)


NOW_MS = time.time() * 1000


@pytest.mark.parametrize(
    ("gate", "kind"),
    [
        ({}, ""),
        ({"paused": "x", "breaker": "token"}, "paused"),
        ({"breaker": "vendor"}, "vendor"),
        ({"closed_by": "throttle", "closed_until": NOW_MS + 86_400_000}, "throttled"),
        ({"closed_by": "throttle", "closed_until": NOW_MS - 1}, ""),
        ({"closed_by": "unsent", "closed_until": NOW_MS + 86_400_000, "closed_at": NOW_MS}, "not_reached"),
        (
            {
                "closed_by": "unsent",
                "closed_until": NOW_MS + 86_400_000,
                "closed_at": NOW_MS,
                "last_accept": NOW_MS + 1,
            },
            "throttled",
        ),
        ({"closed_by": "unsent", "closed_until": NOW_MS - 60_000, "closed_at": NOW_MS - 61_000}, ""),
    ],
)
def test_what_shuts_the_gate_is_one_word(gate, kind):
    assert shut_kind(decode_gate({name: str(value) for name, value in gate.items()})) == kind


def test_between_two_tries_of_an_address_that_is_not_reached_the_account_is_not_called_open():
    now_ms = time.time() * 1000
    gate = {"closed_by": "unsent", "closed_until": str(now_ms - 10), "closed_at": str(now_ms - 1000)}
    assert shut_kind(decode_gate(gate)) == "not_reached"
