"""What a run shows of itself: tasks are tasks, downloads are downloads, and the rate is of work done now."""

import io
import sys
import time
from dataclasses import replace

import pytest
from rich.console import Console

from jobs.cli.address_progress import AddressProgress
from jobs.cli.progress import Progress, make_bar
from jobs.cli.under_way import UnderWay, under_way
from jobs.ledger import steps
from jobs.ledger.codec import decode_gate
from jobs.ledger.records import GateState
from jobs.ledger.shut import shut_kind
from jobs.records import BatchId, BatchStatus
from tests.driver import rid


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


OUT = UnderWay(tasks=0, downloads=0)
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


def test_time_in_which_nothing_was_under_way_is_no_time_without_an_end(capsys):
    clock, found = [0.0], status(succeeded=8, rows=10)
    with Progress(BatchId("b"), clock=lambda: clock[0]) as progress:
        for second in (0, 30, 60, 69, 75):
            clock[0] = float(second)
            now = UnderWay(tasks=1, downloads=0, oldest="row 9 waits for its task t") if second > 60 else OUT
            progress.show(found, GateState(), now, fed=True)
    told = [line.rpartition(" · ")[2] for line in capsys.readouterr().err.splitlines()]
    assert told == ["0 under way"] * 3 + ["1 under way", "nothing ended for 15 s, row 9 waits for its task t"]


def test_only_jobs_of_the_batch_count_and_each_once(driver):
    driver.admit("mine", ["a", "b", "c", "d", "a"], seal=True)
    driver.submitting()
    polled = driver.submitted()
    ended = driver.submitted()
    step = steps.ended(ended.request_id, ended.task_id, ["https://x/a.jpg"], "poll", 12_000)
    assert driver.ledger.run(step)
    driver.admit("another", ["e"], seal=True)
    assert driver.submitting().request_id not in {polled.request_id, ended.request_id}
    driver.submitted()
    found = under_way(driver.ledger, BatchId("mine"))
    assert replace(found, oldest="") == UnderWay(tasks=3, downloads=1, requests=2)
    found = under_way(driver.ledger, BatchId("another"))
    assert found == UnderWay(
        tasks=1, downloads=0, oldest=f"row 1 waits for its task {driver.job(rid('e')).task_id}"
    )


def test_what_is_under_way_for_longest_is_named_by_its_row_and_what_it_waits_for(driver):
    batch, client, key = BatchId("b"), driver.ledger.client, driver.ledger.key
    driver.admit("b", ["a", "b", "c"], seal=True)
    driver.submitted(task="t-a")
    done = driver.submitted(task="t-b")
    driver.submitting()
    assert driver.ledger.run(steps.ended(done.request_id, done.task_id, ["https://x/a.jpg"], "poll", 12_000))
    for name, words in (
        ("a", "row 1 waits for its task t-a"),
        ("b", "row 2 waits for the picture of its task t-b"),
        ("c", "row 3 waits for the answer to its request"),
    ):
        client.hset(key("job", rid(name)), "begun_ms", 1)
        assert under_way(driver.ledger, batch).oldest == words
        client.hset(key("job", rid(name)), "begun_ms", 2 * 10**12)
    client.hset(key("job", rid("a")), "begun_ms", 1)
    client.hset(key("versions", batch), 3, "1")
    assert under_way(driver.ledger, batch).oldest == "row 3 waits for its task t-a", (
        "a second take is its row's"
    )


def test_the_time_left_never_grows_and_what_is_waited_for_is_said_instead(shown):
    before = [(0, True, status(succeeded=0, rows=40)), (20, True, status(succeeded=39, rows=40, submitted=1))]
    stuck = UnderWay(tasks=1, downloads=0, oldest="row 40 waits for its task t-9")
    told = [shown(*before, (at, True, before[-1][2]), now=stuck)[-1] for at in (25, 29, 30, 50, 300)]
    assert told == [
        "1 s left",
        "1 s left",
        "nothing ended for 10 s, row 40 waits for its task t-9",
        "nothing ended for 30 s, row 40 waits for its task t-9",
        "nothing ended for 4 min 40 s, row 40 waits for its task t-9",
    ]


NOW_MS = time.time() * 1000


@pytest.mark.parametrize(
    ("gate", "kind"),
    [
        ({}, ""),
        ({"paused": "x", "breaker": "token"}, "paused"),
        ({"breaker": "vendor"}, "vendor"),
        ({"closed_by": "throttle", "closed_until": NOW_MS + 86_400_000}, "throttled"),
        ({"closed_by": "throttle", "closed_until": NOW_MS - 1}, ""),
        (
            {"closed_by": "replicas", "closed_until": NOW_MS + 86_400_000, "closed_at": NOW_MS},
            "replicas_behind",
        ),
        ({"closed_by": "replicas", "closed_until": NOW_MS - 60_000, "closed_at": NOW_MS - 61_000}, ""),
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


def test_addresses_that_are_asked_are_told_every_few_seconds_with_the_time_left(capsys):
    now = [0.0]
    with AddressProgress(100, clock=lambda: now[0]) as progress:
        for second in range(1, 12):
            now[0] = float(second)
            progress.tell(5)
    assert capsys.readouterr().err.splitlines() == [
        "addresses: 25/100 asked · 15 s left",
        "addresses: 50/100 asked · 10 s left",
    ]


@pytest.mark.parametrize("width", [60, 80, 160])
def test_a_narrow_terminal_cuts_no_number_of_the_bar(width):
    bar, shown = make_bar(), io.StringIO()
    text = "271 done · 8 under way · 131/min · 33 s left · paused: disk full (vton resume)"
    bar.add_task("catalog-a7af0311", total=20_000, completed=271, text=text)
    Console(file=shown, width=width, force_terminal=True, color_system=None).print(
        bar.make_tasks_table(bar.tasks)
    )
    words = shown.getvalue().split()
    assert {"271/20000", "0:00:00", *text.split()} <= set(words)
    assert "…" not in shown.getvalue()
