"""Each notice once over all processes, with a real Redis; one that fails is a line in the log and nothing more."""

import threading
from dataclasses import replace

import pytest
import structlog
from pydantic import SecretStr

from jobs.config.settings import LimitSettings, NotifySettings, Settings
from jobs.ledger import Ledger, steps
from jobs.ledger.records import Heartbeat
from jobs.notices.looking import Looking
from jobs.notices.notice import QUIET_S, Event, Notice
from jobs.notices.sender import AGAIN_S, Notices
from jobs.records import BatchId, RequestId
from jobs.redis.client import connect
from tests.driver import rid
from worker.collect.notices import NoticeLoop

SECRET = SecretStr("a secret of the shop")
NOTICE = Notice(event=Event.BREAKER, severity="critical", title="nothing is bought", cause="token")


@pytest.fixture
def settings(listener):
    return NotifySettings(webhook=SecretStr(listener.url), secret=SECRET, timeout_s=30)


def test_many_processes_send_a_notice_once(ledger, settings, listener):
    every = [Notices(Ledger(ledger.client, ledger.prefix), settings) for _ in range(8)]
    start, sent = threading.Barrier(8), []

    def send(one):
        start.wait()
        sent.append(one.send(NOTICE))

    threads = [threading.Thread(target=send, args=(one,)) for one in every]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sent) == [False] * 7 + [True]
    assert len(listener.came) == 1


def test_another_cause_batch_event_or_shop_is_another_notice(ledger, settings, listener):
    notices = Notices(ledger, settings)
    others = [
        NOTICE,
        replace(NOTICE, cause="credits"),
        replace(NOTICE, batch="b"),
        replace(NOTICE, event=Event.PAUSED),
    ]
    assert [notices.send(each) for each in [*others, *others]] == [True] * 4 + [False] * 4
    assert NOTICE.key("vton") != NOTICE.key("vton-simulated")
    assert len(listener.came) == 4


def test_a_cause_that_lasts_keeps_quiet_for_longer(ledger, settings):
    notices, key = Notices(ledger, settings), ledger.key("notice", NOTICE.key(ledger.prefix))
    assert notices.send(NOTICE)
    ledger.client.expire(key, 5)
    assert not notices.send(NOTICE)
    assert ledger.client.ttl(key) > QUIET_S - 600


def test_a_notice_that_nobody_took_is_tried_again_later_and_not_kept_quiet(ledger, settings, listener):
    listener.statuses = [500, 200]
    notices, key = Notices(ledger, settings), ledger.key("notice", NOTICE.key(ledger.prefix))
    with structlog.testing.capture_logs() as logs:
        assert not notices.send(NOTICE)
    assert [(one["event"], one["notice"], one["channel"], one["why"]) for one in logs] == [
        ("notice.failed", "breaker.opened", "webhook", "answered 500")
    ]
    assert not notices.send(NOTICE)
    assert 0 < ledger.client.ttl(key) <= AGAIN_S
    ledger.client.delete(key)  # its time is over
    assert notices.send(NOTICE)


def test_one_way_that_takes_it_is_enough(ledger, listener):
    ways = NotifySettings(command=("false",), webhook=SecretStr(listener.url), secret=SECRET, timeout_s=30)
    notices = Notices(ledger, ways)
    assert notices.send(NOTICE)
    assert not notices.send(NOTICE)


def test_a_way_that_hangs_is_left_behind(ledger, listener):
    listener.open.clear()
    ways = NotifySettings(webhook=SecretStr(listener.url), secret=SECRET, timeout_s=0.2)
    with structlog.testing.capture_logs() as logs:
        assert not Notices(ledger, ways).send(NOTICE)
    assert [one["event"] for one in logs] == ["notice.failed"]


def test_without_redis_it_is_sent_rather_than_lost(redis_settings, settings, listener):
    nowhere = redis_settings.model_copy(update={"url": SecretStr("redis://127.0.0.1:1")})
    client = connect(nowhere, db=1, patience_s=0.1)
    with structlog.testing.capture_logs():
        assert Notices(Ledger(client, "vton"), settings).send(NOTICE)
    client.close()
    assert len(listener.came) == 1


def test_without_a_way_nothing_is_asked_of_redis(redis_settings):
    client = connect(redis_settings, db=1, patience_s=0.1)
    assert not Notices(Ledger(client, "vton"), NotifySettings()).send(NOTICE)
    client.close()


# -- what is looked for --------------------------------------------------------------------------------------


def looking(ledger, settings, **limits):
    every = Settings(limits=LimitSettings(**limits), notify=settings)
    return Looking(ledger, every, Notices(ledger, settings))


def events(notices):
    return [(notice.event, notice.batch) for notice in notices]


def test_an_account_without_trouble_has_nothing_to_say(driver, settings):
    driver.admit("a", ["p", "q"], seal=True)
    driver.succeeded()
    assert looking(driver.ledger, settings).due() == []


def test_an_open_breaker_and_a_pause_are_said_with_their_words(driver, settings, listener):
    driver.gate(breaker="credits", breaker_why="no credits left", paused="disk full")
    sent = looking(driver.ledger, settings).look()
    assert {notice.event for notice in sent} == {Event.BREAKER, Event.PAUSED}
    assert any("no credits left" in notice.title and "vton resume" in notice.todo for notice in sent)
    assert looking(driver.ledger, settings).look() == []
    assert len(listener.came) == 2


def test_unknown_jobs_are_said_once_a_batch_when_they_are_old(driver, settings):
    driver.admit("a", ["p", "q"])
    driver.admit("b", ["p"])
    permits = [driver.unknown(), driver.unknown()]
    one = looking(driver.ledger, settings)
    assert one.due() == []
    for permit in permits:
        driver.score("unknown", permit.request_id, 0)
    found = {notice.batch: notice for notice in one.due()}
    assert {name: notice.facts["unknown"] for name, notice in found.items()} == {"a": 2, "b": 1}
    assert "vton settle a" in found["a"].todo
    assert len(one.look()) == 2
    assert one.look() == []


def lasted(ledger):
    """What every look has found so far has lasted since the ledger's first moment."""
    key = ledger.key("notice", "judged")
    for name, said in ledger.client.hgetall(key).items():
        ledger.client.hset(key, name, f"{said.split()[0]} 1")


def works(ledger):
    """A submit and a collect worker have lived for long, and say so."""
    for role in ("submit", "collect"):
        ledger.run(steps.heartbeat(role, Heartbeat(role=role, host="h", pid=1, version="0", up_ms=10**9)))


def test_work_that_nobody_does_is_said_when_every_look_has_found_it_so(driver, settings):
    driver.admit("a", ["p"], seal=True)
    one = looking(driver.ledger, settings)
    assert one.due() == [], "for the first time"
    assert one.due() == [], "it has not lasted"
    lasted(driver.ledger)
    (found,) = looking(driver.ledger, settings).due()
    assert (found.event, found.cause) == (Event.WORKERS, "liveness nobody")
    assert "no worker lives" in found.title
    assert "start the workers" in found.todo
    works(driver.ledger)
    assert one.due() == []
    assert not driver.ledger.client.exists(driver.ledger.key("notice", "judged"))


def test_another_trouble_of_the_same_judgement_has_to_last_anew(driver, settings):
    driver.admit("a", ["p", "q"], seal=True)
    driver.submitted()
    one = looking(driver.ledger, settings)
    one.due()
    lasted(driver.ledger)
    works(driver.ledger)
    for name in driver.members("due"):
        driver.score("due", name, 0)
    assert one.due() == [], "nobody asks, as of now"
    lasted(driver.ledger)
    assert events(one.due()) == [(Event.WORKERS, None)]


def test_a_look_keeps_the_ledger_as_it_was(driver, settings):
    """What looks remember of each other is gone by itself."""
    driver.admit("a", ["p"], seal=True)
    looking(driver.ledger, settings).due()
    assert 0 < driver.ledger.client.ttl(driver.ledger.key("notice", "judged")) <= QUIET_S


@pytest.mark.parametrize(
    ("gate", "limits"),
    [
        ({"paused": "by me"}, {}),
        ({"breaker": "vendor"}, {}),
        ({"closed_until": 10**15}, {}),
        ({"tat": 10**15}, {}),
        ({}, {"max_images_per_day": 1}),
        ({}, {"max_images_per_batch": 1}),
        ({}, {"in_flight": 1}),
    ],
)
def test_jobs_that_the_account_does_not_take_now_are_nobodys_fault(driver, settings, gate, limits):
    driver.admit("a", ["p", "q"])
    driver.submitted()
    driver.gate(**{"tat": 0, **gate})
    driver.ledger.client.hincrby(driver.ledger.key("clock"), "ahead", 300_000)
    # As a collect worker does, which asks and renews.
    for kind in ("due", "leases"):
        for name in driver.members(kind):
            driver.score(kind, name, 10**15)
    works(driver.ledger)
    one = looking(driver.ledger, settings, **limits)
    one.due()
    lasted(driver.ledger)
    found = one.due()
    assert Event.WORKERS not in {notice.event for notice in found}


def test_a_worker_that_lives_and_takes_nothing_is_said(driver, settings):
    driver.admit("a", ["p", "q"], seal=True)
    driver.ledger.client.hincrby(driver.ledger.key("clock"), "ahead", 300_000)
    works(driver.ledger)
    one = looking(driver.ledger, settings)
    one.due()
    lasted(driver.ledger)
    (found,) = one.due()
    assert (found.event, found.cause) == (Event.WORKERS, "flow unsent")


def test_a_judgement_is_said_in_the_words_of_the_verdict_and_a_budget_is_no_alarm(driver, settings):
    driver.admit("a", ["p", "q"], seal=True)
    driver.submitted()
    works(driver.ledger)
    one = looking(driver.ledger, settings, max_images_per_day=1)
    one.due()
    lasted(driver.ledger)
    (found,) = one.due()
    assert (found.event, found.severity, found.cause) == (Event.WRONG, "warning", "flow budget")
    assert (
        found.title
        == "flow: 2 rows open; the day's budget of 1 pictures is reached (limits.max_images_per_day)"
    )
    assert found.todo == "ops: raise it and start the workers again, or wait for the next UTC day"


@pytest.mark.parametrize(("still_open", "said"), [(1, [(Event.WRONG, None)]), (0, [])])
def test_that_nearly_everything_fails_is_said_while_something_can_be_saved(
    driver, settings, still_open, said
):
    driver.admit("a", [f"p{n}" for n in range(10 + still_open)], seal=True)
    for _ in range(10):
        driver.failed(retryable=False)
    works(driver.ledger)
    one = looking(driver.ledger, settings)
    one.due()
    lasted(driver.ledger)
    assert events(one.due()) == said


def test_whoever_opens_the_gate_first_needs_no_worker_before(driver, settings):
    """Nobody lives, and nothing could be bought: the pause alone is said, until it ends."""
    driver.admit("a", ["p"], seal=True)
    driver.gate(paused="stocktaking")
    one = looking(driver.ledger, settings)
    one.due()
    lasted(driver.ledger)
    assert events(one.due()) == [(Event.PAUSED, None)]


def test_tasks_that_nobody_asks_for_are_said(driver, settings):
    driver.admit("a", ["p"])
    driver.score("due", driver.submitted().request_id, 0)
    driver.ledger.seal(BatchId("a"))
    works(driver.ledger)
    one = looking(driver.ledger, settings)
    one.due()
    lasted(driver.ledger)
    (found,) = one.due()
    assert (found.event, found.cause) == (Event.WORKERS, "liveness nobodys")


@pytest.mark.parametrize(("minutes", "said"), [(5, 1), (60, 0)])
def test_a_deadline_that_the_accounts_rate_does_not_reach_is_in_danger(driver, settings, minutes, said):
    driver.admit("a", [f"p{n}" for n in range(20)], seal=True)
    one = looking(driver.ledger, settings, images_per_minute=1)
    now_ms = int(driver.ledger.client.time()[0]) * 1000
    driver.ledger.set_deadline(BatchId("a"), now_ms + minutes * 60_000)
    assert events(one.due()) == [(Event.DEADLINE, "a")] * said
    driver.ledger.set_deadline(BatchId("a"), None)
    assert one.due() == []


def test_the_loop_of_a_worker_looks_until_it_is_stopped(driver, settings, listener):
    import asyncio

    driver.gate(breaker="token", breaker_why="refused")
    loop = NoticeLoop(looking(driver.ledger, settings), 0.01)

    async def play():
        running = asyncio.create_task(loop.run())
        while not listener.came:  # noqa: ASYNC110 it happens in another thread
            await asyncio.sleep(0.01)
        loop.stop()
        await running

    asyncio.run(play())
    assert len(listener.came) == 1


def test_the_loop_without_a_way_is_over_at_once():
    import asyncio

    asyncio.run(NoticeLoop(None, 1).run())


def test_an_unknown_job_of_nobody_is_no_batchs(driver, settings):
    driver.admit("a", ["p"])
    permit = driver.unknown()
    driver.score("unknown", permit.request_id, 0)
    driver.ledger.client.hset(driver.ledger.key("job", RequestId(rid("p"))), "refs", "")
    assert looking(driver.ledger, settings).due() == []
