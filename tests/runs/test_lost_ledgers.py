"""A ledger that is gone, another one or older than what was seen of it: nothing is bought until a person has looked."""

import re
import shutil

import pytest
import redis

from jobs.local.redis_server import EmbeddedRedis

MANIFEST = "batch.csv"


@pytest.fixture
def bought(shop):
    """Six pairs bought, and Redis' files as they were after the first three."""
    shop.run(shop.urls(3, name="evening.csv"))
    shutil.copytree(shop.folder / ".vton" / "redis", shop.folder / "copy")
    ended = shop.vton("run", shop.urls(6), "-o", "out")
    assert ended.code == 0
    assert len(shop.vendor.submits) == 6
    return shop.batch(ended)


def restore_copy(shop):
    shutil.rmtree(shop.folder / ".vton" / "redis")
    (shop.folder / "copy").rename(shop.folder / ".vton" / "redis")


def test_an_older_append_only_file_buys_nothing_until_a_person_says_so(shop, bought):
    restore_copy(shop)
    planned = shop.vton("plan", MANIFEST)
    assert (planned.code, "counts 3 orders, but 6 were seen" in planned.err) == (0, True)
    ended = shop.vton("run", MANIFEST, "-o", "out")
    assert ended.code == 7
    assert "counts 3 orders, but 6 were seen" in ended.err
    assert "vton recover --all" in ended.err
    recovered = shop.vton("recover", "--all")
    assert recovered.code == 0
    assert f"{bought.folder.name}: 3 with their picture, 3 known already" in recovered.out
    assert "--accept-new-ledger" in recovered.out
    assert shop.vton("enqueue", MANIFEST).code == 7, "a person has to say it"
    ended = shop.vton("run", MANIFEST, "-o", "out", "--accept-new-ledger")
    assert ended.code == 0
    assert shop.batch(ended).statuses() == ["succeeded"] * 6
    assert len(shop.vendor.submits) == 6
    assert shop.vton("enqueue", MANIFEST).code == 0, "it is said once"


def test_a_lost_data_folder_buys_nothing_and_leaves_the_results_as_they_are(shop, bought):
    before = (bought.folder / "results.jsonl").read_bytes()
    shutil.rmtree(shop.folder / ".vton")
    planned = shop.vton("plan", MANIFEST)
    assert planned.code == 0
    refused = shop.vton("run", MANIFEST, "-o", "out")
    assert refused.code == 7
    looked = shop.vton("status")
    assert looked.code == 7
    assert "would be bought again" in looked.out
    assert "would be bought again" in shop.vton("doctor").out
    for ended in (refused, planned):
        assert "has results of another ledger" in ended.err
        assert f"the data folder {shop.folder}/.vton is new" in ended.err
    assert (bought.folder / "results.jsonl").read_bytes() == before
    assert len(shop.vendor.submits) == 6
    edited = shop.urls(7, name="edited.csv")
    assert shop.vton("enqueue", edited, VTON_DATA_DIR="elsewhere").code == 7, (
        "an edited manifest is another batch"
    )
    assert f"{bought.folder.name}: 6 with their picture" in shop.vton("recover", bought.folder.name).out
    ended = shop.vton("run", MANIFEST, "-o", "out", "--accept-new-ledger")
    assert ended.code == 0
    assert len(shop.vendor.submits) == 6


def test_a_run_notices_a_ledger_that_goes_back_under_it(shop):
    shop.vendor.set(latency_s=600)
    running = shop.start("run", shop.urls(30), "-o", "out", VTON_LIMITS__IN_FLIGHT="3")
    shop.vendor.wait_for(lambda vendor: len(vendor.submits) == 3)
    with EmbeddedRedis(shop.folder / ".vton") as server, redis.Redis.from_url(server.url, db=1) as client:
        client.hset("vton:meta", "orders", 1)
    ended = shop.end(running)
    assert ended.code == 7
    assert re.search("counts 1 orders, but [23] were seen", ended.err)
    assert len(shop.vendor.submits) == 3


def test_what_was_tried_with_the_simulator_stands_in_nobodys_way(shop):
    assert shop.vton("run", shop.urls(2), "-o", "out", "--simulate").code == 0
    assert shop.vton("run", MANIFEST, "-o", "out").code == 0
    assert len(shop.vendor.submits) == 2
    ended = shop.vton("run", MANIFEST, "-o", "out", "--simulate")
    assert ended.code == 7
    assert "results that were not simulated" in ended.err


def test_a_refused_run_moves_no_results(shop):
    manifest = shop.urls(2)
    assert shop.vton("run", manifest, "--simulate", "-o", "out").code == 0
    folder = shop.only_batch().folder
    before = {path.name for path in folder.iterdir()}
    refused = shop.vton("run", manifest, "-o", "out", HIDREAM_TOKEN="")
    assert (refused.code, "no token" in refused.err) == (7, True)
    assert {path.name for path in folder.iterdir()} == before


def test_a_simulated_run_never_writes_over_real_results(shop, bought):
    ended = shop.vton("run", MANIFEST, "--simulate", "-o", "out")
    assert ended.code == 7
    assert "has results that were not simulated. Name another folder: --output FOLDER" in ended.err
    assert "recover" not in ended.err


def test_what_a_lost_simulator_has_drawn_is_never_taken_for_bought(shop):
    ended = shop.vton("run", shop.urls(2), "-o", "out", "--simulate")
    name = shop.batch(ended).folder.name
    shutil.rmtree(shop.folder / ".vton")
    assert shop.vton("status").code == 0
    recovered = shop.vton("recover", "--all")
    assert recovered.out == f"{name}: simulated, nothing of it was bought: left as it is\n"
    assert shop.vton("run", MANIFEST, "-o", "out").code == 0
    assert len(shop.vendor.submits) == 2
    assert shop.vton("recover", name, "--simulate").out == f"{name}: not simulated: left as it is\n"


def test_a_lost_simulator_is_begun_anew_and_its_drawings_are_kept_aside(shop):
    ended = shop.vton("run", shop.urls(2), "-o", "out", "--simulate")
    folder = shop.batch(ended).folder
    shutil.rmtree(shop.folder / ".vton")
    assert shop.vton("run", MANIFEST, "-o", "out", "--simulate").code == 0
    assert len(list(folder.glob("results.*.jsonl"))) == 1


def test_advice_for_a_lost_simulator_is_about_the_simulator(shop):
    assert shop.vton("run", shop.urls(2), "-o", "out", "--simulate").code == 0
    shutil.rmtree(shop.folder / ".vton" / "simulated" / "redis")
    ended = shop.vton("run", MANIFEST, "-o", "out", "--simulate")
    assert ended.code == 7
    assert "vton recover --all --simulate" in ended.err


def test_a_copied_data_folder_buys_nothing_until_a_person_says_so(shop):
    shop.run(shop.urls(2))
    shutil.copytree(shop.folder / ".vton", shop.folder / "copy", ignore=shutil.ignore_patterns("*.sock"))
    elsewhere = {"VTON_DATA_DIR": str(shop.folder / "copy")}
    more = shop.urls(3, name="more.csv")
    ended = shop.vton("run", more, "-o", "out-of-the-copy", **elsewhere)
    assert ended.code == 7
    assert "is a copy of another data folder, or was restored" in ended.err
    assert len(shop.vendor.submits) == 2
    accepted = shop.vton("run", more, "-o", "out-of-the-copy", "--accept-new-ledger", **elsewhere)
    assert accepted.code == 0
    assert shop.vton("run", more, "-o", "out-of-the-copy", **elsewhere).code == 0
    (shop.folder / ".vton").rename(shop.folder / "moved")
    assert shop.vton("status", VTON_DATA_DIR=str(shop.folder / "moved")).code == 0
