"""Back-ups and moves of a ledger: what was bought is not bought again, whichever server has it, whoever was killed."""

import json
import shutil
import signal
import time

import pytest
import redis

from jobs.failpoints import ARMED_BY, MOVING
from jobs.local.redis_server import EmbeddedRedis


def wait_for_the_workers(shop, *words, **env):
    """The workers of a run that has just ended are taken for living ones for a moment."""
    while (ended := shop.vton(*words, **env)).code == 7 and "lived within" in ended.err:
        time.sleep(1)
    return ended


def forget_the_workers(shop, url):
    """As if that moment were over."""
    with redis.Redis.from_url(url, db=0) as client:
        assert client.delete(f"{shop.env['VTON_REDIS__PREFIX']}:__heartbeats__")


@pytest.fixture
def backed_up(shop):
    """Three pairs bought and backed up, then three more bought."""
    shop.run(shop.urls(3, name="evening.csv"))
    made = shop.vton("backup", "ledger.backup")
    assert made.code == 0, made.err
    assert "3 orders" in made.out
    ended = shop.vton("run", shop.urls(6), "-o", "out")
    assert ended.code == 0
    return shop.batch(ended)


def lose_ledger(shop, *, mark):
    shutil.rmtree(shop.folder / ".vton" / "redis")
    if not mark:
        (shop.folder / ".vton" / "ledger-vton.json").unlink()


@pytest.mark.parametrize("mark", [True, False], ids=["mark", "no mark"])
def test_what_was_bought_since_the_backup_is_not_bought_again(shop, backed_up, mark):
    lose_ledger(shop, mark=mark)
    back = shop.vton("restore", "ledger.backup", "-o", "out")
    assert back.code == 0, back.err
    assert "WARNING" in back.out
    assert f"{backed_up.folder.name}: 3 with their picture, 3 known already" in back.out
    refused = shop.vton("run", "batch.csv", "-o", "out")
    assert refused.code == 7
    again = shop.vton("run", "batch.csv", "-o", "out", "--accept-new-ledger")
    assert again.code == 0, again.err
    assert shop.batch(again).statuses() == ["succeeded"] * 6
    assert len(shop.vendor.submits) == 6


def test_what_was_bought_since_and_no_result_knows_waits_for_a_person(shop, backed_up):
    lose_ledger(shop, mark=False)
    shutil.rmtree(shop.folder / "out")
    assert shop.vton("restore", "ledger.backup", "-o", "out").code == 0
    refused = shop.vton("run", "batch.csv", "-o", "out")
    assert refused.code == 7
    assert len(shop.vendor.submits) == 6
    assert "restored from a back-up" in shop.vton("status").out


def test_a_ledger_that_is_there_or_a_broken_backup_changes_nothing(shop, backed_up):
    refused = shop.vton("restore", "ledger.backup")
    assert refused.code == 7
    assert "already" in refused.err
    (shop.folder / "broken").write_bytes((shop.folder / "ledger.backup").read_bytes()[:-20])
    lose_ledger(shop, mark=True)
    assert shop.vton("restore", "broken").code == 7
    assert shop.vton("restore", "none").code == 4
    assert shop.vton("backup", "ledger.backup").code == 7, "a lost ledger is not written over a good back-up"


def test_a_backup_without_later_orders_goes_on_as_before(shop):
    shop.run(shop.urls(3))
    assert shop.vton("backup", "ledger.backup").code == 0
    shutil.rmtree(shop.folder / ".vton" / "redis")
    back = shop.vton("restore", "ledger.backup", "-o", "out")
    assert "nothing was bought since" in back.out
    ended = shop.vton("run", "batch.csv", "-o", "out")
    assert ended.code == 0, ended.err
    assert len(shop.vendor.submits) == 3


def test_a_fail_over_since_the_backup_shuts_nobody_out(shop):
    shop.run(shop.urls(3))
    assert shop.vton("backup", "ledger.backup").code == 0
    mark = shop.folder / ".vton" / "ledger-vton.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"term": "1-12345678"}))
    lose_ledger(shop, mark=True)
    assert shop.vton("restore", "ledger.backup", "-o", "out").code == 0
    ended = shop.vton("run", shop.urls(4), "-o", "out")
    assert ended.code == 0, ended.err
    assert len(shop.vendor.submits) == 4


@pytest.fixture
def elsewhere(redis_settings, ledger):
    """Settings of a command whose Redis is the test's own one."""
    assert ledger.prefix == redis_settings.prefix
    return {"VTON_REDIS__URL": redis_settings.url.get_secret_value()}


def test_it_moves_to_ones_own_redis_and_back_and_buys_nothing_twice(shop, elsewhere, redis_settings):
    shop.env["VTON_REDIS__PREFIX"] = redis_settings.prefix
    shop.run(shop.urls(3))
    with EmbeddedRedis(shop.folder / ".vton") as server:
        forget_the_workers(shop, server.url)
    moved = shop.vton("move-ledger", elsewhere["VTON_REDIS__URL"])
    assert moved.code == 0, moved.err
    closed = shop.vton("run", shop.urls(4), "-o", "out")
    assert closed.code == 7
    assert "was moved to" in closed.err
    for words in (["status"], ["doctor"]):
        told = shop.vton(*words)
        assert told.code == 7
        assert "set redis.url (VTON_REDIS__URL) to it, or move it back by vton move-ledger" in told.out
        assert "--accept-new-ledger" not in told.out
    there = shop.vton("run", "batch.csv", "-o", "out", **elsewhere)
    assert there.code == 0, there.err
    assert len(shop.vendor.submits) == 4
    forget_the_workers(shop, elsewhere["VTON_REDIS__URL"])
    back = shop.vton("move-ledger", "embedded", **elsewhere)
    assert back.code == 0, back.err
    assert shop.vton("run", "batch.csv", "-o", "out", **elsewhere).code == 7
    assert "leave redis.url (VTON_REDIS__URL) empty" in shop.vton("status", **elsewhere).out
    assert shop.vton("run", shop.urls(5), "-o", "out").code == 0
    assert len(shop.vendor.submits) == 5


@pytest.mark.parametrize(
    "place", [MOVING[1], *(pytest.param(each, marks=pytest.mark.slow) for each in (MOVING[0], *MOVING[2:]))]
)
def test_killed_anywhere_neither_buys_before_the_same_command_has_ended_it(
    shop, elsewhere, redis_settings, place
):
    shop.env["VTON_REDIS__PREFIX"] = redis_settings.prefix
    shop.vton("enqueue", shop.urls(2))
    killed = shop.start("move-ledger", elsewhere["VTON_REDIS__URL"], **{ARMED_BY: place})
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    for env in ({}, elsewhere):
        assert shop.vton("run", "batch.csv", "-o", "out", **env).code == 7
    assert shop.vendor.submits == []
    moved = wait_for_the_workers(shop, "move-ledger", elsewhere["VTON_REDIS__URL"])
    assert moved.code == 0, moved.err
    assert shop.vton("run", "batch.csv", "-o", "out", **elsewhere).code == 0
    assert len(shop.vendor.submits) == 2


def test_a_ledger_that_somebody_works_with_stays(shop, elsewhere, redis_settings):
    shop.env["VTON_REDIS__PREFIX"] = redis_settings.prefix
    shop.run(shop.urls(1))
    refused = shop.vton("move-ledger", elsewhere["VTON_REDIS__URL"])
    assert refused.code == 7
    assert "lived within" in refused.err
    assert shop.vton("run", shop.urls(2), "-o", "out").code == 0
