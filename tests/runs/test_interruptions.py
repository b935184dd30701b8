"""Runs that are cut: by Ctrl-C, SIGTERM, SIGHUP or kill -9. The same command goes on, and nothing is bought twice."""

import signal

import pytest


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda sent: sent.name)
def test_an_interrupted_run_says_so_and_the_same_command_completes_it(shop, sent):
    vendor = shop.vendor
    vendor.set(latency_s=1.0)
    manifest = shop.urls(12)
    limits = {"VTON_LIMITS__IN_FLIGHT": "4", "VTON_TASKS__LATENCY_S": "1"}
    process = shop.start("run", manifest, "-o", "out", **limits)
    vendor.wait_for(lambda seen: len(seen.tasks) >= 5)
    process.send_signal(sent)
    ended = shop.end(process)
    assert ended.code == 130, ended.err
    assert "the same command goes on" in ended.out
    assert "under way, up to 1 min 10 s; Ctrl-C again stops now" in ended.err
    batch = shop.only_batch()
    shop.agree(batch)
    assert batch.summary["status"].get("unknown", 0) == 0
    before = len(vendor.tasks)
    assert before < 12
    vendor.set(latency_s=0.05)
    batch = shop.run(manifest)
    shop.agree(batch)
    assert batch.summary["status"] == {"succeeded": 12}
    assert set(vendor.bought().values()) == {1}
    assert len(vendor.tasks) == len(vendor.submits) == 12


def test_a_run_killed_without_a_word_is_completed_by_the_same_command(shop):
    vendor = shop.vendor
    vendor.set(latency_s=1.0)
    manifest = shop.urls(12)
    limits = {"VTON_LIMITS__IN_FLIGHT": "4", "VTON_TASKS__LATENCY_S": "1"}
    process = shop.start("run", manifest, "-o", "out", **limits)
    vendor.wait_for(lambda seen: len(seen.tasks) >= 5)
    process.kill()
    shop.end(process)
    vendor.set(latency_s=0.05)
    batch = shop.run(manifest, **limits)
    shop.agree(batch)
    assert batch.summary["status"] == {"succeeded": 12}
    assert set(vendor.bought().values()) == {1}
    assert len(vendor.tasks) == len(vendor.submits) == 12
