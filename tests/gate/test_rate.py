"""The rate: reservations never put a sliding window over the account's limit. Nothing here waits."""

from bisect import bisect_left
from itertools import pairwise
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.config.settings import LimitSettings
from jobs.gate import RATE_SHARE
from jobs.ledger import Ledger
from tests.driver import Driver, rid
from tests.on_loop import gate_of


def interval_us(limit: float, window_ms: int) -> float:
    return window_ms * 1000 / (limit * RATE_SHARE)


def fullest(moments: list[int], window_ms: int) -> int:
    """Moments in the fullest half-open window."""
    ordered = sorted(moments)
    return max(bisect_left(ordered, each + window_ms) - at for at, each in enumerate(ordered))


def reserve(driver: Driver, limit: float, window_ms: int) -> int:
    return driver.granted(interval_us=interval_us(limit, window_ms), window_ms=window_ms).go_ms


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(1, 25), window_ms=st.integers(100, 5_000))
def test_no_window_holds_more_than_the_limit(ledger: Ledger, limit: int, window_ms: int) -> None:
    driver = Driver(Ledger(ledger.client, f"{ledger.prefix}-{uuid4().hex[:6]}"))
    jobs = 3 * limit + 3
    driver.admit("a", [f"p{number}" for number in range(jobs)])
    moments = [reserve(driver, limit, window_ms) for _ in range(jobs)]
    assert fullest(moments, window_ms) <= limit
    assert moments == sorted(moments)


#: What HiDream says between two permits: nothing, 429 with a wait in ms (0: none named), or `busy`.
told = st.sampled_from(
    [None, None, None, ("throttle", 1), ("throttle", 0), ("throttle", 700), ("close", 1), ("close", 0)]
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    limit=st.integers(1, 12), window_ms=st.integers(500, 3_000), news=st.lists(told, min_size=8, max_size=30)
)
def test_no_refusal_puts_a_window_over_the_limit(
    ledger: Ledger, limit: int, window_ms: int, news: list[tuple[str, int] | None]
) -> None:
    driver = Driver(Ledger(ledger.client, f"{ledger.prefix}-{uuid4().hex[:6]}"))
    driver.admit("a", [f"p{number}" for number in range(len(news))])
    moments = []
    for each in news:
        # The account has opened again by the time somebody asks.
        ledger.client.hdel(driver.ledger.key("gate"), "closed_until")
        permit = driver.granted(interval_us=interval_us(limit, window_ms), window_ms=window_ms)
        moments.append(permit.go_ms)
        if each:
            effect, wait_ms = each
            driver.ledger.run(
                driver.give_back_call(permit.request_id, permit.claim, effect, "429", (wait_ms, 60_000))
            )
    assert fullest(moments, window_ms) <= limit


def test_reservations_are_an_interval_apart_and_come_with_a_moment_to_go(driver: Driver) -> None:
    driver.admit("a", ["x", "y", "z"])
    first, second, third = (driver.granted(interval_us=3_000_000) for _ in range(3))
    assert (second.go_ms - first.go_ms, third.go_ms - second.go_ms) == (3_000, 3_000)
    assert first.go_ms == first.now_ms
    assert driver.members("leases")[rid("y")] == second.go_ms + 120_000


def test_nothing_is_reserved_too_far_ahead(driver: Driver) -> None:
    driver.admit("a", ["x", "y", "z"])
    for _ in range(2):
        driver.granted(interval_us=1_000_000, reservation_ms=1_500)
    answer = driver.ask(interval_us=1_000_000, reservation_ms=1_500)
    assert (answer.kind, answer.reason) == ("wait", "rate")
    assert 1 <= answer.wait_ms <= 500
    assert driver.line("a") == [rid("z")], "who waits for the rate holds nothing"


def test_an_idle_account_saves_nothing_up(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    driver.gate(tat="1000")
    first = driver.granted(interval_us=5_000_000)
    assert first.go_ms == first.now_ms
    assert driver.granted(interval_us=5_000_000).go_ms == first.go_ms + 5_000


def test_the_gate_asks_for_its_share_of_the_accounts_rate(ledger: Ledger, driver: Driver) -> None:
    driver.admit("a", ["x", "y", "z"])
    gate = gate_of(ledger, LimitSettings(in_flight=10, images_per_minute=600), submit_timeout_s=60)
    permits = [gate.acquire() for _ in range(3)]
    moments = [permit.go_ms for permit in permits if permit]
    assert len(moments) == 3
    assert all(102 <= later - earlier <= 103 for earlier, later in pairwise(moments))


def test_a_throttled_rate_climbs_back_by_some_of_the_whole_in_each_window(driver: Driver) -> None:
    driver.admit("a", [f"p{number}" for number in range(9)])
    now_ms = driver.granted().now_ms

    def interval(factor: float, ago_ms: int) -> int:
        driver.gate(factor=factor, factor_ms=now_ms - ago_ms, tat=0)
        first = driver.granted(interval_us=100_000_000, window_ms=60_000)
        return driver.granted(interval_us=100_000_000, window_ms=60_000).go_ms - first.go_ms

    assert 199_000 < interval(0.5, 0) <= 200_000
    assert 124_000 < interval(0.5, 120_000) <= 125_000
    assert interval(0.5, 201_000) == 100_000
    assert 199_000 < interval(0.5, -60_000) <= 200_000, "it climbs from the end of the closing"


def test_who_comes_late_moves_the_next_place_on(driver: Driver) -> None:
    driver.admit("a", ["x", "y", "z"])
    first = driver.granted(interval_us=5_000_000)
    driver.begin(first.request_id or "", first.claim, go_ms=first.go_ms, interval_us=5_000_000)
    second = driver.granted(interval_us=5_000_000)
    assert second.go_ms == first.go_ms + 5_000, "in time: nothing moves"
    driver.begin(second.request_id or "", second.claim, go_ms=first.now_ms - 1_000, interval_us=5_000_000)
    assert driver.granted(interval_us=5_000_000).go_ms == second.go_ms + 10_000
