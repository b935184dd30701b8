"""`vton prune` beside a vendor's own books: what was bought is not bought again, whoever is killed when."""

import json
import os
import signal
import time

import pytest
import redis

from jobs.failpoints import ARMED_BY, PRUNING
from jobs.local.redis_server import EmbeddedRedis


def make_old(shop):
    """The data folder's files are of the day before yesterday."""
    then = time.time() - 2 * 86_400
    for path in (shop.folder / ".vton").rglob("*"):
        if path.is_file() and "redis" not in path.parts:
            os.utime(path, (then, then))


def stored(shop):
    return {path.name for path in (shop.folder / ".vton" / "pictures").glob("??/*")}


def test_what_another_batch_needs_stays(shop):
    first = shop.run(shop.urls(6, name="evening.csv"))
    shop.vton("run", shop.urls(3, name="next.csv"), "-o", "out")
    make_old(shop)
    planned = json.loads(shop.vton("prune", "--older-than", "0s", "--dry-run", "--json").out)
    assert (planned["rows"], planned["jobs"], planned["pictures"]) == (9, 6, 6)
    assert len(stored(shop)) == 6, "nothing was changed"
    # It has one row more now, which has not ended.
    assert shop.vton("enqueue", shop.urls(4, name="third.csv")).code == 0
    gone = json.loads(shop.vton("prune", "--older-than", "0s", "--json").out)
    assert first.folder.name in gone["batches"]
    assert "open" not in gone["batches"]
    assert len(stored(shop)) == 4, "a batch that has not ended wants them"


@pytest.mark.parametrize(
    "place",
    [*PRUNING[1:3], *(pytest.param(each, marks=pytest.mark.slow) for each in (PRUNING[0], *PRUNING[3:]))],
)
def test_killed_anywhere_the_same_command_goes_on_and_nothing_is_bought_twice(shop, place):
    batch = shop.run(shop.urls(4))
    make_old(shop)
    killed = shop.start("prune", "--older-than", "0s", **{ARMED_BY: place})
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    # Who was killed while it held the exporter's lease keeps it for a moment.
    ended = shop.vton("prune", "--older-than", "0s")
    assert ended.code == 0, ended.err
    assert stored(shop) == set()
    assert shop.vton("status").out.startswith("no batch yet")
    assert (batch.folder / "results.csv").exists(), "it is the shop's"
    planned = json.loads(shop.vton("plan", "batch.csv", "--json").out)
    assert (planned["new"], planned["bought_before"]) == (0, 4)
    again = shop.vton("run", "batch.csv", "-o", "out")
    assert again.code == 6
    assert [line["error"]["class"] for line in batch.lines] == ["bought_before"] * 4
    assert len(shop.vendor.submits) == 4
    assert shop.vton("retry", batch.folder.name, "--lost").code == 2, "a person has to say it"
    assert shop.vton("retry", batch.folder.name, "--lost", "--yes").code == 0
    assert shop.vton("run", "batch.csv", "-o", "out").code == 0
    assert len(shop.vendor.submits) == 8


def test_a_run_finishes_what_a_killed_prune_has_begun(shop):
    batch = shop.run(shop.urls(4))
    killed = shop.start("prune", "--older-than", "0s", **{ARMED_BY: "prune_begun"})
    killed.communicate()
    assert shop.vton("run", "batch.csv", "-o", "out").code == 6
    assert batch.summary["status"] == {"failed": 4}
    assert len(shop.vendor.submits) == 4


def test_pictures_of_the_batch_folder_come_back_and_nothing_is_bought(shop):
    batch = shop.run(shop.urls(3))
    make_old(shop)
    assert shop.vton("prune", "--older-than", "0s").code == 0
    assert stored(shop) == set()
    assert "3 with their picture" in shop.vton("recover", batch.folder.name).out
    assert len(stored(shop)) == 3
    assert shop.vton("run", "batch.csv", "-o", "out").code == 0
    assert batch.statuses() == ["succeeded"] * 3
    assert len(shop.vendor.submits) == 3


def _listed(shop):
    return json.loads(shop.vton("status", "--json").out)["batches"]


def test_a_run_prunes_what_is_older_than_is_kept_and_results_go_when_asked(shop):
    batch = shop.run(shop.urls(2))
    keep = {"VTON_DATA__KEEP_DAYS": "1"}
    assert shop.vton("run", shop.urls(1, name="next.csv", prefix="h"), "-o", "out", **keep).code == 0
    assert len(_listed(shop)) == 2, "both are young"
    with EmbeddedRedis(shop.folder / ".vton") as server, redis.Redis.from_url(f"{server.url}?db=1") as client:
        client.hset(f"vton:batch:{batch.folder.name}", mapping={"completed_ms": 1, "opened_ms": 1})
    ended = shop.vton("run", "next.csv", "-o", "out", **keep)
    assert [event["batches"] for event in ended.events if event["event"] == "ledger.pruned"] == [
        [batch.folder.name]
    ]
    assert len(_listed(shop)) == 1
    (left,) = [path for path in (shop.folder / "out").iterdir() if path != batch.folder]
    assert shop.vton("prune", "--older-than", "0s", "--results", "-o", "out").code == 0
    assert (batch.folder.exists(), left.exists()) == (True, False), "the former one went without its folder"


def test_a_lost_ledger_prunes_nothing(shop):
    shop.run(shop.urls(2))
    make_old(shop)
    for path in (shop.folder / ".vton" / "redis").iterdir():
        if path.name.startswith("appendonly") or path.name.endswith((".aof", ".rdb")):
            path.rename(shop.folder / path.name)
    refused = shop.vton("prune", "--older-than", "0s")
    assert refused.code == 7
    assert "nothing was pruned" in refused.err
    assert len(stored(shop)) == 2
