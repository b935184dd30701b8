"""`vton run` and the Redis that it brings along: killed, or ended with everything else."""

import os
import signal
from pathlib import Path

import pytest


def server_pid(shop) -> int:
    return int((shop.folder / ".vton" / "redis" / "server.pid").read_text())


def descendants(pid: int) -> list[int]:
    """All processes below one, by /proc."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    below = list(parents.get(pid, ()))
    for child in below:
        below += parents.get(child, ())
    return below


@pytest.fixture
def running(shop):
    """A run of thirty pairs of which some are bought."""
    shop.vendor.set(latency_s=0.3)
    process = shop.start("run", shop.urls(30), "-o", "out", VTON_LIMITS__IN_FLIGHT="3")
    shop.vendor.wait_for(lambda vendor: len(vendor.tasks) >= 3, timeout_s=90)
    return process


def test_a_redis_that_is_killed_is_started_again_and_the_run_goes_on(shop, running):
    os.kill(server_pid(shop), signal.SIGKILL)
    shop.vendor.wait_for(lambda vendor: len(vendor.tasks) >= 15, timeout_s=90)
    os.kill(server_pid(shop), signal.SIGKILL)
    ended = shop.end(running)
    assert ended.code == 0
    assert set(shop.vendor.bought().values()) == {1}
    assert len(shop.vendor.bought()) == 30
    events = [event["event"] for event in ended.events]
    assert events.count("redis.ended") == events.count("redis.restarted") == 2


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc here")
def test_sigterm_to_everything_at_once_ends_the_run_and_loses_nothing(shop, running):
    for pid in [running.pid, *descendants(running.pid)]:
        os.kill(pid, signal.SIGTERM)
    ended = shop.end(running)
    assert ended.code == 130
    assert shop.vton("run", "batch.csv", "-o", "out").code == 0
    assert set(shop.vendor.bought().values()) == {1}
