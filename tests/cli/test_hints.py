"""Commands that find nothing say where there is something."""

import json
import re
import shlex
from importlib.metadata import version


def test_the_version_is_the_packages(shop):
    ended = shop.vton("--version")
    assert (ended.code, ended.out) == (0, f"vton {version('vton-batch')}\n")


def test_a_retry_of_nothing_names_the_options_that_would_find_something(shop, elsewhere, driver):
    driver.admit("b", ["a", "c"], seal=True)
    driver.unknown()
    assert shop.vton("retry", "b", **elsewhere.env()).out == (
        "b: 0 jobs wait again; 1 row unknown: vton retry b --unknown (HiDream may charge them twice)\n"
    )
    assert (
        "1 jobs wait again; taken by workers" in shop.vton("retry", "b", "--unknown", **elsewhere.env()).out
    )
    assert (
        "0 jobs wait again; none is worth another try"
        in shop.vton("retry", "b", "--unknown", **elsewhere.env()).out
    )


def test_whoever_named_a_file_of_settings_is_advised_commands_with_it(shop, elsewhere, driver):
    driver.admit("b", ["a"], seal=True)
    driver.unknown()
    shop.write("my settings.yaml", "limits: {in_flight: 2}\n")
    env = elsewhere.env()
    said = shop.vton("retry", "b", "--config", "my settings.yaml", **env).out
    assert "vton retry b --unknown --config 'my settings.yaml' (HiDream" in said
    (advised,) = re.findall(r"vton settle .*", shop.vton("status", "--config", "my settings.yaml", **env).out)
    assert shlex.split(advised) == ["vton", "settle", "b", "--config", "my settings.yaml"]
    assert shop.vton(*shlex.split(advised)[1:], **env).code == 0
    # From the environment, which whoever reads this has too.
    env["VTON_CONFIG"] = str(shop.folder / "my settings.yaml")
    assert "vton retry b --unknown (HiDream" in shop.vton("retry", "b", **env).out


def test_a_batch_of_the_simulated_shop_is_hinted_at_from_the_real_one(shop):
    assert shop.vton("status").out == "no batch yet\naccount: open\n"
    manifest = shop.urls(1)
    assert shop.vton("plan", manifest, "--simulate").code == 0
    assert shop.vton("status").out.startswith("no batch yet; simulated ones: vton status --simulate\n")
    assert shop.vton("status", "--simulate").out.startswith("no batch yet\n")
    ended = shop.vton("status", "night-0")
    assert (ended.code, ended.err) == (
        4,
        "vton: no such batch: night-0 (a simulated one? add --simulate)\n",
    )
    assert shop.vton("results", "night-0").err == ended.err


def test_a_batch_that_is_named_nearly_right_is_suggested(shop):
    assert shop.vton("enqueue", shop.urls(1), "--batch", "autumn-1a2b3c4d").code == 0
    for name in ("autumn", "autumn-1a2b3c4e"):
        ended = shop.vton("status", name)
        assert (ended.code, ended.err) == (4, f"vton: no such batch: {name}; did you mean autumn-1a2b3c4d?\n")
    assert shop.vton("enqueue", shop.urls(2), "--batch", "autumn-again").code == 0
    assert "did you mean autumn-again or autumn-1a2b3c4d?" in shop.vton("status", "autumn").err
    assert shop.vton("results", "zzz").err == "vton: no such batch: zzz\n"


def test_status_of_a_ledger_that_is_lost_says_so_and_ends_with_7(shop, elsewhere):
    (shop.folder / ".vton").mkdir()
    (shop.folder / ".vton" / f"ledger-{elsewhere.prefix}.id").write_text("another\n")
    ended = shop.vton("status", **elsewhere.env())
    assert ended.code == 7
    assert "account: waiting, ledger: the ledger in Redis is empty" in ended.out
    assert shop.vton("status", "night-0", **elsewhere.env()).code == 7
    told = json.loads(shop.vton("status", "--json", **elsewhere.env()).out)
    assert told["gate"].startswith("waiting, ledger: ")


def test_advice_for_a_simulated_shop_is_for_that_shop(shop):
    shop.vton("pause", "stocktaking", "--simulate")
    assert "(vton resume --simulate)" in shop.vton("status", "--simulate").out
    assert shop.vton("status").out.endswith("account: open\n")


def test_a_watch_of_all_batches_ends_when_all_are_complete(shop, elsewhere, driver):
    driver.admit("a", ["x"], seal=True)
    driver.admit("b", ["y"], seal=True)
    process = shop.start("status", "--watch", **elsewhere.env())
    seen = {process.stderr.readline().split()[1] for _ in range(2)}
    assert seen == {"a:", "b:"}
    for batch in ("a", "b"):
        shop.vton("cancel", batch, **elsewhere.env())
    ended = shop.end(process)
    assert ended.code == 0
    assert ended.out.count(", complete") == 2


def test_status_says_which_budget_keeps_jobs_waiting(shop, elsewhere, driver):
    driver.admit("b", ["a", "c"], seal=True)
    driver.submitted()
    spent = elsewhere.env() | {"VTON_LIMITS__MAX_IMAGES_PER_BATCH": "1"}
    assert (
        "account: waiting, budget: the batch's budget of 1 pictures is reached"
        in shop.vton("status", "b", **spent).out
    )
    assert "account: open" in shop.vton("status", **spent).out
