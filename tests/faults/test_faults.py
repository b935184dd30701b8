"""The short form of the fault harness: the faults that show most, each in a few seconds; `make faults` plays all of them."""

import contextlib
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.faults import failover, kills, money, outages, storm
from tests.faults.outcome import SkippedError, held
from tests.faults.proxy import Proxy


@pytest.mark.parametrize("name", ["body_sent", "replied", "picture_renamed"])
def test_a_worker_killed_at_a_failpoint_loses_nothing_and_buys_nothing_twice(
    tmp_path: Path, name: str
) -> None:
    assert held(kills.at_failpoint(tmp_path, name=name, jobs=8, hurry=True))


def test_a_small_kill_storm_leaves_no_more_unknown_than_posts_in_flight(tmp_path: Path) -> None:
    assert held(
        storm.kill_storm(tmp_path, jobs=150, kills=8, per_minute=6000, submit=3, collect=1, hurry=True)
    )


def test_sigterm_under_load_leaves_nothing_unknown(tmp_path: Path) -> None:
    assert held(kills.sigterm(tmp_path, jobs=80, collect=1))


def test_a_redis_that_is_killed_and_comes_back_loses_nothing(tmp_path: Path) -> None:
    assert held(outages.redis_down(tmp_path, down_s=1, jobs=150, collect=1))


AHEAD = partial(failover.lagging, lag_s=2)


@pytest.mark.parametrize(
    ("harm", "replicas"),
    [
        pytest.param(failover.killed, 1, id="killed", marks=pytest.mark.slow),
        pytest.param(AHEAD, 1, id="ahead"),
        pytest.param(AHEAD, 0, id="ahead-unwaited", marks=pytest.mark.slow),
    ],
)
def test_a_primary_that_dies_under_load_loses_nothing_and_nothing_is_bought_twice(
    tmp_path: Path, harm: Callable[[failover.StandbyRig], float], replicas: int
) -> None:
    try:
        # Where nobody waits for replicas all of a few are sent before the primary dies.
        outcome = failover.fail_over(tmp_path, harm=harm, jobs=80 if replicas else 400, replicas=replicas)
    except SkippedError as error:
        pytest.skip(str(error))
    # How soon it goes on is for a machine that has nothing else to do.
    assert held(replace(outcome, broken=[]))


@pytest.mark.slow
def test_an_old_primary_to_which_all_are_led_back_is_changed_by_nobody(tmp_path: Path) -> None:
    assert held(failover.second_master(tmp_path, jobs=80, back_s=5))


def test_the_bill_is_never_beside_the_books_and_what_is_settled_by_them_is_fetched(tmp_path: Path) -> None:
    assert held(money.settled_run(tmp_path, seed=1, jobs=24))


def test_a_script_whose_reply_is_lost_has_run_once(tmp_path: Path) -> None:
    outcome = outages.lost_replies(tmp_path, jobs=20, every=40, submit=1)
    assert held(outcome)
    assert outcome.faults > 3


def test_the_proxy_counts_requests_whose_client_died_unanswered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, Proxy(server.getsockname()[1]) as proxy:
        client = socket.create_connection(("127.0.0.1", proxy.port))
        client.sendall(b"POST")
        upstream, _ = server.accept()
        with upstream:
            assert upstream.recv(10) == b"POST"
            client.close()
            # The proxy closes this end when it has seen the other one go.
            with contextlib.suppress(ConnectionResetError):
                assert upstream.recv(10) == b""
        assert (proxy.orphaned, proxy.lost) == (1, 0)
