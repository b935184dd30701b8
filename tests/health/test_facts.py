"""The facts as the ledger has them, and the heartbeats that live processes leave in it."""

import os
import socket
import threading
import time
from importlib.metadata import version

import pytest

from jobs.config.settings import LimitSettings
from jobs.errors import RedisDownError
from jobs.health.heartbeats import Heartbeats
from jobs.health.reading import read_facts
from jobs.ledger import decode_heartbeats, steps
from jobs.ledger.intents import IntentJournals
from jobs.ledger.records import Heartbeat
from jobs.producing import control
from jobs.records import BatchId, JobState
from tests.driver import rid

PATIENCE_S = 400


def facts(driver, **options):
    limits = LimitSettings(in_flight=3, images_per_minute=20, **options.pop("budgets", {}))
    return read_facts(driver.ledger, limits, latency_s=12, **options)


def beats(ledger):
    return decode_heartbeats(ledger.client.hgetall(ledger.key("heartbeats")))


def until(holds):
    """Waits for something that comes by itself, however busy the machine is."""
    ends = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < ends
        time.sleep(0.02)
    return found


def test_an_empty_ledger_has_facts_too(driver):
    found = facts(driver)
    assert (found.batches, found.processes, found.ends, found.queued) == ((), (), (), 0)
    assert found.latency_s == 12


def test_what_was_typed_for_a_batch_is_what_is_advised(driver):
    driver.admit("a", ["x"], seal=True)
    assert facts(driver).run == "vton run MANIFEST"
    driver.ledger.set_words(BatchId("a"), ["/shop/list.csv", "--again", "spring sale"])
    assert facts(driver).run == "vton run /shop/list.csv --again 'spring sale'"


def test_what_waits_runs_ended_and_is_unknown_is_counted(driver):
    driver.admit("a", ["u", "s", "f", "run", "wait", None], seal=True)
    driver.unknown()
    driver.succeeded()
    driver.failed(retryable=False)
    driver.submitted()
    found = facts(driver)
    assert (found.queued, found.ahead, found.slots, found.tasks, found.unknown) == (1, 1, 2, 1, 1)
    assert found.open_rows == 2
    assert found.begun_ms <= found.unknown_ms <= found.read_ms
    assert {end.state for end in found.ends} == {JobState.SUCCEEDED, JobState.FAILED, JobState.UNKNOWN}
    assert [end.kind for end in found.ends if end.state is JobState.FAILED] == ["task_failed"]
    assert found.latency_s > 0
    assert found.named == "a"


@pytest.mark.parametrize(("options", "most"), [({}, 4), ({"failures": False, "newest": 50}, 3)])
def test_facts_take_few_round_trips_however_much_there_is(driver, options, most, monkeypatch):
    """Budgets and several batches with lines, ends and unknown jobs included."""
    for name in "abc":
        driver.admit(name, [f"{name}{n}" for n in range(8)], seal=True)
        driver.succeeded()
        driver.unknown()
    budgets = {"max_images_per_day": 100, "max_images_per_batch": 50}
    facts(driver, budgets=budgets, **options)
    trips = []
    pool = driver.ledger.client.connection_pool
    take = pool.get_connection
    monkeypatch.setattr(
        pool, "get_connection", lambda *words, **named: trips.append(1) or take(*words, **named)
    )
    assert facts(driver, budgets=budgets, **options).spent_today == 6
    assert len(trips) <= most


def test_without_reasons_the_pace_is_the_same(driver):
    """Whoever looks often does without why jobs ended, and does not count what had ended before."""
    driver.admit("a", ["x"], seal=True)
    driver.succeeded()
    time.sleep(0.002)
    driver.admit("b", ["x", "y", "z"], seal=True)
    driver.succeeded()
    driver.failed(retryable=False)
    short, whole = facts(driver, only=BatchId("b"), failures=False), facts(driver, only=BatchId("b"))
    assert len(short.ends) == len(whole.ends) == 2
    assert [end.bad for end in short.ends] == [False, False]
    assert all(abs(one.at_ms - other.at_ms) < 1000 for one, other in zip(short.ends, whole.ends, strict=True))


def test_whoever_has_to_write_files_is_seen_until_it_has(driver):
    driver.admit("a", ["x"], seal=True)
    driver.succeeded()
    assert set(facts(driver).unwritten) == {"a"}
    driver.ledger.deactivate(BatchId("a"), driver.ledger.last_entry(BatchId("a")))
    assert facts(driver).unwritten == {}
    # The newest alone, and still all with something to write.
    driver.admit("b", ["y"])
    driver.admit("c", ["z"])
    assert {batch.batch_id for batch in facts(driver, newest=1).batches} == {"b", "c"}


def test_a_manifest_is_waited_for_unless_its_batch_was_cancelled(driver, queue):
    driver.admit("a", ["x"])
    found = facts(driver)
    assert 0 <= found.read_ms - found.given_ms["a"] < PATIENCE_S * 1000
    control.cancel(driver.ledger, queue, BatchId("a"))
    assert facts(driver).given_ms == {}


def test_a_batch_alone_waits_for_its_turn_among_the_others(driver):
    driver.admit("a", ["a1", "a2"], seal=True)
    driver.admit("b", [f"b{n}" for n in range(10)], seal=True)
    small = facts(driver, only=BatchId("a"))
    assert ([batch.batch_id for batch in small.batches], small.queued, small.ahead) == (["a"], 2, 4)
    large = facts(driver, only=BatchId("b"))
    assert (large.queued, large.ahead) == (10, 12)
    assert facts(driver).ahead == 12
    assert facts(driver, only=BatchId("c")).batches == ()


def test_what_an_earlier_batch_has_bought_is_no_end_of_this_one(driver):
    driver.admit("a", ["x"], seal=True)
    driver.succeeded()
    time.sleep(0.002)
    driver.admit("b", ["x", "y"], seal=True)
    assert facts(driver, only=BatchId("b")).ends == ()
    driver.succeeded()
    assert len(facts(driver, only=BatchId("b")).ends) == 1


def test_tasks_that_nobody_asks_about_and_requests_of_the_dead_are_seen(driver):
    driver.admit("a", ["x", "y"], seal=True)
    job = driver.submitted()
    driver.submitting()
    assert (facts(driver).overdue_ms, facts(driver).unanswered_ms) == (0, 0)
    now_ms = facts(driver).read_ms
    driver.score("due", job.request_id, now_ms - 90_000)
    driver.score("posting", rid("y"), now_ms - 70_000)
    assert facts(driver).overdue_ms >= 90_000
    assert facts(driver).unanswered_ms >= 70_000


def test_a_budget_counts_when_it_keeps_all_that_waits(driver):
    driver.admit("a", ["x", "y"], seal=True)
    driver.submitted()
    spent = {"budgets": {"max_images_per_batch": 1}}
    assert "budget of 1 pictures" in facts(driver, **spent).budget
    driver.admit("b", ["z"], seal=True)
    assert facts(driver, **spent).budget == ""
    assert "the day's budget" in facts(driver, budgets={"max_images_per_day": 1}).budget


def test_a_runs_deadline_counts_as_long_as_its_batch_is_open(driver, redis_settings):
    driver.admit("a", ["x"])
    with Heartbeats(redis_settings, "run", batch="a", left_ms=lambda: 60_000):
        until(lambda: beats(driver.ledger))
        found = facts(driver)
        assert 0 < found.deadlines["a"] - found.read_ms <= 60_000
        assert facts(driver, deadline_ms=5).deadline_ms == 5
        driver.submitted()
        driver.ledger.run(steps.ended(rid("x"), "task-1", ["https://x/a.jpg"], "poll", 9))
        driver.ledger.run(steps.succeed(rid("x"), [], None))
        driver.ledger.seal(BatchId("a"))
        assert facts(driver).deadlines == {}


def test_a_process_says_who_it_is_and_leaves_in_order(ledger, redis_settings):
    with Heartbeats(redis_settings, "submit"):
        (said,) = until(lambda: beats(ledger))
        assert (said.role, said.host, said.pid) == ("submit", socket.gethostname(), os.getpid())
        assert said.version == version("vton-batch")
        assert said.idle_ms is None
        assert abs(said.at_ms - time.time() * 1000) < PATIENCE_S * 1000
        assert ledger.client.pttl(ledger.key("heartbeats")) > 0
    assert beats(ledger) == []


def test_the_last_act_is_when_the_counted_ones_became_more(ledger, redis_settings):
    acts = [0]
    with Heartbeats(redis_settings, "collect", acts=lambda: acts[0], every_s=0.01):
        until(lambda: beats(ledger))
        acts[0] += 1
        (acted,) = until(lambda: [each for each in beats(ledger) if each.idle_ms is not None])
        (later,) = until(lambda: [each for each in beats(ledger) if (each.idle_ms or 0) > acted.idle_ms])
        assert later.up_ms - later.idle_ms == pytest.approx(acted.up_ms - acted.idle_ms, abs=2)


def test_one_heartbeat_is_one_command(driver, redis_settings):
    """Of the client; what the script does inside the server is no round trip."""
    client = driver.ledger.client
    before = client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]
    driver.ledger.run(steps.heartbeat("p", said()))
    client.config_resetstat()
    for _ in range(5):
        driver.ledger.run(steps.heartbeat("p", said()))
    assert before >= 0
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == 5


def said():
    return Heartbeat(role="submit", host="h", pid=1, version="0", up_ms=1)


class Counted(IntentJournals):
    """Counts how often orders are brought in."""

    times = 0

    def bring_in(self, ledger):
        self.times += 1
        return super().bring_in(ledger)


def test_a_heartbeat_is_one_command_while_no_orders_are_awaited(driver, redis_settings, tmp_path):
    ledger, journals, beaten = driver.ledger, Counted(tmp_path), []
    given = {"heard": lambda: beaten.append(1), "every_s": 0.01, "journals": journals}
    with Heartbeats(redis_settings, "submit", **given):
        until(lambda: len(beaten) > 5)
        assert journals.times == 0
        found = {"since": ledger.now_ms(), "base": 0, "most": 0, "brought": 0, "paused": ""}
        ledger.client.hset(ledger.key("recovery"), mapping=found)
        until(lambda: journals.times)


def test_who_is_silent_for_an_hour_is_dropped(driver):
    ledger = driver.ledger
    ledger.run(steps.heartbeat("p", said()))
    now_ms = ledger.now_ms()
    ledger.client.hset(ledger.key("heartbeats"), "old", f"{now_ms - steps.SILENT_MS - 1} {{}}")
    ledger.client.hset(ledger.key("heartbeats"), "killed", f"{now_ms - steps.SILENT_MS + 60_000} {{}}")
    ledger.run(steps.heartbeat("p", said()))
    assert set(ledger.client.hgetall(ledger.key("heartbeats"))) == {"p", "killed"}


def test_what_a_newer_version_says_of_itself_is_read_or_passed_over(driver):
    ledger = driver.ledger
    ledger.run(steps.heartbeat("p", said()))
    text = ledger.client.hget(ledger.key("heartbeats"), "p")
    ledger.client.hset(
        ledger.key("heartbeats"),
        mapping={"more": text.replace("{", '{"new":1,', 1), "odd": "1 {", "none": "", "role": "1 {}"},
    )
    assert [each.host for each in beats(ledger)] == ["h", "h"]


def test_heartbeats_outlast_a_redis_that_is_away(redis_settings, monkeypatch, ledger):
    failed = threading.Event()
    heartbeats = Heartbeats(redis_settings, "submit", every_s=0.01)
    run = heartbeats._ledger.run
    tries = iter([None])

    def away_once(call):
        if next(tries, 1) is None:
            failed.set()
            raise RedisDownError("away")
        return run(call)

    # The outage itself is Redis' own affair, which other tests have; here the thread must live on.
    monkeypatch.setattr(type(heartbeats._ledger), "run", lambda _, call: away_once(call))
    with heartbeats:
        until(lambda: beats(ledger))
    assert failed.is_set()
