"""Whole runs of a shop: who sends what at the end, and that a notice that fails hurts nothing."""

import json
import signal
import time
import urllib.request
from contextlib import suppress

import pytest

from jobs.notices.batches import batch_over, run_stopped
from jobs.notices.notice import Event
from tests.ports import free_port
from tests.runs.shop import TOKEN, open_shop
from tests.runs.vendor import Vendor


@pytest.fixture
def shop(tmp_path):
    vendor = Vendor()
    vendor.token = TOKEN
    made = open_shop(tmp_path, vendor)
    yield made
    made.close()
    vendor.close()


def ways(listener) -> dict[str, str]:
    return {
        "VTON_NOTIFY__WEBHOOK": f"{listener.url}/?key=canary",
        "VTON_NOTIFY__SECRET": "a secret of the shop",
    }


def said(listener) -> list[dict]:
    return [json.loads(came.body) for came in listener.came]


def test_a_batch_that_ends_is_said_once_whoever_has_written_its_files(shop, listener):
    batch = shop.run(shop.urls(3), **ways(listener))
    (notice,) = said(listener)
    assert (notice["event"], notice["severity"]) == ("batch.ended", "info")
    assert notice["facts"] == {**batch.summary, "exit_code": 0}
    assert TOKEN not in json.dumps(notice)


def test_a_batch_with_gaps_says_whose_they_are(shop, listener):
    manifest = shop.write(
        "gaps.csv",
        "sku,person,upper\na,https://x.example/p.jpg,https://x.example/g.jpg\nb,nonsense,https://x.example/g.jpg\n",
    )
    shop.run(manifest.name, code=6, **ways(listener))
    (notice,) = said(listener)
    assert notice["event"] == "batch.gaps"
    assert "1 of 2 rows have their picture (1 invalid)" in notice["title"]
    assert "1 for the merchandiser" in notice["todo"]


def test_a_webhook_that_fails_changes_neither_the_code_nor_the_files(shop, listener):
    listener.statuses = [500]
    batch = shop.run(shop.urls(2), **ways(listener))
    assert batch.statuses() == ["succeeded"] * 2


def test_a_deadline_that_has_passed_is_said_with_its_code(shop, listener):
    shop.vendor.set(latency_s=3600)
    ended = shop.vton("run", shop.urls(2), "-o", "out", "--deadline", "8s", **ways(listener))
    assert ended.code == 10
    stopped = [notice for notice in said(listener) if notice["event"] == "batch.stopped"]
    assert [notice["facts"]["exit_code"] for notice in stopped] == [10]


def test_a_look_from_cron_says_what_shuts_the_gate_and_says_it_once(shop, listener):
    shop.vton("pause", "the credits are looked at")
    first, second = (shop.vton("notify", **ways(listener)) for _ in range(2))
    assert (first.code, second.code) == (0, 0)
    assert first.out.startswith(
        "gate.paused: nothing is bought: the account is paused: the credits are looked at"
    )
    assert second.out == "nothing new to say\n"
    assert [notice["event"] for notice in said(listener)] == ["gate.paused"]


def test_a_test_notice_says_of_each_way_whether_it_is_one(shop, listener):
    both = ways(listener) | {"VTON_NOTIFY__COMMAND": '["false"]'}
    ended = shop.vton("notify", "--test", **both)
    assert ended.code == 7
    assert ended.out.splitlines() == ["command: false: ended with 1: ", "webhook: sent"]
    assert shop.vton("notify", "--test", **ways(listener)).code == 0
    none = shop.vton("notify", "--test")
    assert (none.code, "no way is set" in none.err) == (7, True)


def test_one_page_has_the_processes_of_a_run_and_its_ledger(shop):
    shop.vendor.set(latency_s=3600)
    first, whole = free_port(), free_port()
    ports = {"VTON_METRICS__PORT": str(first), "VTON_METRICS__ALL_PORT": str(whole)}
    running = shop.start("run", shop.urls(3), "-o", "out", "--deadline", "2h", **ports)
    wanted = [
        'vton_processes{role="submit"} 1.0',
        'vton_processes{role="collect"} 1.0',
        'vton_rows{status="submitted"} 3.0',
        "vton_slots_used 3.0",
        "vton_deadline_timestamp_seconds 1",
        'vton_submits_total{outcome="accepted",port="',
    ]
    until, page = time.monotonic() + 300, ""
    while not all(each in page for each in wanted):
        assert time.monotonic() < until, page
        with (
            suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{whole}/metrics", timeout=60) as answer,
        ):
            page = answer.read().decode()
        time.sleep(0.2)
    once = shop.vton("metrics", **ports)
    assert wanted[0] in once.out
    running.send_signal(signal.SIGINT)
    assert shop.end(running).code == 130


def test_the_page_is_served_on_its_own_until_the_command_is_ended(shop):
    assert shop.vton("metrics", "--serve").code == 7
    port = free_port()
    serving = shop.start("metrics", "--serve", VTON_METRICS__ALL_PORT=str(port))
    until, page = time.monotonic() + 300, ""
    while "vton_ledger_up 1.0" not in page:
        assert time.monotonic() < until
        with (
            suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer,
        ):
            page = answer.read().decode()
        time.sleep(0.2)
    serving.send_signal(signal.SIGTERM)
    assert shop.end(serving).code == 0


SUMMARY = {
    "batch": "b", "rows": 4, "status": {"succeeded": 3, "unknown": 1}, "retryable_rows": 0,
    "gaps_by_owner": {"ops": 1}, "completed_at": "2026-11-23T04:00:00.000Z",
}  # fmt: skip


def test_unknown_rows_make_an_end_critical_and_a_second_end_another_notice():
    notice = batch_over(SUMMARY, simulated=False)
    assert (notice.event, notice.severity, notice.facts["exit_code"]) == (Event.GAPS, "critical", 5)
    assert "may have been charged" in notice.todo
    again = batch_over({**SUMMARY, "completed_at": "2026-11-23T05:00:00.000Z"}, simulated=False)
    assert notice.key("vton") != again.key("vton")


def test_a_stop_says_why_first_and_what_to_do_after():
    notice = run_stopped("b", 7, "token: refused; jobs stay as they are")
    assert (notice.title, notice.todo) == ("b: ended early, code 7: token: refused", "jobs stay as they are")
    assert (notice.severity, run_stopped(None, 10, "x").severity) == ("critical", "warning")


def test_a_run_that_found_nothing_to_do_has_ended_too():
    before, later = "2026-11-23T03:00:00.000Z", "2026-11-24T03:00:00.000Z"
    assert (
        "vton retry b --simulate"
        in batch_over(SUMMARY | {"batch": "b", "retryable_rows": 1}, simulated=True).todo
    )
    worker = batch_over(SUMMARY, simulated=False)
    assert batch_over(SUMMARY, before, simulated=False).key("vton") == worker.key("vton"), (
        "it is the run's own batch: said once"
    )
    assert batch_over(SUMMARY, later, simulated=False).key("vton") != worker.key("vton")
