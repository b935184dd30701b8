"""What ends a run early: signals and the deadline, also while the manifest is still being read."""

import json
import signal

from tests.runs.shop import Shop

BIG = 1_500_000


def big(shop: Shop) -> str:
    rows = "".join(f"S{n},https://cdn.example/p.jpg,https://cdn.example/g{n}.png\n" for n in range(BIG))
    shop.write("big.csv", f"sku,person,upper\n{rows}")
    return "big.csv"


def read_so_far(shop: Shop) -> dict:
    (batch,) = json.loads(shop.vton("status", "--json").out)["batches"]
    return batch


def wait_for_line(process, *words: str) -> str:
    for line in process.stderr:
        if all(word in line for word in words):
            return line
    raise AssertionError(f"never said: {words}")


def test_a_deadline_ends_the_reading_of_a_big_manifest(shop):
    ended = shop.vton("run", big(shop), "--deadline", "20s", VTON_LIMITS__IN_FLIGHT="1")
    assert ended.code == 10
    assert "read so far" in ended.out
    assert "ended early: the deadline is reached; the same command goes on" in ended.out
    found = read_so_far(shop)
    assert not found["sealed"]
    assert found["rows"] < BIG
    assert len(shop.vendor.tasks) == len(shop.vendor.submits), "what was being sent was finished"


def test_a_signal_ends_the_reading_of_a_big_manifest(shop):
    process = shop.start("run", big(shop), VTON_LIMITS__IN_FLIGHT="1")
    wait_for_line(process, "batch.created")
    shop.vendor.wait_for(lambda seen: seen.tasks)
    process.send_signal(signal.SIGTERM)
    ended = shop.end(process)
    assert ended.code == 130
    assert "ended early: interrupted; the same command goes on" in ended.out
    assert not read_so_far(shop)["sealed"]


def test_a_deadline_while_a_manifest_is_looked_through_records_nothing(shop):
    ended = shop.vton("run", big(shop), "--strict", "--deadline", "1s")
    assert ended.code == 10
    assert ended.err.endswith("\nvton: the deadline is reached; nothing was recorded\n")
    assert shop.vton("status").out.startswith("no batch yet")


def test_a_signal_before_anything_is_recorded_ends_at_once(shop):
    process = shop.start("run", big(shop), "--strict")
    (shop.folder / ".vton" / "redis").mkdir(parents=True, exist_ok=True)
    while not (shop.folder / ".vton" / "redis" / "server.sock").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGHUP)
    assert shop.end(process).code == 130
    assert shop.vton("status").out.startswith("no batch yet")


def test_a_second_signal_stops_now_and_says_what_that_costs(shop):
    vendor = shop.vendor
    vendor.set(submit_delay_s=30)
    process = shop.start("run", shop.urls(3), VTON_LIMITS__IN_FLIGHT="1")
    vendor.wait_for(lambda seen: seen.submits)
    process.send_signal(signal.SIGINT)
    wait_for_line(process, "finishing")
    process.send_signal(signal.SIGINT)
    ended = shop.end(process)
    vendor.set(submit_delay_s=0)
    assert ended.code == 130
    assert "requests under way are cut off, their rows become unknown" in ended.err
    assert "1 submitting" in ended.out
    assert "files: vton results" in ended.out


def test_a_run_that_was_started_deaf_to_hang_ups_stays_so(shop):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = shop.start("run", shop.urls(4), "-o", "out", VTON_LIMITS__IN_FLIGHT="1")
    finally:
        signal.signal(signal.SIGHUP, before)
    shop.vendor.wait_for(lambda seen: seen.submits)
    process.send_signal(signal.SIGHUP)
    assert shop.end(process).code == 0
